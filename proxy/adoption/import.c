/* import - the way in; see transfer.h. */
#include <stdio.h>
#include <string.h>

#include "proxy/adoption/transfer.h"
#include "proxy/maildrop/unique_id.h"

/* A login at the same moment may write first; it does so once. */
#define ROUNDS 10

#define FOLDERS_MAX 1000

/* A record in the making, over the folders of the one that is there. */
struct importing {
	struct import *import;
	const struct id_block *block;
	struct arena *arena;
	struct registry_record before;
	const char **folders;
	size_t n_folders;
	struct registry_entry *entries;
	size_t n;
	uint64_t next;
};

static struct err refuse(struct importing *importing, unsigned line, const char *what)
{
	struct import *import = importing->import;

	import->outcome = IMPORT_REFUSED;
	snprintf(import->why, sizeof(import->why), "line %u: %s", line, what);
	return ok();
}

static uint16_t folder_index(struct importing *importing, const char *name)
{
	size_t i = 0;

	while (i < importing->n_folders && strcmp(importing->folders[i], name) != 0)
		i++;
	if (i == importing->n_folders)
		importing->folders[importing->n_folders++] = name;
	return (uint16_t)i;
}

/* Room for every folder that the record or the block may name. */
static void begin_folders(struct importing *importing)
{
	const struct registry_record *before = &importing->before;

	importing->folders = arena_alloc(importing->arena,
		(before->n_folders + importing->block->n + 1) * sizeof(importing->folders[0]));
	importing->n_folders = 0;
	for (size_t i = 0; i < before->n_folders; i++)
		(void)folder_index(importing, before->folders[i].name);
}

static int by_name(const void *a, const void *b)
{
	const struct registry_entry *x = a, *y = b;

	if (x->folder != y->folder)
		return x->folder < y->folder ? -1 : 1;
	if (x->uidvalidity != y->uidvalidity)
		return x->uidvalidity < y->uidvalidity ? -1 : 1;
	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return strcmp(x->key, y->key);
}

