/* snapshot - makes them of records and listings, and answers from them. */
#include "proxy/maildrop/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/id_set.h"
#include "proxy/maildrop/template_id.h"

struct snapshot *snapshot_new(size_t n_folders)
{
	struct arena *arena = arena_new();
	struct snapshot *snapshot = arena_zalloc(arena, 1, sizeof(*snapshot));

	snapshot->arena = arena;
	snapshot->references = 1;
	snapshot->n_folders = n_folders;
	snapshot->folders = arena_zalloc(arena, n_folders, sizeof(*snapshot->folders));
	for (size_t i = 0; i < n_folders; i++)
		snapshot->folders[i].mark = "";
	return snapshot;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
	snapshot->references++;
	return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
	if (!snapshot || --snapshot->references > 0)
		return;
	for (size_t i = 0; i < MAILDROP_LINES; i++)
		buffer_done(&snapshot->lines[i]);
	arena_free(snapshot->arena);
}

struct text_pool text_pool_new(struct arena *arena, size_t octets)
{
	struct text_pool pool = { .at = arena_alloc(arena, octets) };

	pool.end = pool.at + octets;
	return pool;
}

const char *text_pool_add(struct text_pool *pool, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = pool->at;

	assert(size <= (size_t)(pool->end - pool->at));
	memcpy(copy, text, size);
	pool->at += size;
	return copy;
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

void snapshot_take_messages(
	struct snapshot *snapshot, const struct backend_message *messages, size_t n)
{
	struct arena *arena = snapshot->arena;
	struct text_pool pool;
	size_t octets = 0;

	for (size_t i = 0; i < n; i++)
		octets += text_size(messages[i].key) + text_size(messages[i].emailid);
	pool = text_pool_new(arena, octets);
	snapshot->size += octets + n * (sizeof(*messages) + sizeof(*snapshot->view.indices));
	snapshot->n = n;
	snapshot->messages = arena_alloc(arena, n * sizeof(*messages));
	snapshot->hidden = bits_new(arena, n);
	snapshot->surplus = bits_new(arena, n);
	for (size_t i = 0; i < n; i++) {
		struct backend_message *message = &snapshot->messages[i];

		*message = messages[i];
		message->key = message->key ? text_pool_add(&pool, message->key) : NULL;
		message->emailid = message->emailid ? text_pool_add(&pool, message->emailid) : NULL;
	}
}

static void place_folders(struct snapshot *snapshot)
{
	size_t at = 0;

	for (size_t i = 0; i < snapshot->n_folders; i++) {
		snapshot->folders[i].first = at;
		while (at < snapshot->n && snapshot->messages[at].folder == i)
			at++;
		snapshot->folders[i].n = at - snapshot->folders[i].first;
	}
	assert(at == snapshot->n);
}

struct err snapshot_finish(struct snapshot *snapshot, const struct account *account)
{
	place_folders(snapshot);
	return view_make(snapshot, account, 0, snapshot->arena, &snapshot->view);
}

uint64_t snapshot_size(
	const struct snapshot *snapshot, const struct maildrop_settings *settings, size_t index)
{
	/* Without exact sizes LIST says what the store says. */
	if (snapshot->measured && snapshot->measured[index] != REGISTRY_NO_SIZE &&
		settings->exact_rfc822_size)
		return snapshot->measured[index];
	return snapshot->messages[index].size;
}

struct registry_entry snapshot_entry(
	const struct snapshot *snapshot, const struct folders *folders, size_t index)
{
	const struct backend_message *message = &snapshot->messages[index];
	struct registry_entry entry = name_of_message(message, folders);

	if (snapshot->ids && snapshot->ids[index])
		entry.unique_id = snapshot->ids[index];
	if (message->emailid)
		entry.emailid = message->emailid;
	entry.fingerprint = message->fingerprint;
	entry.size = message->size <= REGISTRY_SIZE_MAX ? message->size : REGISTRY_NO_SIZE;
	entry.measured = snapshot->measured ? snapshot->measured[index] : REGISTRY_NO_SIZE;
	entry.arrival = message->arrival;
	entry.exact = message->exact;
	entry.hidden = bit_get(snapshot->hidden, index);
	return entry;
}

void entry_unique_id(
	const struct registry_entry *entry, const struct folders *folders, struct unique_id *ret)
{
	if (*entry->unique_id) {
		assert(strlen(entry->unique_id) < sizeof(ret->text));
		(void)snprintf(ret->text, sizeof(ret->text), "%s", entry->unique_id);
	} else if (*entry->key) {
		/* Nobody remembers Maildir names by themselves. */
		unique_id_name(
			ret, entry->folder ? folders->names[entry->folder] : NULL, entry->key);
	} else {
		unique_id_imap(ret, folders->hashes[entry->folder], entry->uidvalidity, entry->uid);
	}
}

void snapshot_unique_id(const struct snapshot *snapshot, const struct folders *folders,
	size_t index, struct unique_id *ret)
{
	struct registry_entry entry = name_of_message(&snapshot->messages[index], folders);

	if (snapshot->ids && snapshot->ids[index])
		entry.unique_id = snapshot->ids[index];
	entry_unique_id(&entry, folders, ret);
}

/* Of the record's entries those that the last listing showed. */
static bool is_present(const struct registry_entry *entry, const struct folders *folders)
{
	return !entry->missing && entry->folder < folders->n_mail && !entry_adopted(entry);
}

/* The order of a backend's listing. */
struct listing_order {
	const struct registry_entry *entries;
	const struct folders *folders;
};

static int by_listing(const void *a, const void *b, void *arg)
{
	const struct listing_order *order = arg;
	const struct registry_entry *m = &order->entries[*(const uint32_t *)a];
	const struct registry_entry *n = &order->entries[*(const uint32_t *)b];

	if (m->folder != n->folder)
		return order->folders->to_store[m->folder] < order->folders->to_store[n->folder]
			       ? -1
			       : 1;
	if (*m->key && *n->key && m->arrival != n->arrival)
		return m->arrival < n->arrival ? -1 : 1;
	return compare_names(m, n);
}

static struct backend_message message_of(
	const struct registry_entry *entry, const struct folders *folders)
{
	return (struct backend_message){
		.size = entry->size,
		.arrival = entry->arrival,
		.key = *entry->key ? entry->key : NULL,
		.emailid = *entry->emailid ? entry->emailid : NULL,
		.fingerprint = entry->fingerprint,
		.uidvalidity = entry->uidvalidity,
		.uid = entry->uid,
		.folder = folders->to_store[entry->folder],
		.exact = entry->exact,
	};
}

/* A record split into what was listed and the rest; indices into its entries. */
struct split {
	uint32_t *present, *apart;
	size_t n_present, n_apart;
};

static struct split split_record(
	const struct registry_record *record, const struct folders *folders, struct arena *scratch)
{
	struct listing_order order = { record->entries, folders };
	struct split split = {
		.present = arena_alloc(scratch, record->n_entries * sizeof(*split.present)),
		.apart = arena_alloc(scratch, record->n_entries * sizeof(*split.apart)),
	};

	for (size_t i = 0; i < record->n_entries; i++) {
		if (is_present(&record->entries[i], folders))
			split.present[split.n_present++] = (uint32_t)i;
		else
			split.apart[split.n_apart++] = (uint32_t)i;
	}
	qsort_r(split.present, split.n_present, sizeof(*split.present), by_listing, &order);
	return split;
}

static void set_measured(struct snapshot *snapshot, size_t index, uint64_t octets)
{
	if (octets == REGISTRY_NO_SIZE)
		return;
	if (!snapshot->measured) {
		snapshot->measured =
			arena_alloc(snapshot->arena, snapshot->n * sizeof(*snapshot->measured));
		memset(snapshot->measured, 0xff, snapshot->n * sizeof(*snapshot->measured));
		snapshot->size += snapshot->n * sizeof(*snapshot->measured);
	}
	snapshot->measured[index] = octets;
}

static size_t ids_size(const struct registry_entry *entries, size_t n)
{
	size_t octets = 0;

	for (size_t i = 0; i < n; i++)
		octets += *entries[i].unique_id ? strlen(entries[i].unique_id) + 1 : 0;
	return octets;
}

void snapshot_describe(struct snapshot *snapshot, const struct registry_entry *entries)
{
	size_t octets = ids_size(entries, snapshot->n);
	struct text_pool pool = text_pool_new(snapshot->arena, octets);

	if (octets) {
		snapshot->ids = arena_zalloc(snapshot->arena, snapshot->n, sizeof(*snapshot->ids));
		snapshot->size += octets + snapshot->n * sizeof(*snapshot->ids);
	}
	for (size_t i = 0; i < snapshot->n; i++) {
		if (*entries[i].unique_id)
			snapshot->ids[i] = text_pool_add(&pool, entries[i].unique_id);
		if (entries[i].hidden)
			bit_set(snapshot->hidden, i);
		set_measured(snapshot, i, entries[i].measured);
	}
}

void snapshot_set_apart(struct snapshot *snapshot, const struct registry_entry *entries, size_t n)
{
	struct arena *arena = snapshot->arena;

	snapshot->apart = arena_alloc(arena, n * sizeof(*snapshot->apart));
	snapshot->n_apart = n;
	for (size_t i = 0; i < n; i++) {
		struct registry_entry *entry = &snapshot->apart[i];

		*entry = entries[i];
		entry->key = arena_strdup(arena, entry->key);
		entry->unique_id = arena_strdup(arena, entry->unique_id);
		entry->emailid = arena_strdup(arena, entry->emailid);
		snapshot->size += sizeof(*entry) + strlen(entry->key) + strlen(entry->unique_id) +
				  strlen(entry->emailid);
	}
}

/* Fills the snapshot from a record that was split. */
static void take_split(struct snapshot *snapshot, const struct folders *folders,
	const struct registry_record *record, const struct split *split)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	size_t n = split->n_present;
	struct backend_message *messages = arena_alloc(scratch, n * sizeof(*messages));
	struct registry_entry *entries =
		arena_alloc(scratch, (n + split->n_apart) * sizeof(*entries));

	for (size_t i = 0; i < n; i++) {
		entries[i] = record->entries[split->present[i]];
		messages[i] = message_of(&entries[i], folders);
	}
	snapshot_take_messages(snapshot, messages, n);
	snapshot_describe(snapshot, entries);
	for (size_t i = 0; i < split->n_apart; i++)
		entries[i] = record->entries[split->apart[i]];
	snapshot_set_apart(snapshot, entries, split->n_apart);
}

