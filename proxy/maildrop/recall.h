/*
 * recall - the first part of a login: what is known, what is listed now, and how the two are
 * joined. Nothing is written.
 */
#ifndef POPGATE_MAILDROP_RECALL_H
#define POPGATE_MAILDROP_RECALL_H

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
	bool from_scratch; /* list as if nothing were known, with all fingerprints */
	bool stale;
	struct adopted adopted; /* of uidl.adopt_file, where nothing is known of folder 0 */
	bool adopting;          /* they are the record's entries */
	bool unwritten;         /* what was to be written could not be */
};

/* What the registry knows and what the store lists: fills the drop's base, and listing. */
fiber_fn struct err login_list(struct login *login);
/* What the listing is joined with: the record of the base, or what is adopted where there is none.
 */
fiber_fn struct err login_begin(struct login *login);
/* All steps of joining; ret is the caller's to end by join_done, also after an error. */
fiber_fn struct err login_join(struct login *login, struct join *ret);
/* Whether so many ids would change that the login is to be refused. */
bool login_is_refused(const struct login *login, const struct join *join);

#endif
