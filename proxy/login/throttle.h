/*
 * throttle - failed logins, remembered per address and per login in memory shared by all workers.
 *
 * Fixed-size tables, keyed by a hash under a random key. The delay doubles from
 * limits.failure_delay per further failure of the address or of the login, up to 15 s; an address
 * with more than failures_per_address in ten minutes is refused at once. An entry counts for the
 * ten minutes that begin with its first failure, then starts anew. IPv6 is counted per /64.
 * Limits: 16,384 addresses and as many logins; when a place is needed, entries with the fewest
 * failures go first, the oldest among equals. A count ends at 65,535.
 */
#ifndef POPGATE_LOGIN_THROTTLE_H
#define POPGATE_LOGIN_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define THROTTLE_DELAY_MAX 15000 /* ms */

/* Maps the tables; in the master, before the fork. */
void throttle_map(void);

/* Whether this address must be refused without looking at its password. */
bool throttle_refused(const struct limit_settings *limits, const char *address);
/* Notes a failure and returns for how long (ms) the answer is to be held back. login: as it was
 * sent or after the login_name rules; the case of ASCII letters does not matter. "": not known. */
uint64_t throttle_failed(
	const struct limit_settings *limits, const char *address, const char *login);
/* Forgets the login's failures (not the address's: one good account must not whitewash guessing).
 */
void throttle_succeeded(const char *login);

/* For tests: moves the clock of this process. */
void throttle_clock_advance(uint64_t milliseconds);

#endif
