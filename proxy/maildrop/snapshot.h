/*
 * snapshot - the inside of struct maildrop, for the files of this folder.
 *
 * Two ways to name a message: its index in the backend's listing (what most arrays here go by), and
 * its message number, which the view maps to an index. The index behind the last is that of the
 * notice. Everything lives in the session's arena; a message costs its listing entry, 8 octets of
 * indices, a few bits, and 8 for a number of the registry. Texts of unique-ids are made when asked
 * for.
 */
#ifndef POPGATE_MAILDROP_SNAPSHOT_H
#define POPGATE_MAILDROP_SNAPSHOT_H

#include "proxy/maildrop/maildrop.h"
#include "proxy/maildrop/notice.h"
#include "proxy/maildrop/unique_id.h"

/* An entry of the registry whose message the listing lacks. */
struct vanished {
	struct registry_entry entry;
	struct vanished *next;
};

struct maildrop {
	const struct account *account;
	const struct maildrop_settings *settings;
	struct backend *backend;
	struct registry *registry; /* NULL: state none */
	struct arena *arena;

	int64_t opened; /* seconds since 1970 */
	struct backend_quota quota;

	const char **folders;    /* as the registry knows them; NOTICE_FOLDER behind the last */
	uint32_t *folder_hashes; /* UNIQUE_ID_MAIN_FOLDER for the first */
	size_t n_folders;

	struct backend_message *messages; /* the listing, with remembered sizes filled in */
	size_t n_messages;
	uint32_t *by_key;    /* indices in ascending order of (folder, uidvalidity, uid, key) */
	uint64_t *left_out;  /* bits: not to be shown (listed twice, hidden) */
	uint64_t *known;     /* bits: the registry has an entry */
	uint64_t *retrieved; /* bits: RETR was complete */
	uint64_t *numbers;   /* the registry's; NULL: unique-ids are computed */
	uint64_t *measured;  /* sizes to be remembered, else REGISTRY_NO_SIZE; NULL: none yet */
	struct vanished *vanished;
	struct notice *notice; /* NULL: none is shown */

	uint32_t *view; /* message number - 1 → index */
	size_t n_view;
	uint64_t octets; /* of all in the view */

	uint64_t *marks; /* bits by message number - 1 */
	size_t n_marks;
	uint64_t marked_octets;

	struct unique_id *unique_id; /* the last one asked for */
	bool updated;
};

/* The message of an index, the notice's too. */
static inline const struct backend_message *snapshot_message(
	const struct maildrop *drop, size_t index)
{
	return index == drop->n_messages ? &drop->notice->message : &drop->messages[index];
}

/* order.c */

/* Fills by_key; of messages listed twice all but one are left out. */
void snapshot_sort_by_key(struct maildrop *drop);
/* How an entry of the registry compares with message `index` in key order: <0, 0, >0. */
int snapshot_compare_entry(
	const struct maildrop *drop, const struct registry_entry *entry, uint32_t index);
/* Sorts indices into arrival order, oldest first; ties by folder and key. */
void snapshot_sort_by_arrival(const struct maildrop *drop, uint32_t *indices, size_t n);
/* Fills view and octets from what is not left out, by order and window of the settings; the notice
 * is the newest. ERR_TEMP when the sizes do not add up in 64 bits. */
struct err snapshot_make_view(struct maildrop *drop);

/* remember.c */

/* Joins the listing with what the registry knows: numbers, hidden messages, sizes; gives numbers to
 * Maildir messages that have none; sees to the notice where the quota asks for one. Writes only if
 * there is one of those, one that was missing and is back, or a notice is due. */
fiber_fn struct err snapshot_remember(struct maildrop *drop);

/* What QUIT did, to be remembered; indices. */
struct deletions {
	const size_t *gone, *hidden;
	size_t n_gone, n_hidden;
};
/* Forgets the gone, hides the hidden, stores measured sizes. Writes only if there is something. */
fiber_fn struct err snapshot_remember_update(
	struct maildrop *drop, const struct deletions *deletions);

/* maildrop.c */

/* The text of message `index`; ret is overwritten. */
void snapshot_unique_id(const struct maildrop *drop, uint32_t index, struct unique_id *ret);

#endif
