/*
 * notice - a message of the gateway's own in the snapshot: the mailbox is nearly full.
 *
 * At most one in NOTICE_PERIOD per maildrop. The registry remembers the last one as an entry of a
 * folder that no store has: its key holds the figures that the text is made of. So every session
 * shows the same octets under the same id, and an id never comes back. Who deletes it hides the
 * entry, until the next one is due.
 */
#ifndef POPGATE_MAILDROP_NOTICE_H
#define POPGATE_MAILDROP_NOTICE_H

#include "backends/backend.h"
#include "proxy/maildrop/registry.h"

#define NOTICE_FOLDER "" /* no mailbox and no folder of a Maildir is called so */
#define NOTICE_PERIOD ((int64_t)24 * 60 * 60) /* s */

struct notice {
	struct registry_entry entry;
	struct backend_message message; /* as the snapshot shows it: size and arrival */
	const char *text;               /* CRLF line ends */
};

/* Whether the last entry is a notice that stands for its period still, deleted or not. A time far
 * in the future does not: it was written by a wrong clock. */
bool notice_is_current(const struct registry_entry *last, int64_t now);

/* The last of the entries of NOTICE_FOLDER, by arrival; one with no unique-id: there is none. */
struct folders;
struct registry_entry notice_last(
	const struct registry_entry *entries, size_t n, const struct folders *folders);

/* A new entry; its folder is the caller's to set. Borrows unique_id. */
struct registry_entry notice_entry(
	const char *unique_id, const struct backend_quota *quota, int64_t now, struct arena *arena);

/* The notice of an entry that is current. */
struct notice *notice_new(
	const struct account *account, const struct registry_entry *entry, struct arena *arena);

#endif
