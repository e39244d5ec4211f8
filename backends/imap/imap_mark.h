/*
 * imap_mark - what a listing of a folder leaves for a later one to tell a change by. Pure.
 */
#ifndef POPGATE_BACKENDS_IMAP_MARK_H
#define POPGATE_BACKENDS_IMAP_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/runtime/mem.h"

/* The mark of a folder: "UIDVALIDITY UIDNEXT EXISTS HIGHESTMODSEQ". */
struct imap_mark {
	uint32_t uidvalidity, uidnext;
	uint64_t exists; /* messages that were listed, all with UIDs below uidnext */
	uint64_t modseq; /* 0: none */
};

/* false: the text is none, or one that no listing can build on. */
bool imap_mark_read(struct imap_mark *ret, const char *text);
const char *imap_mark_write(const struct imap_mark *mark, struct arena *mem);

#endif
