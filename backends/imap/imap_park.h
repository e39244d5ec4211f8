/*
 * imap_park - the connection of a session whose client is silent is given up, and opened again when
 * the client goes on; so is one that the server closed meanwhile.
 *
 * The snapshot stays true: a UID means the same message as long as UIDVALIDITY is the same (RFC
 * 3501 section 2.3.1.1), which imap_fetch and imap_update compare for each message, and UIDNEXT
 * never goes back (imap_mailbox.c). Nothing is ever sent twice: a connection is opened again before
 * the first command of a fetch or update, never in the middle of one.
 */
#ifndef POPGATE_BACKENDS_IMAP_PARK_H
#define POPGATE_BACKENDS_IMAP_PARK_H

#include "backends/imap/imap.h"

/* backend_ops.rest: gives up what was fetched ahead, and the connection unless there is no way
 * back.
 */
void imap_park(struct backend *backend);

/* Makes sure that there is a connection as far as can be told, without a word to a server that has
 * not said anything by itself. After a new one no folder is selected. ERR_TEMP, ERR_PERM, or the
 * caller's own end; a server that does not take the credentials any more is asked once. */
fiber_fn struct err imap_awake(struct imap *imap);

#endif