struct err snapshot_of_record(const struct account *account, const struct folders *folders,
	const struct registry_record *record, struct snapshot **ret)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	cleanup(snapshot_cleanup) struct snapshot *snapshot = snapshot_new(folders->n_store);
	struct split split = split_record(record, folders, scratch);
	struct err e;

	snapshot->revision = record->revision;
	snapshot->next = record->next;
	snapshot->flags = record->flags;
	snapshot->seen = record->seen;
	snapshot->complete = true;
	for (size_t i = 0; i < folders->n_mail; i++)
		snapshot->folders[folders->to_store[i]].mark =
			arena_strdup(snapshot->arena, record->folders[i].mark);
	take_split(snapshot, folders, record, &split);
	if (failed(e = snapshot_finish(snapshot, account)))
		return e;
	*ret = steal(snapshot);
	return ok();
}

static void add_messages(const struct snapshot *snapshot, const struct folders *folders,
	struct registry_record *record, struct arena *scratch)
{
	/* Known already; only the order is asked for. */
	uint64_t *surplus = bits_new(scratch, snapshot->n);
	uint32_t *by_name =
		order_by_name(snapshot->messages, snapshot->n, folders, surplus, scratch);

	for (size_t i = 0; i < snapshot->n; i++)
		if (!bit_get(surplus, by_name[i]))
			record->entries[record->n_entries++] =
				snapshot_entry(snapshot, folders, by_name[i]);
}

