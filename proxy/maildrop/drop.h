/*
 * drop - the inside of struct maildrop, for the files of this folder: a snapshot, which other
 * sessions may share, and what is this session's own.
 *
 * A message is named by its number, or by its index in the snapshot; the index behind the last is
 * that of the notice.
 */
#ifndef POPGATE_MAILDROP_DROP_H
#define POPGATE_MAILDROP_DROP_H

#include "proxy/maildrop/maildrop.h"
#include "proxy/maildrop/notice.h"
#include "proxy/maildrop/snapshot.h"

/* What a RETR sent where LIST said otherwise. */
struct measured {
	uint32_t index;
	uint64_t octets;
};

struct maildrop {
	const struct account *account;
	const struct maildrop_settings *settings;
	struct backend *backend;
	struct registry *registry; /* NULL: state none */
	struct arena *arena;       /* the session's */
	int64_t opened;            /* seconds since 1970 */
	struct backend_quota quota;
	struct folders *folders;

	struct snapshot *base;     /* the backend's listing may borrow from it */
	struct snapshot *snapshot; /* indices are those of the backend's listing */
	struct view view;          /* the snapshot's, or one without what has become too old */
	struct notice *notice;     /* NULL: none is shown */

	uint64_t *retrieved; /* bits by index: RETR was complete */
	bool any_retrieved;
	uint64_t *is_measured; /* bits by index */
	struct measured *measured;
	size_t n_measured, room_measured;
	uint64_t *marks; /* bits by number - 1 */
	size_t n_marks;
	uint64_t marked_octets;

	struct unique_id *unique_id; /* the last one asked for */
	bool updated;
};

static inline size_t drop_notice_index(const struct maildrop *drop)
{
	return drop->snapshot->n;
}

/* The index of a message number, which must be one. */
size_t drop_index(const struct maildrop *drop, size_t number);
/* The message of an index, not the notice's. */
static inline const struct backend_message *drop_message(const struct maildrop *drop, size_t index)
{
	return &drop->snapshot->messages[index];
}
/* The text of index's unique-id; ret is overwritten. */
void drop_unique_id(const struct maildrop *drop, size_t index, struct unique_id *ret);

/* remember.c */

/* Lists the store, joins that with what the registry knows, writes what has to be written; fills
 * base, snapshot, quota and notice. */
fiber_fn struct err drop_remember(struct maildrop *drop, struct maildrop_opening *opening);

/* forget.c */

/* What QUIT did, to be remembered; indices. */
struct deletions {
	const size_t *gone, *hidden;
	size_t n_gone, n_hidden;
};
/* Forgets the gone, hides the hidden, stores measured sizes. Writes only if there is something. */
fiber_fn struct err drop_forget(struct maildrop *drop, const struct deletions *deletions);

#endif
