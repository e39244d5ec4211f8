/* maildrop - takes the snapshot, answers from it, keeps the marks. UPDATE is in update.c. */
#include "proxy/maildrop/maildrop.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/cache.h"
#include "proxy/maildrop/drop.h"

/* Nobody remembers anything: all that is shown is computed. */
fiber_fn static struct err take_listing(struct maildrop *drop)
{
	const struct backend_list_request request = { 0 };
	struct backend_listing listing = { 0 };
	struct err e;

	e = drop->backend->ops->list(drop->backend, drop->arena, &request, &listing);
	if (failed(e))
		return e;
	if (listing.n >= UINT32_MAX)
		return err_make(ERR_LIMIT, "2^32 messages or more");
	drop->quota = listing.quota;
	return snapshot_of_listing(drop->account, drop->folders, &listing, &drop->snapshot);
}

/* The view of the snapshot is good for all, unless time has gone on over one of its messages. */
static struct err take_view(struct maildrop *drop)
{
	const struct snapshot *snapshot = drop->snapshot;

	drop->view = snapshot->view;
	for (size_t i = 0; drop->settings->newer_than && i < snapshot->n; i++)
		if (view_too_old(drop->settings, &snapshot->messages[i], drop->opened))
			return view_make(
				snapshot, drop->account, drop->opened, drop->arena, &drop->view);
	return ok();
}

fiber_fn static struct err open_drop(struct maildrop *drop, struct maildrop_opening *opening)
{
	struct err e = folders_make(drop->account, drop->arena, &drop->folders);

	if (!failed(e))
		e = drop->registry ? drop_remember(drop, opening) : take_listing(drop);
	if (!failed(e))
		e = take_view(drop);
	if (!failed(e) && drop->notice &&
		drop->notice->message.size > UINT64_MAX - drop->view.octets)
		e = err_make(
			ERR_TEMP, "the sizes that the store gives add up to more than 2^64 octets");
	return e;
}

fiber_fn struct err maildrop_open(const struct account *account, struct backend *backend,
	struct registry *registry, struct arena *arena, struct maildrop_opening *opening,
	struct maildrop **ret)
{
	struct maildrop *drop = arena_zalloc(arena, 1, sizeof(*drop));
	struct err e;

	drop->account = account;
	drop->settings = &account->tenant->maildrop;
	drop->backend = backend;
	drop->registry = registry;
	drop->arena = arena;
	drop->opened = time(NULL);
	*opening = (struct maildrop_opening){ .note = ok() };
	e = open_drop(drop, opening);
	if (failed(e)) {
		maildrop_close(drop);
		return e;
	}
	drop->unique_id = arena_alloc(arena, sizeof(*drop->unique_id));
	drop->retrieved = bits_new(arena, drop->snapshot->n);
	drop->is_measured = bits_new(arena, drop->snapshot->n);
	drop->marks = bits_new(arena, maildrop_count(drop));
	*ret = drop;
	return ok();
}

void maildrop_close(struct maildrop *drop)
{
	if (!drop)
		return;
	snapshot_unref(steal(drop->snapshot));
	snapshot_unref(steal(drop->base));
}

/* The notice is the newest message. */
size_t drop_index(const struct maildrop *drop, size_t number)
{
	bool newest_first = drop->settings->order == ORDER_NEWEST_FIRST;

	assert(number >= 1 && number <= maildrop_count(drop));
	if (drop->notice && number == (newest_first ? 1 : drop->view.n + 1))
		return drop_notice_index(drop);
	return drop->view.indices[number - (drop->notice && newest_first ? 2 : 1)];
}

const struct backend_quota *maildrop_quota(const struct maildrop *drop)
{
	return &drop->quota;
}

bool maildrop_quota_warns(const struct maildrop *drop)
{
	return drop->settings->quota_warning > 0 && quota_known(&drop->quota) &&
	       quota_percent(&drop->quota) >= drop->settings->quota_warning;
}

size_t maildrop_count(const struct maildrop *drop)
{
	return drop->view.n + (drop->notice != NULL);
}

size_t maildrop_visible(const struct maildrop *drop)
{
	return maildrop_count(drop) - drop->n_marks;
}

uint64_t maildrop_visible_octets(const struct maildrop *drop)
{
	uint64_t all = drop->view.octets + (drop->notice ? drop->notice->message.size : 0);

	return all - drop->marked_octets;
}

