/*
 * signals - those of the master: read from a descriptor, never delivered, so that nothing is
 * interrupted at a wrong moment.
 */
#ifndef POPGATE_SIGNALS_H
#define POPGATE_SIGNALS_H

#include <stdint.h>

/* Blocks them and returns a signalfd, non-blocking and close-on-exec. */
int signals_open(void);
/* The next one that came; 0: none. */
uint32_t signals_next(int fd);

#endif
