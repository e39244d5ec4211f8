/* order - the orders a listing is brought into: by key, by arrival, as the client sees it. */
#include <stdlib.h>
#include <string.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/snapshot.h"

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_keys(const struct backend_message *a, const struct backend_message *b)
{
	int order;

	if ((order = compare_numbers(a->folder, b->folder)))
		return order;
	if ((order = compare_numbers(a->uidvalidity, b->uidvalidity)))
		return order;
	if ((order = compare_numbers(a->uid, b->uid)))
		return order;
	return a->key && b->key ? strcmp(a->key, b->key) : 0;
}

int snapshot_compare_entry(
	const struct maildrop *drop, const struct registry_entry *entry, uint32_t index)
{
	struct backend_message key = {
		.folder = (uint16_t)entry->folder,
		.uidvalidity = entry->uidvalidity,
		.uid = entry->uid,
		.key = entry->key,
	};

	return compare_keys(&key, &drop->messages[index]);
}

/* Ties keep the listing's order, so that sorting twice gives the same. */
static int order_by_key(const void *a, const void *b, void *arg)
{
	const struct backend_message *messages = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	int order = compare_keys(&messages[i], &messages[j]);

	return order ? order : compare_numbers(i, j);
}

static int order_by_arrival(const void *a, const void *b, void *arg)
{
	const struct backend_message *messages = arg;
	const struct backend_message *m = &messages[*(const uint32_t *)a];
	const struct backend_message *n = &messages[*(const uint32_t *)b];

	if (m->arrival != n->arrival)
		return m->arrival < n->arrival ? -1 : 1;
	return order_by_key(a, b, arg);
}

/* Listings mostly come in the order wanted; finding that out costs one pass. */
static void sort_indices(struct backend_message *messages, uint32_t *indices, size_t n,
	int (*compare)(const void *, const void *, void *))
{
	for (size_t i = 1; i < n; i++) {
		if (compare(&indices[i - 1], &indices[i], messages) <= 0)
			continue;
		qsort_r(indices, n, sizeof(*indices), compare, messages);
		return;
	}
}

void snapshot_sort_by_key(struct maildrop *drop)
{
	uint32_t *by_key = arena_alloc(drop->arena, drop->n_messages * sizeof(*by_key));

	for (size_t i = 0; i < drop->n_messages; i++)
		by_key[i] = (uint32_t)i;
	sort_indices(drop->messages, by_key, drop->n_messages, order_by_key);
	for (size_t i = 1; i < drop->n_messages; i++)
		if (!compare_keys(&drop->messages[by_key[i - 1]], &drop->messages[by_key[i]]))
			bit_set(drop->left_out, by_key[i]);
	drop->by_key = by_key;
}

void snapshot_sort_by_arrival(const struct maildrop *drop, uint32_t *indices, size_t n)
{
	sort_indices(drop->messages, indices, n, order_by_arrival);
}

/* An unknown age is no reason to keep mail from its owner. */
static bool too_old(const struct maildrop *drop, const struct backend_message *message)
{
	uint64_t limit = drop->settings->newer_than / 1000;

	if (!drop->settings->newer_than || !message->arrival || message->arrival >= drop->opened)
		return false;
	return (uint64_t)drop->opened - (uint64_t)message->arrival > limit;
}

static void reverse(uint32_t *indices, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t swap = indices[i];

		indices[i] = indices[n - 1 - i];
		indices[n - 1 - i] = swap;
	}
}

/* One IMAP folder goes by UID, which is the order of arrival in it whatever INTERNALDATE says. */
static size_t oldest_first(const struct maildrop *drop, uint32_t *view)
{
	size_t n = 0;

	for (size_t i = 0; i < drop->n_messages; i++) {
		uint32_t index = drop->by_key[i];

		if (!bit_get(drop->left_out, index) && !too_old(drop, &drop->messages[index]))
			view[n++] = index;
	}
	if (drop->n_folders > 1 || drop->account->tenant->store != STORE_IMAP)
		snapshot_sort_by_arrival(drop, view, n);
	return n;
}

struct err snapshot_make_view(struct maildrop *drop)
{
	uint32_t *view = arena_alloc(drop->arena, (drop->n_messages + 1) * sizeof(*view));
	size_t n = oldest_first(drop, view);
	uint64_t max = drop->settings->max_messages;

	if (max && n > max) {
		view += n - max;
		n = (size_t)max;
	}
	if (drop->notice)
		view[n++] = (uint32_t)drop->n_messages;
	if (drop->settings->order == ORDER_NEWEST_FIRST)
		reverse(view, n);
	for (size_t i = 0; i < n; i++)
		if (__builtin_add_overflow(
			    drop->octets, snapshot_message(drop, view[i])->size, &drop->octets))
			return err_make(ERR_TEMP,
				"the sizes that the store gives add up to more than 2^64 octets");
	drop->view = view;
	drop->n_view = n;
	return ok();
}
