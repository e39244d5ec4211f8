/*
 * imap_leave - how a connection that is still good ends: by LOGOUT, in time that nobody waits for.
 */
#ifndef POPGATE_BACKENDS_IMAP_LEAVE_H
#define POPGATE_BACKENDS_IMAP_LEAVE_H

#include "backends/imap/imap.h"

/* Says LOGOUT and waits a moment for the answer, unless the connection is dead. The caller drops
 * it. */
fiber_fn void imap_goodbye(struct imap *imap);

/* The connection of a session alone, apart from it: no account, no listing. Free it by imap_leave,
 * or by imap_drop and free after handing it over. */
struct imap *imap_apart(struct imap *imap);

/* Ends it in a fiber of its own. Takes it. */
void imap_leave(struct imap *apart);

#endif
