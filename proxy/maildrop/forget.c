/*
 * forget - what QUIT did, written to the registry.
 *
 * The change is made from the snapshot. Where the registry has gone on since, it is made once more
 * from what that has now: each message is found there by its name, or, when it got another one
 * meanwhile, by its unique-id.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/cache.h"
#include "proxy/maildrop/drop.h"

struct forgetting {
	struct maildrop *drop;
	const struct deletions *deletions;
	struct registry_maildrop name;
	struct arena *scratch;
	struct registry_record *record; /* NULL: that of the snapshot */
	struct registry_entry *drops, *keeps;
	size_t n_drops, n_keeps;
};

static struct registry_entry entry_at(const struct forgetting *f, size_t index)
{
	const struct maildrop *drop = f->drop;

	return index == drop_notice_index(drop)
		       ? drop->notice->entry
		       : snapshot_entry(drop->snapshot, drop->folders, index);
}

static int by_name(const void *a, const void *b)
{
	return compare_names(a, b);
}

static const struct registry_entry *find_by_id(
	const struct forgetting *f, const struct registry_entry *entry)
{
	struct unique_id id;

	entry_unique_id(entry, f->drop->folders, &id);
	for (size_t i = 0; i < f->record->n_entries; i++)
		if (strcmp(f->record->entries[i].unique_id, id.text) == 0)
			return &f->record->entries[i];
	return NULL;
}

/* As it is to be changed. False: the registry has forgotten it. */
static bool find(const struct forgetting *f, size_t index, struct registry_entry *ret)
{
	const struct registry_entry *found;

	*ret = entry_at(f, index);
	if (!f->record)
		return true;
	found = bsearch(ret, f->record->entries, f->record->n_entries, sizeof(*ret), by_name);
	if (!found)
		found = find_by_id(f, ret);
	if (found)
		*ret = *found;
	return found != NULL;
}

static int by_index(const void *a, const void *b)
{
	const struct measured *m = a, *n = b;

	return compare_numbers(m->index, n->index);
}

static uint64_t measured_at(const struct forgetting *f, size_t index, uint64_t otherwise)
{
	const struct maildrop *drop = f->drop;
	struct measured key = { .index = (uint32_t)index };
	const struct measured *found = NULL;

	if (drop->n_measured)
		found = bsearch(&key, drop->measured, drop->n_measured, sizeof(key), by_index);
	return found ? found->octets : otherwise;
}

/* A notice that the next one has replaced needs no hiding; a message does, also one that the
 * registry has forgotten. */
static void plan_hidden(struct forgetting *f, size_t index)
{
	struct registry_entry entry;

	if (!find(f, index, &entry) && index == drop_notice_index(f->drop))
		return;
	entry.hidden = true;
	entry.measured = measured_at(f, index, entry.measured);
	f->keeps[f->n_keeps++] = entry;
}

static void plan(struct forgetting *f)
{
	const struct deletions *deletions = f->deletions;
	const struct maildrop *drop = f->drop;
	uint64_t *settled = bits_new(f->scratch, drop->snapshot->n + 1);
	struct registry_entry entry;

	f->n_drops = f->n_keeps = 0;
	f->drops = arena_alloc(f->scratch, deletions->n_gone * sizeof(*f->drops));
	f->keeps = arena_alloc(
		f->scratch, (deletions->n_hidden + drop->n_measured) * sizeof(*f->keeps));
	for (size_t i = 0; i < deletions->n_gone; i++) {
		bit_set(settled, deletions->gone[i]);
		if (find(f, deletions->gone[i], &entry))
			f->drops[f->n_drops++] = entry;
	}
	for (size_t i = 0; i < deletions->n_hidden; i++) {
		bit_set(settled, deletions->hidden[i]);
		plan_hidden(f, deletions->hidden[i]);
	}
	for (size_t i = 0; i < drop->n_measured; i++) {
		size_t index = drop->measured[i].index;

		if (bit_get(settled, index) || !find(f, index, &entry))
			continue;
		entry.measured = drop->measured[i].octets;
		f->keeps[f->n_keeps++] = entry;
	}
}

static struct registry_change change_of(const struct forgetting *f)
{
	const struct snapshot *snapshot = f->drop->snapshot;

	return (struct registry_change){
		.revision = f->record ? f->record->revision : snapshot->revision,
		.next = f->record ? f->record->next : snapshot->next,
		.flags = f->record ? f->record->flags : snapshot->flags,
		.seen = f->record ? f->record->seen : snapshot->seen,
		.marks = arena_zalloc(f->scratch, f->drop->folders->n, sizeof(char *)),
		.drop = f->drops,
		.n_drop = f->n_drops,
		.keep = f->keeps,
		.n_keep = f->n_keeps,
	};
}

static size_t without_drops(const struct forgetting *f, struct registry_entry *entries, size_t n)
{
	size_t kept = 0;

	qsort(f->drops, f->n_drops, sizeof(*f->drops), by_name);
	for (size_t i = 0; i < n; i++)
		if (!bsearch(&entries[i], f->drops, f->n_drops, sizeof(*f->drops), by_name))
			entries[kept++] = entries[i];
	return kept;
}

/* The next login of this maildrop need not read what is known anyhow. */
static void renew_cache(struct forgetting *f, uint64_t revision)
{
	struct maildrop *drop = f->drop;
	struct registry_record record;
	struct snapshot *renewed;

	cache_drop(drop->account);
	if (f->record || !drop->snapshot->complete)
		return;
	record = snapshot_record(drop->snapshot, drop->folders, f->scratch);
	record.revision = revision;
	record.n_entries = without_drops(f, record.entries, record.n_entries);
	for (size_t i = 0; i < f->n_keeps; i++) {
		struct registry_entry *entry = bsearch(&f->keeps[i], record.entries,
			record.n_entries, sizeof(*record.entries), by_name);

		if (!entry)
			return;
		*entry = f->keeps[i];
	}
	if (failed(snapshot_of_record(drop->account, drop->folders, &record, &renewed)))
		return;
	cache_put(drop->account, renewed);
	snapshot_unref(renewed);
}

/* ok and *again: somebody else has written. */
fiber_fn static struct err write_plan(struct forgetting *f, bool *again)
{
	struct registry_change change = change_of(f);
	uint64_t revision;
	struct err e = registry_change(f->drop->registry, &f->name, &change, &revision);

	*again = !failed(e) && revision == 0;
	if (!failed(e) && revision)
		renew_cache(f, revision);
	return e;
}

fiber_fn static struct err load(struct forgetting *f)
{
	f->record = arena_alloc(f->scratch, sizeof(*f->record));
	return registry_load(f->drop->registry, &f->name, f->scratch, f->record);
}

fiber_fn struct err drop_forget(struct maildrop *drop, const struct deletions *deletions)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	struct forgetting f = {
		.drop = drop,
		.deletions = deletions,
		.name = folders_maildrop(drop->folders, drop->account),
		.scratch = scratch,
	};
	bool again;
	struct err e;

	if (drop->n_measured)
		qsort(drop->measured, drop->n_measured, sizeof(*drop->measured), by_index);
	for (unsigned losses = 0;;) {
		if (losses && failed(e = load(&f)))
			return e;
		plan(&f);
		if (f.n_drops == 0 && f.n_keeps == 0)
			return ok();
		e = write_plan(&f, &again);
		if (failed(e) || !again)
			return e;
		if (failed(e = registry_step_back(++losses)))
			return e;
	}
}
