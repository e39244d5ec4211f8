/* order - the orders that messages are brought into: by name, by age, as the client sees them. */
#include <stdlib.h>
#include <string.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/snapshot.h"

int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

int compare_names(const struct registry_entry *a, const struct registry_entry *b)
{
	int order;

	if ((order = compare_numbers(a->folder, b->folder)))
		return order;
	if ((order = compare_numbers(a->uidvalidity, b->uidvalidity)))
		return order;
	if ((order = compare_numbers(a->uid, b->uid)))
		return order;
	return strcmp(a->key, b->key);
}

struct registry_entry name_of_message(
	const struct backend_message *message, const struct folders *folders)
{
	return (struct registry_entry){
		.folder = folders->to_registry[message->folder],
		.uidvalidity = message->uidvalidity,
		.uid = message->uid,
		.key = message->key ? message->key : "",
		.unique_id = "",
		.emailid = "",
	};
}

/* What indices are compared by. */
struct order {
	const struct backend_message *messages;
	const struct folders *folders;
};

static int compare_messages(const struct order *order, uint32_t i, uint32_t j)
{
	struct registry_entry a = name_of_message(&order->messages[i], order->folders);
	struct registry_entry b = name_of_message(&order->messages[j], order->folders);

	return compare_names(&a, &b);
}

/* Ties keep the listing's order, so that sorting twice gives the same. */
static int by_name(const void *a, const void *b, void *arg)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	int order = compare_messages(arg, i, j);

	return order ? order : compare_numbers(i, j);
}

static int by_folder_and_key(const struct backend_message *a, const struct backend_message *b)
{
	int order = compare_numbers(a->folder, b->folder);

	if (order || !(order = compare_numbers(a->uidvalidity, b->uidvalidity)))
		order = order ? order : compare_numbers(a->uid, b->uid);
	return order || !a->key || !b->key ? order : strcmp(a->key, b->key);
}

static int by_arrival(const void *a, const void *b, void *arg)
{
	const struct order *order = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct backend_message *m = &order->messages[i], *n = &order->messages[j];
	int ret;

	if (m->arrival != n->arrival)
		return m->arrival < n->arrival ? -1 : 1;
	ret = by_folder_and_key(m, n);
	return ret ? ret : compare_numbers(i, j);
}

/* Listings mostly come in the order wanted; finding that out costs one pass. */
static void sort_indices(struct order *order, uint32_t *indices, size_t n,
	int (*compare)(const void *, const void *, void *))
{
	for (size_t i = 1; i < n; i++) {
		if (compare(&indices[i - 1], &indices[i], order) <= 0)
			continue;
		qsort_r(indices, n, sizeof(*indices), compare, order);
		return;
	}
}

uint32_t *order_by_name(const struct backend_message *messages, size_t n,
	const struct folders *folders, uint64_t *surplus, struct arena *arena)
{
	uint32_t *indices = arena_alloc(arena, n * sizeof(*indices));
	struct order order = { messages, folders };

	for (size_t i = 0; i < n; i++)
		indices[i] = (uint32_t)i;
	sort_indices(&order, indices, n, by_name);
	for (size_t i = 0; i < n; i++) {
		if (folders->repeated[messages[indices[i]].folder] ||
			(i && compare_messages(&order, indices[i - 1], indices[i]) == 0))
			bit_set(surplus, indices[i]);
	}
	return indices;
}

void order_by_age(const struct backend_message *messages, uint32_t *indices, size_t n,
	const struct account *account)
{
	struct order order = { .messages = messages };

	if (account->tenant->store != STORE_IMAP || account->tenant->maildrop.also.n)
		sort_indices(&order, indices, n, by_arrival);
}

/* An unknown age is no reason to keep mail from its owner. */
bool view_too_old(const struct maildrop_settings *settings, const struct backend_message *message,
	int64_t now)
{
	uint64_t limit = settings->newer_than / 1000;

	if (!settings->newer_than || !message->arrival || message->arrival >= now)
		return false;
	return (uint64_t)now - (uint64_t)message->arrival > limit;
}

static void reverse(uint32_t *indices, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t swap = indices[i];

		indices[i] = indices[n - 1 - i];
		indices[n - 1 - i] = swap;
	}
}

/* Listings of one IMAP folder ascend by UID. */
static size_t oldest_first(const struct snapshot *snapshot, const struct account *account,
	int64_t now, uint32_t *indices)
{
	const struct maildrop_settings *settings = &account->tenant->maildrop;
	size_t n = 0;

	for (size_t i = 0; i < snapshot->n; i++)
		if (!bit_get(snapshot->hidden, i) && !bit_get(snapshot->surplus, i) &&
			!(now && view_too_old(settings, &snapshot->messages[i], now)))
			indices[n++] = (uint32_t)i;
	order_by_age(snapshot->messages, indices, n, account);
	return n;
}

struct err view_make(const struct snapshot *snapshot, const struct account *account, int64_t now,
	struct arena *arena, struct view *ret)
{
	const struct maildrop_settings *settings = &account->tenant->maildrop;
	uint32_t *indices = arena_alloc(arena, snapshot->n * sizeof(*indices));
	size_t n = oldest_first(snapshot, account, now, indices);
	uint64_t max = settings->max_messages, octets = 0;

	if (max && n > max) {
		indices += n - max;
		n = (size_t)max;
	}
	if (settings->order == ORDER_NEWEST_FIRST)
		reverse(indices, n);
	for (size_t i = 0; i < n; i++)
		if (__builtin_add_overflow(
			    octets, snapshot_size(snapshot, settings, indices[i]), &octets))
			return err_make(ERR_TEMP,
				"the sizes that the store gives add up to more than 2^64 octets");
	*ret = (struct view){ indices, n, octets };
	return ok();
}
