/*
 * capacity - how many workers there are to be, and how many files each may open.
 */
#ifndef POPGATE_CAPACITY_H
#define POPGATE_CAPACITY_H

#include "config/config.h"

/* What workers says; auto: one per core that we may run on. */
unsigned capacity_workers(const struct config *config);
/* Raises the limit of open files as far as it goes, for this process and those it forks. Logs where
 * that is too little for limits.sessions. */
void capacity_raise_files(const struct config *config);

#endif
