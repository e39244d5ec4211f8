/*
 * maildrop - the snapshot of one login: numbers, sizes, unique-ids, deletion marks.
 *
 * Taken once from a backend's listing and immutable but for the marks (MS-STANXPOP3 C0004). Message
 * numbers run from 1 without gaps. No lock is held on anything. Lives in the session's arena;
 * borrows the backend and the registry. Sessions that find the same share what is the same.
 * A mailbox whose quota is used up to maildrop.quota_warning shows a notice besides (notice.h), a
 * message as any other here; it counts as no part of max_messages and goes when it is deleted,
 * whatever on_delete says.
 * Suspends: open, fetch, update.
 */
#ifndef POPGATE_MAILDROP_MAILDROP_H
#define POPGATE_MAILDROP_MAILDROP_H

#include "backends/backend.h"
#include "proxy/maildrop/registry.h"

struct maildrop;

/* What a client is told of all messages at once. */
enum maildrop_lines {
	MAILDROP_SIZES,
	MAILDROP_UNIQUE_IDS,
	MAILDROP_LINES, /* how many there are */
};

/* What came of opening a maildrop, for the log. */
struct maildrop_opening {
	struct err note; /* trouble that kept nothing from being right: the registry could not be
			  * written and did not have to be; no detail: none */
	bool refused_changes; /* the error is: more ids would change than uidl.max_changed allows */
};

/* Lists the backend, settles unique-ids, order, hidden messages, window (max_messages, newer_than).
 * registry may be NULL (state: none). Every id it holds is durable before this returns, or computed
 * from what the store says alone. opening is always filled in. */
fiber_fn struct err maildrop_open(const struct account *account, struct backend *backend,
	struct registry *registry, struct arena *arena, struct maildrop_opening *opening,
	struct maildrop **ret);
void maildrop_close(struct maildrop *drop); /* NULL-safe; before its backend's end or after */

/* What the next login would show of a message. */
enum preview_status {
	PREVIEW_KEPT,    /* the unique-id that it has */
	PREVIEW_ADOPTED, /* one that was taken over from another server, for the first time */
	PREVIEW_NEW,     /* a new one: nothing is known of it */
	PREVIEW_CHANGED, /* a new one, and it may be one of those that are missing then; or another
			  * text than the other server gave */
	PREVIEW_MISSING, /* nothing: what had this unique-id is not there, or was never met */
};

struct preview_row {
	enum preview_status status;
	const char *unique_id; /* what is shown; of a missing one what was */
	const char *known_id;  /* what it is known by until then; NULL: nothing */
	uint64_t size;         /* UINT64_MAX: unknown */
	int64_t arrival;       /* 0: unknown */
	const char *folder;
};

struct maildrop_preview {
	struct preview_row *rows; /* messages as the store lists them, then what is missing */
	size_t n;
	size_t counts[PREVIEW_MISSING + 1]; /* of each status */
	size_t known;                       /* messages whose unique-ids are known */
	size_t changed; /* of them, those that may show another one: what uidl.max_changed judges */
	bool refused;   /* it would judge against the login */
	bool accepted;  /* but an operator has accepted that */
};

/* What maildrop_open would do, with nothing written and whatever the number of changes. Hidden
 * messages are none. In arena; the backend can be used no further. */
fiber_fn struct err maildrop_foresee(const struct account *account, struct backend *backend,
	struct registry *registry, struct arena *arena, struct maildrop_preview *ret);
/* The same against what another server gave instead of what is known: which of its messages would
 * show the unique-id that it had there (as PREVIEW_ADOPTED). */
struct adopted;
fiber_fn struct err maildrop_compare(const struct account *account, struct backend *backend,
	struct registry *registry, const struct adopted *old, struct arena *arena,
	struct maildrop_preview *ret);

/* The store's quota, as far as it was told (see backend_listing), and whether it is used up to the
 * tenant's quota_warning. */
const struct backend_quota *maildrop_quota(const struct maildrop *drop);
bool maildrop_quota_warns(const struct maildrop *drop);

/* How many numbers there are, marked ones included. */
size_t maildrop_count(const struct maildrop *drop);

/* Visible = not marked. STAT's two figures. */
size_t maildrop_visible(const struct maildrop *drop);
uint64_t maildrop_visible_octets(const struct maildrop *drop);

/* number: 1 to maildrop_count, else an assertion fails. */
bool maildrop_marked(const struct maildrop *drop, size_t number);
uint64_t maildrop_size(const struct maildrop *drop, size_t number);
/* Valid until the next call for this maildrop. */
const char *maildrop_unique_id(const struct maildrop *drop, size_t number);

/* Whether the lines of an answer can be those of other sessions of this maildrop: they see what
 * this one sees (no mark, no message of its own, none less for its age), and will come. */
bool maildrop_shares_lines(const struct maildrop *drop);
/* The lines that were kept, valid while the maildrop is open; NULL: none. For one that shares. */
const struct buffer *maildrop_kept_lines(const struct maildrop *drop, enum maildrop_lines which);
/* Takes what lines holds. Kept are from now on these, or the same that another session kept
 * meanwhile. For one that shares. */
void maildrop_keep_lines(struct maildrop *drop, enum maildrop_lines which, struct buffer *lines);

void maildrop_mark(struct maildrop *drop, size_t number);
void maildrop_unmark_all(struct maildrop *drop);
size_t maildrop_marks(const struct maildrop *drop);

/* Pushes message `number` into out (see backend_ops.fetch for the guarantees). A FETCH_ALL that
 * succeeds notes the message as retrieved (\Seen at QUIT). */
fiber_fn struct err maildrop_fetch(struct maildrop *drop, size_t number, enum fetch_part part,
	uint64_t lines, struct sink *out);

/* After a complete RETR: the octets that were sent before dot-stuffing. Remembered for later logins
 * when they differ from the listed size (by maildrop_update; lost if the session ends otherwise;
 * not where exact_rfc822_size is off); the snapshot itself does not change. */
void maildrop_measured(struct maildrop *drop, size_t number, uint64_t octets);

/* A message that was removed for its age. */
struct maildrop_expired {
	const char *unique_id;
	int64_t arrival; /* seconds since 1970 */
	int64_t age;     /* s, when the snapshot was taken */
};

/* What UPDATE did. */
struct maildrop_outcome {
	size_t asked;   /* messages that were marked */
	size_t removed; /* of them now gone (or hidden, or ignored, as on_delete says) */
	const char *const *removed_ids; /* unique-ids of those, for the audit log; in the arena */
	size_t expired; /* messages that are gone for their age, as expire_after and on_delete say
			 */
	const struct maildrop_expired *expired_messages; /* those; in the arena */
	size_t hidden;   /* of all these: flagged and hidden only, since the server has no UIDPLUS
			  */
	struct err note; /* trouble that kept nothing from being removed (\Seen not set, a clean-up
			  * of the registry put off): for the log; no detail: none */
};

/* The UPDATE state, at most once: removes the marked messages as on_delete says, those of this
 * snapshot whose arrival was longer ago than expire_after when it was taken (never one whose
 * arrival is unknown), marks the retrieved ones \Seen, writes the registry. outcome is always
 * filled in; ok only when all marked are gone, else the detail counts them. That an expired one
 * stays is no error: it goes another time. */
fiber_fn struct err maildrop_update(struct maildrop *drop, struct maildrop_outcome *outcome);

#endif
