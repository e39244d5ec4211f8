/*
 * users_edit - changes one login of a users file: for the command line, not for a worker.
 *
 * The new file is written beside the old one, synced and renamed over it, so that a reader sees the
 * one or the other; a lock on the old one keeps two edits from losing each other's change.
 * Comments, order, and lines that are no login's stay as they are, mode and owner too. A symbolic
 * link stays, its target is replaced. Errors: ERR_TEMP, the detail names the file and the reason;
 * ERR_INVALID: see users_check_login.
 */
#ifndef POPGATE_LOGIN_USERS_EDIT_H
#define POPGATE_LOGIN_USERS_EDIT_H

#include <stdbool.h>

#include "proxy/runtime/err.h"

/* Gives login this hash; makes the file (mode 0600) when there is none. *ret_known: it was there
 * before. */
struct err users_set(const char *path, const char *login, const char *hash, bool *ret_known);
/* Removes login; *ret_known: it was there, else the file is untouched. */
struct err users_remove(const char *path, const char *login, bool *ret_known);

#endif
