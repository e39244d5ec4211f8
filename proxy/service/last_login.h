/*
 * last_login - when each user logged in last, in memory shared by all processes.
 *
 * For maildrop.login_delay (RFC 2449 section 6.5). A table of fixed size by a keyed hash of tenant
 * and login; all updates are atomic, a process may die at any instruction. Counts in tenths of a
 * second, in the user's favour.
 * Limits: 65,536 users. When a place is needed, the one whose login is longest ago goes; that user
 * may then log in without delay.
 */
#ifndef POPGATE_SERVICE_LAST_LOGIN_H
#define POPGATE_SERVICE_LAST_LOGIN_H

#include <stdint.h>

/* Maps the table; in the master, before the fork. */
void last_login_map(void);

/* The milliseconds that are left until `delay` of them have passed since the user's last login; 0:
 * they have, or there is none. */
uint64_t last_login_left(const char *tenant, const char *login, uint64_t delay);
/* The user logged in now. */
void last_login_note(const char *tenant, const char *login);

/* For tests: moves the clock of this process. */
void last_login_clock_advance(uint64_t milliseconds);

#endif
