/*
 * mark - what the registry keeps of a folder's last listing: the store's own mark, and before it
 * the UIDVALIDITY and the highest UIDNEXT that were ever seen together. The latter outlive the
 * store's mark where that is no ground to build on, so that a UID which was spent by then is known
 * as such even when the message that had it is forgotten.
 */
#ifndef POPGATE_MAILDROP_MARK_H
#define POPGATE_MAILDROP_MARK_H

#include <stdint.h>

#include "proxy/runtime/mem.h"

struct mark {
	uint32_t uidvalidity; /* 0: none, or a Maildir */
	uint32_t uidnext;     /* every UID below may have been given */
	const char *store;    /* as in backend_folder; "": none */
};

/* Of a text that mark_text has made; of any other: nothing. Borrows the text. */
struct mark mark_parse(const char *text);
const char *mark_text(struct mark mark, struct arena *arena);

#endif
