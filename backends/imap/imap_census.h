/*
 * imap_census - which messages of a lister's folder a server still has, and which it has besides.
 */
#ifndef POPGATE_BACKENDS_IMAP_CENSUS_H
#define POPGATE_BACKENDS_IMAP_CENSUS_H

#include "backends/imap/imap_listing.h"
#include "backends/imap/imap_mark.h"

struct imap_census {
	struct imap_consumer consumer; /* first */
	struct lister *lister;
	size_t n;       /* messages of its folder */
	int32_t *steps; /* how many more ranges hold message i than hold the one before it */
	bool vanished;  /* the ranges are of messages that are gone, not of those that are there */
	uint64_t named; /* UIDs that were named as being there */
	uint32_t *unknown; /* UIDs below the folder's UIDNEXT that it has not, ascending when
			    * applied */
	size_t n_unknown, room;
	bool lie; /* more than there can be */
};

/* The lister's folder must not change until it is applied. */
void imap_census_init(struct imap_census *census, struct lister *lister);
void imap_census_done(struct imap_census *census);

/* By what changed since the mark (RFC 7162 section 3.2.6); ENABLE QRESYNC was sent. */
fiber_fn struct err imap_census_resync(struct imap_census *census, const struct imap_mark *mark);
/* By the UIDs of all messages. */
fiber_fn struct err imap_census_search(struct imap_census *census, const struct imap_mark *mark);

/* Drops what is gone from the lister. false: what the server said cannot be; nothing was done. */
bool imap_census_apply(struct imap_census *census);

#endif
