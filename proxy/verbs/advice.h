/*
 * advice - what an administrator can do about a login that failed on its way to the mail store.
 */
#ifndef POPGATE_VERBS_ADVICE_H
#define POPGATE_VERBS_ADVICE_H

#include "config/config.h"

/* One line; NULL where nothing is known. tenant NULL: none serves the login. Static. */
const char *advice_for(const struct tenant *tenant, const struct err *e);

#endif
