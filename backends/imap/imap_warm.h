/*
 * imap_warm - connections that sessions left logged in, for the next session of the same login.
 *
 * A poll that comes back within imap.keep_warm costs one SELECT instead of connect, TLS, login and
 * SELECT. SELECT and not CLOSE ends the view of the session before, since CLOSE would expunge.
 * Who may:  one whose keys have the same digest (imap_keys.h): the same tenant and settings, login,
 *           mailbox, and the very password or token that the server took. Another password goes to
 *           the server, as ever.
 * How long: keep_warm after the session before; but the login itself must be no older than
 *           keep_warm or WARM_LOGIN_MAX, whichever is more: a server that would refuse it by now
 *           is asked at least that often.
 * Limits:   WARM_MAX in the process, the least lately used goes first; one for each digest.
 * Off until imap_warm_keep(true), since what is kept keeps the loop running.
 */
#ifndef POPGATE_BACKENDS_IMAP_WARM_H
#define POPGATE_BACKENDS_IMAP_WARM_H

#include "backends/imap/imap.h"

#define WARM_MAX       256
#define WARM_LOGIN_MAX 600000 /* ms */

/* backend_ops.keep. */
void imap_warm_keep(bool on);

/* Gives imap, which has none, the connection that waits for its keys. It may be dead. false: there
 * is none. */
bool imap_warm_take(struct imap *imap);

/* Keeps the connection of a session that ends. false: it is still imap's. */
bool imap_warm_give(struct imap *imap);

#endif
