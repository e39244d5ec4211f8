/*
 * imap_delta - what became of a folder since an earlier listing, by asking for the difference.
 *
 * Messages leave a mailbox, and new ones have UIDs from UIDNEXT on; so when those that were known
 * and those that are new add up to EXISTS, nothing left. Else what left is found out by QRESYNC
 * (RFC 7162), or by a SEARCH for all UIDs, in the short form of ESEARCH (RFC 4731) where the server
 * has it. Whatever does not add up in the end is no answer.
 */
#ifndef POPGATE_BACKENDS_IMAP_DELTA_H
#define POPGATE_BACKENDS_IMAP_DELTA_H

#include "backends/imap/imap_listing.h"
#include "backends/imap/imap_mark.h"

/* Brings the messages of the lister's folder, which are those of the mark in ascending order, to
 * what there was at the SELECT, less what left since. *ret false: the server does not tell; what
 * the lister then holds of the folder means nothing. The mark's UIDVALIDITY is the folder's, and
 * its UIDNEXT not above the folder's. */
fiber_fn struct err imap_delta(struct lister *l, const struct imap_mark *mark, bool *ret);

#endif