bool maildrop_marked(const struct maildrop *drop, size_t number)
{
	(void)drop_index(drop, number);
	return bit_get(drop->marks, number - 1);
}

uint64_t maildrop_size(const struct maildrop *drop, size_t number)
{
	size_t index = drop_index(drop, number);

	return index == drop_notice_index(drop)
		       ? drop->notice->message.size
		       : snapshot_size(drop->snapshot, drop->settings, index);
}

void drop_unique_id(const struct maildrop *drop, size_t index, struct unique_id *ret)
{
	if (index == drop_notice_index(drop))
		entry_unique_id(&drop->notice->entry, drop->folders, ret);
	else
		snapshot_unique_id(drop->snapshot, drop->folders, index, ret);
}

const char *maildrop_unique_id(const struct maildrop *drop, size_t number)
{
	drop_unique_id(drop, drop_index(drop, number), drop->unique_id);
	return drop->unique_id->text;
}

bool maildrop_shares_lines(const struct maildrop *drop)
{
	return drop->n_marks == 0 && !drop->notice && drop->registry &&
	       drop->view.indices == drop->snapshot->view.indices &&
	       cache_get(drop->account) == drop->snapshot;
}

const struct buffer *maildrop_kept_lines(const struct maildrop *drop, enum maildrop_lines which)
{
	const struct buffer *kept = &drop->snapshot->lines[which];

	return kept->data ? kept : NULL;
}

void maildrop_keep_lines(struct maildrop *drop, enum maildrop_lines which, struct buffer *lines)
{
	struct buffer *kept = &drop->snapshot->lines[which];

	if (kept->data) {
		buffer_done(lines);
		return;
	}
	*kept = *lines;
	*lines = (struct buffer){ 0 };
	drop->snapshot->size += kept->size;
	cache_weigh(drop->account);
}

void maildrop_mark(struct maildrop *drop, size_t number)
{
	if (maildrop_marked(drop, number))
		return;
	bit_set(drop->marks, number - 1);
	drop->n_marks++;
	drop->marked_octets += maildrop_size(drop, number);
}

void maildrop_unmark_all(struct maildrop *drop)
{
	bits_clear_all(drop->marks, maildrop_count(drop));
	drop->n_marks = 0;
	drop->marked_octets = 0;
}

size_t maildrop_marks(const struct maildrop *drop)
{
	return drop->n_marks;
}

fiber_fn struct err maildrop_fetch(struct maildrop *drop, size_t number, enum fetch_part part,
	uint64_t lines, struct sink *out)
{
	size_t index = drop_index(drop, number);
	struct err e;

	assert(!maildrop_marked(drop, number));
	/* Of TOP's lines the sink takes what it wants. */
	if (index == drop_notice_index(drop))
		return out->write(out, drop->notice->text, strlen(drop->notice->text));
	e = drop->backend->ops->fetch(drop->backend, drop_message(drop, index), part, lines, out);
	/* A sink that wanted no more has not taken the message. */
	if (!failed(e) && part == FETCH_ALL && !out->full) {
		bit_set(drop->retrieved, index);
		drop->any_retrieved = true;
	}
	return e;
}

/* The place of index's measurement; a new one where there is none. */
static struct measured *place_of(struct maildrop *drop, size_t index)
{
	struct measured *grown;

	for (size_t i = 0; bit_get(drop->is_measured, index) && i < drop->n_measured; i++)
		if (drop->measured[i].index == index)
			return &drop->measured[i];
	bit_set(drop->is_measured, index);
	if (drop->n_measured == drop->room_measured) {
		drop->room_measured = 2 * drop->room_measured + 8;
		grown = arena_alloc(drop->arena, drop->room_measured * sizeof(*grown));
		if (drop->n_measured)
			memcpy(grown, drop->measured, drop->n_measured * sizeof(*grown));
		drop->measured = grown;
	}
	return &drop->measured[drop->n_measured++];
}

void maildrop_measured(struct maildrop *drop, size_t number, uint64_t octets)
{
	size_t index = drop_index(drop, number);

	/* Without exact sizes LIST goes on to say what the store says. */
	if (index == drop_notice_index(drop) || octets == maildrop_size(drop, number) ||
		octets > REGISTRY_SIZE_MAX || !drop->settings->exact_rfc822_size || !drop->registry)
		return;
	*place_of(drop, index) = (struct measured){ (uint32_t)index, octets };
}