static int by_unique_id(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *find_doubles(struct importing *importing)
{
	struct registry_entry *entries = importing->entries;
	size_t n = importing->n, n_ids = 0;
	const char **ids = arena_alloc(importing->arena, (n + 1) * sizeof(ids[0]));

	qsort(entries, n, sizeof(entries[0]), by_name);
	for (size_t i = 1; i < n; i++)
		if (by_name(&entries[i - 1], &entries[i]) == 0)
			return "a message of this maildrop stands there twice";
	for (size_t i = 0; i < n; i++)
		if (*entries[i].unique_id)
			ids[n_ids++] = entries[i].unique_id;
	qsort(ids, n_ids, sizeof(ids[0]), by_unique_id);
	for (size_t i = 1; i < n_ids; i++)
		if (strcmp(ids[i - 1], ids[i]) == 0)
			return arena_printf(importing->arena,
				"a unique-id of this maildrop stands there twice: %s", ids[i]);
	return NULL;
}

static const char *check_entry(const struct registry_entry *entry)
{
	if (!*entry->key && !entry->uid)
		return "neither uid nor key, nor old_id";
	if (!*entry->unique_id && !entry->uid)
		return "no unique_id, and no uid to compute it from";
	if (*entry->unique_id && !unique_id_sendable(entry->unique_id))
		return "unique_id: not 1 to 70 octets in 0x2E-0x7E; ids of another server go into "
		       "old_id";
	return NULL;
}

/* Entries as popgate has them. */
static const char *take_known(struct importing *importing, unsigned *ret_line)
{
	const struct id_block *block = importing->block;

	for (size_t i = 0; i < block->n; i++) {
		const struct id_row *row = &block->messages[i];
		struct registry_entry entry = row->entry;
		const char *why;

		*ret_line = block->lines[i];
		if (*row->old_id)
			continue;
		if (importing->n_folders > FOLDERS_MAX)
			return "more folders than any maildrop has";
		if ((why = check_entry(&entry)))
			return why;
		entry.folder = folder_index(importing, row->folder);
		importing->entries[importing->n++] = entry;
		if (id_number_behind(entry.unique_id) > importing->next)
			importing->next = id_number_behind(entry.unique_id);
	}
	*ret_line = block->line;
	return NULL;
}

static void take_adopted(struct importing *importing)
{
	struct import *import = importing->import;
	struct adopted adopted;
	size_t n_old = 0;

	for (size_t i = 0; i < importing->block->n; i++)
		n_old += *importing->block->messages[i].old_id != '\0';
	if (n_old == 0)
		return;
	id_block_adopt(importing->block, import->now, importing->arena, &adopted);
	import->n_doubles = n_old - adopted.n;
	for (size_t i = 0; i < adopted.n; i++) {
		adopted.entries[i].folder = folder_index(importing, import->main_folder);
		importing->entries[importing->n++] = adopted.entries[i];
	}
	if (adopted.next > importing->next)
		importing->next = adopted.next;
}

/* Whether nothing would be lost that a client was shown. */
static bool is_replaceable(const struct registry_record *record)
{
	for (size_t i = 0; i < record->n_entries; i++)
		if (!entry_adopted(&record->entries[i]))
			return false;
	return true;
}

fiber_fn static struct err write_record(struct importing *importing, uint64_t *ret_revision)
{
	const struct id_row *maildrop = &importing->block->maildrop;
	const struct registry_record *before = &importing->before;
	struct import *import = importing->import;
	const char **marks =
		arena_alloc(importing->arena, (importing->n_folders + 1) * sizeof(marks[0]));
	struct registry_maildrop whose = { import->tenant, import->login, importing->folders,
		importing->n_folders };
	struct registry_change change = { .revision = before->revision,
		.next = importing->next,
		.flags = (maildrop->numbers ? REGISTRY_NUMBERS : 0) |
			 (maildrop->accepted ? REGISTRY_ACCEPTED : 0),
		.seen = maildrop->seen,
		.marks = marks,
		.drop = before->entries,
		.n_drop = before->n_entries,
		.keep = importing->entries,
		.n_keep = importing->n };

	for (size_t i = 0; i < importing->n_folders; i++)
		marks[i] = "";
	return registry_change(import->registry, &whose, &change, ret_revision);
}

/* One try. *ret_again: somebody else has written meanwhile. */
fiber_fn static struct err try_import(struct importing *importing, bool *ret_again)
{
	struct import *import = importing->import;
	struct registry_maildrop whose = { .tenant = import->tenant, .login = import->login };
	uint64_t revision = 1;
	unsigned line = 0;
	const char *why;
	struct err e;

	e = registry_load(import->registry, &whose, importing->arena, &importing->before);
	if (failed(e))
		return e;
	if (!import->replace && !is_replaceable(&importing->before)) {
		import->outcome = IMPORT_KNOWN;
		return ok();
	}
	begin_folders(importing);
	importing->entries = arena_alloc(
		importing->arena, (importing->block->n + 1) * sizeof(importing->entries[0]));
	importing->n = 0;
	importing->next = importing->block->maildrop.next;
	why = take_known(importing, &line);
	take_adopted(importing);
	if (!why)
		why = find_doubles(importing);
	if (why)
		return refuse(importing, line, why);
	import->outcome = IMPORT_DONE;
	import->n_entries = importing->n;
	if (!import->dry)
		e = write_record(importing, &revision);
	*ret_again = revision == 0;
	return e;
}

fiber_fn struct err import_block(struct import *import, const struct id_block *block)
{
	bool again = true;
	struct err e = ok();

	import->n_entries = import->n_doubles = 0;
	for (int i = 0; i < ROUNDS && again && !failed(e); i++) {
		cleanup(arena_cleanup) struct arena *arena = arena_new();
		struct importing importing = { .import = import, .block = block, .arena = arena };

		again = false;
		e = try_import(&importing, &again);
	}
	return again && !failed(e) ? err_make(ERR_TEMP, "others keep writing to the maildrop") : e;
}