static int by_entry_name(const void *a, const void *b)
{
	return compare_names(a, b);
}

/* Merges the apart ones in from the end, where there is room. */
static void merge_apart(
	const struct snapshot *snapshot, struct registry_record *record, struct arena *scratch)
{
	struct registry_entry *apart = arena_alloc(scratch, snapshot->n_apart * sizeof(*apart));
	size_t left = record->n_entries, n = snapshot->n_apart;

	if (n == 0)
		return;
	memcpy(apart, snapshot->apart, n * sizeof(*apart));
	qsort(apart, n, sizeof(*apart), by_entry_name);
	record->n_entries += n;
	for (size_t at = record->n_entries; n > 0; at--) {
		if (left && compare_names(&record->entries[left - 1], &apart[n - 1]) > 0)
			record->entries[at - 1] = record->entries[--left];
		else
			record->entries[at - 1] = apart[--n];
	}
}

struct registry_record snapshot_record(
	const struct snapshot *snapshot, const struct folders *folders, struct arena *scratch)
{
	struct registry_record record = {
		.revision = snapshot->revision,
		.next = snapshot->next,
		.flags = snapshot->flags,
		.seen = snapshot->seen,
		.folders = arena_zalloc(scratch, folders->n, sizeof(*record.folders)),
		.n_folders = folders->n,
		.entries = arena_alloc(
			scratch, (snapshot->n + snapshot->n_apart) * sizeof(*record.entries)),
	};

	for (size_t i = 0; i < folders->n; i++)
		record.folders[i] = (struct registry_folder){
			.name = folders->names[i],
			.mark = i < folders->n_mail ? snapshot->folders[folders->to_store[i]].mark
						    : "",
		};
	add_messages(snapshot, folders, &record, scratch);
	merge_apart(snapshot, &record, scratch);
	return record;
}

/* By template, where it can be filled and the text is no other's. */
static void compute_ids(
	struct snapshot *snapshot, const struct account *account, struct arena *scratch)
{
	const char *format = template_of(account->tenant);
	struct id_set taken = id_set_new(scratch, format ? snapshot->n : 0);

	if (!format)
		return;
	snapshot->ids = arena_zalloc(snapshot->arena, snapshot->n, sizeof(*snapshot->ids));
	for (size_t i = 0; i < snapshot->n; i++) {
		struct unique_id id;
		const char *text;

		if (!template_id(&id, format, &snapshot->messages[i], NULL))
			continue;
		text = arena_strdup(snapshot->arena, id.text);
		if (!bit_get(snapshot->surplus, i) && id_set_add(&taken, text))
			snapshot->ids[i] = text;
	}
}

struct err snapshot_of_listing(const struct account *account, const struct folders *folders,
	const struct backend_listing *listing, struct snapshot **ret)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	cleanup(snapshot_cleanup) struct snapshot *snapshot = snapshot_new(folders->n_store);
	struct err e;

	snapshot_take_messages(snapshot, listing->messages, listing->n);
	(void)order_by_name(snapshot->messages, snapshot->n, folders, snapshot->surplus, scratch);
	compute_ids(snapshot, account, scratch);
	if (failed(e = snapshot_finish(snapshot, account)))
		return e;
	*ret = steal(snapshot);
	return ok();
}
