/*
 * join - a listing and what the registry knows are brought together: which message is which
 * entry's, what the others are to be called, and what has to be written.
 *
 * In three steps, each a file: join.c pairs by name, then by match.h; give.c finds unique-ids for
 * what is new; result.c makes the change and the snapshot. Pure but for the clock that numbers
 * start from. Nothing is shown before the change is written.
 *
 * A folder is renumbered when the store says so, or when what it lists contradicts what is known.
 * Then a name counts only for a message that is known to be the same.
 *
 * The record may have changed since the listing was taken: then the listing is stale. What it lacks
 * may have come since, and what it shows may be gone; so it forgets nothing, and marks that other
 * listings cannot build on it.
 */
#ifndef POPGATE_MAILDROP_JOIN_H
#define POPGATE_MAILDROP_JOIN_H

#include "proxy/maildrop/mark.h"
#include "proxy/maildrop/snapshot.h"

#define JOIN_NONE UINT32_MAX

#define CHANGED_LEAST 50 /* messages; fewer are never too many */

#define MISSING_GRACE ((int64_t)7 * 24 * 60 * 60)  /* s; long enough for a restore from backup */
#define ADOPTED_GRACE ((int64_t)90 * 24 * 60 * 60) /* s */
#define SEEN_PERIOD   ((int64_t)24 * 60 * 60)      /* s; a login is noted as often */

/* A folder that holds mail. */
struct joined_folder {
	const struct backend_folder *listed;
	struct mark before;            /* of the record */
	uint32_t uidvalidity, uidnext; /* of the listing; uidnext also where the store tells none */
	bool renumbered;
	bool converted; /* another kind of store had its messages */
	bool renamed;   /* of a Maildir: not one of the names that were known is there */
	int64_t newest; /* of a Maildir: the last arrival that was known; what is new came later */
	size_t lost, fresh; /* messages that went, that came, as far as one may be the other */
};

struct join {
	/* What is joined. */
	const struct account *account;
	const struct folders *folders;
	const struct registry_record *record;
	const struct backend_listing *listing;
	const struct mark
		*floors; /* by the registry's index: marks that are older than the listing */
	const struct backend_quota *warned; /* the quota that a notice is to tell of; NULL: none */
	int64_t now;
	bool stale;
	bool adopting; /* the adopted entries of the record are to be written with this change */
	const struct backend_legacy *legacy; /* by message, of those that are fresh; NULL: none */
	struct arena *scratch;

	/* By message. */
	uint32_t *by_name;
	uint64_t *surplus;
	uint32_t *entry_of;
	uint64_t *matched;  /* bits: has the entry of another name */
	const char **given; /* the unique-id of a new one; NULL: computed */
	/* By entry. */
	uint32_t *message_of;
	uint64_t *displaced; /* bits: its name is now that of another message */

	struct joined_folder *mail; /* by the registry's index */
	uint64_t next;              /* number to be given; 0: none was given yet */
	unsigned flags;
	size_t n_matched, n_given;

	/* What came of it. */
	struct registry_change change;
	bool wanted;           /* there is something to write */
	bool vital;            /* what the snapshot shows must not be shown before it is written */
	size_t known, changed; /* messages that had an id; those that may show another now */
	uint64_t *suspect;     /* bits by message: new, and maybe one of the known */
	struct snapshot *snapshot; /* owned; its revision is the caller's to set */
};

void join_done(struct join *join);

/* Whether more ids may change than uidl.max_changed allows. */
bool join_changes_much(const struct join *join);

/* The steps, from what is joined. After the first it shows which messages are fresh (entry_of).
 * join_result: ERR_TEMP as snapshot_finish. */
void join_pair(struct join *join);
void join_give(struct join *join);
/* A number of the maildrop, as text; in scratch. */
const char *join_number(struct join *join);
struct err join_result(struct join *join);

static inline bool join_of_maildir(const struct join *join)
{
	return join->account->tenant->store == STORE_MAILDIR;
}

static inline struct joined_folder *join_folder_of(const struct join *join, size_t message)
{
	return &join->mail[join->folders->to_registry[join->listing->messages[message].folder]];
}

#endif
