/*
 * known - the first half of a login: what is known of a maildrop, what its store lists now, and
 * both joined. Nothing is written.
 */
#ifndef POPGATE_MAILDROP_KNOWN_H
#define POPGATE_MAILDROP_KNOWN_H

#include "proxy/maildrop/adopted.h"
#include "proxy/maildrop/drop.h"
#include "proxy/maildrop/join.h"

struct login {
	struct maildrop *drop;
	struct registry_maildrop name;
	struct arena *scratch;
	struct backend_listing listing;
	struct registry_record record; /* of the snapshot `base`, or of a later revision */
	struct mark *floors;
	bool from_scratch;      /* to be listed as if nothing were known, with all fingerprints */
	struct adopted adopted; /* of uidl.adopt_file, where nothing is known of the main folder */
	bool adopting;          /* they are in the record */
	bool stale;
	bool unwritten; /* what was to be written could not be */
};

/* What the registry knows, as this worker read it last where it is that still: drop->base. */
fiber_fn struct err login_read(struct login *login);
/* What the tenant's uidl.adopt_file holds where nothing is known, and what the store lists:
 * listing, drop->quota. Builds on the former. */
fiber_fn struct err login_list(struct login *login);
/* The record that the former two are to be joined in, with what is adopted. */
fiber_fn struct err login_begin_join(struct login *login);
/* The record again, since others have written. The listing is stale then. */
fiber_fn struct err login_read_again(struct login *login);
/* All steps of join.h, and what the server before left of messages that are fresh, where ids are
 * made of that; in scratch. join_done is the caller's in any case. */
fiber_fn struct err login_join(struct login *login, struct join **ret);

#endif
