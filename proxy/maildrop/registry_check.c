/* registry_check - what can be wrong in a registry, whatever its store. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proxy/maildrop/registry.h"
#include "proxy/maildrop/unique_id.h"

/* Of one maildrop; where one row is wrong, many may be. */
#define TROUBLES_MAX 20

/* RFC 1939 section 7: what an adopted unique-id may be. */
#define FIRST_OCTET 0x21
#define LAST_OCTET  0x7e

#define GIVEN ((unsigned __int128)1 << 64) /* see unique_id.h */

struct check {
	registry_report *report;
	void *arg;
	struct arena *arena;
	const struct registry_maildrop *maildrop;
	const struct registry_record *record;
	size_t n_troubles; /* of this maildrop */
};

struct shown {
	const char *id;
	const struct registry_entry *entry;
};

static void report(struct check *check, const char *what)
{
	if (check->n_troubles++ < TROUBLES_MAX)
		check->report(arena_printf(check->arena, "%s %s: %s", check->maildrop->tenant,
				      check->maildrop->login, what),
			check->arg);
}

static const char *name_of(const struct check *check, const struct registry_entry *entry)
{
	const char *folder = check->record->folders[entry->folder].name;

	if (*entry->key)
		return arena_printf(check->arena, "folder '%s' message %s", folder, entry->key);
	return arena_printf(check->arena, "folder '%s' message %" PRIu32 ".%" PRIu32, folder,
		entry->uidvalidity, entry->uid);
}

static void report_entry(
	struct check *check, const struct registry_entry *entry, const char *what, const char *id)
{
	report(check, arena_printf(check->arena, "%s: %s%s", name_of(check, entry), what, id));
}

static bool is_printable(const char *text, int first)
{
	for (; *text; text++)
		if (*text < first || *text > LAST_OCTET)
			return false;
	return true;
}

/* The value of a decimal without leading zeros, below 2^65; false: it is none. */
static bool parse_decimal(const char *text, unsigned __int128 *ret)
{
	unsigned __int128 value = 0;

	if (!*text || *text == '0')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
		if (value >= 2 * GIVEN)
			return false;
	}
	*ret = value;
	return true;
}

/* Whether the counter would come to the number of this unique-id. Beside IMAP messages only what
 * lies above 2^64 was counted. */
static bool is_ahead_of_counter(const struct check *check, const struct registry_entry *entry)
{
	unsigned __int128 value;

	if (!parse_decimal(entry->unique_id, &value))
		return false;
	if (value >= GIVEN)
		value -= GIVEN;
	else if (!*entry->key)
		return false;
	return value >= check->record->next && value <= REGISTRY_NUMBER_MAX;
}

static void check_entry(struct check *check, const struct registry_entry *entry)
{
	const char *id = entry->unique_id;

	if (*entry->key && !*id && !entry->hidden)
		report_entry(check, entry, "it has no unique-id", "");
	if (strlen(id) > UNIQUE_ID_MAX || !is_printable(id, FIRST_OCTET))
		report_entry(check, entry, "not of the form of a unique-id: ", id);
	if (is_ahead_of_counter(check, entry))
		report_entry(check, entry, "the counter has not come to its unique-id yet: ", id);
}

/* INBOX, or the only folder of mail; SIZE_MAX: cannot be told without the configuration. */
static size_t main_folder(const struct registry_record *record)
{
	size_t found = SIZE_MAX, n = 0;

	for (size_t i = 0; i < record->n_folders; i++) {
		const char *name = record->folders[i].name;

		if (strcasecmp(name, "INBOX") == 0)
			return i;
		if (*name) {
			found = i;
			n++;
		}
	}
	return n == 1 ? found : SIZE_MAX;
}

static const char *computed_id(
	struct check *check, const struct registry_entry *entry, const uint32_t *hashes)
{
	struct unique_id id;

	unique_id_imap(&id, hashes[entry->folder], entry->uidvalidity, entry->uid);
	return arena_strdup(check->arena, id.text);
}

static int compare_shown(const void *a, const void *b)
{
	return strcmp(((const struct shown *)a)->id, ((const struct shown *)b)->id);
}

static const uint32_t *folder_hashes(const struct check *check)
{
	const struct registry_record *record = check->record;
	uint32_t *hashes = arena_zalloc(check->arena, record->n_folders, sizeof(*hashes));
	size_t main = main_folder(record);

	for (size_t i = 0; i < record->n_folders; i++)
		hashes[i] = i == main ? UNIQUE_ID_MAIN_FOLDER
				      : unique_id_folder_hash(record->folders[i].name);
	return hashes;
}

static void check_duplicates(struct check *check)
{
	const struct registry_record *record = check->record;
	struct shown *all = arena_alloc(check->arena, record->n_entries * sizeof(*all));
	const uint32_t *hashes = folder_hashes(check);
	size_t n = 0;

	for (size_t i = 0; i < record->n_entries; i++) {
		const struct registry_entry *entry = &record->entries[i];

		if (*entry->unique_id)
			all[n++] = (struct shown){ entry->unique_id, entry };
		else if (!*entry->key)
			all[n++] = (struct shown){ computed_id(check, entry, hashes), entry };
	}
	if (n)
		qsort(all, n, sizeof(*all), compare_shown);
	for (size_t i = 1; i < n; i++)
		if (strcmp(all[i].id, all[i - 1].id) == 0)
			report_entry(check, all[i].entry,
				arena_printf(check->arena,
					"same unique-id as %s: ", name_of(check, all[i - 1].entry)),
				all[i].id);
}

static void check_record(struct check *check)
{
	const struct registry_record *record = check->record;

	if (!record->revision)
		report(check, "it has no revision");
	for (size_t i = 0; i < record->n_folders; i++)
		if (!is_printable(record->folders[i].mark, ' '))
			report(check, arena_printf(check->arena, "folder '%s': its mark is no text",
					      record->folders[i].name));
	for (size_t i = 0; i < record->n_entries; i++)
		check_entry(check, &record->entries[i]);
	check_duplicates(check);
	if (check->n_troubles > TROUBLES_MAX) {
		size_t more = check->n_troubles - TROUBLES_MAX;

		check->n_troubles = 0;
		report(check, arena_printf(check->arena, "%zu more of this kind", more));
	}
}

/* What cannot be read is a trouble too; the maildrops behind it are looked at all the same. */
fiber_fn static struct err check_maildrop(struct registry *registry,
	const struct registry_maildrop *maildrop, registry_report *report_line, void *arg)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record;
	struct check check = {
		.report = report_line,
		.arg = arg,
		.arena = arena,
		.maildrop = maildrop,
		.record = &record,
	};
	struct err e = registry_load(registry, maildrop, arena, &record);

	if (!failed(e)) {
		check_record(&check);
	} else if (e.scope == ERR_PERM) {
		report(&check, e.detail);
		e = ok();
	}
	return e;
}

fiber_fn struct err registry_check(
	struct registry *registry, registry_report *report_line, void *arg, size_t *ret_maildrops)
{
	cleanup(arena_cleanup) struct arena *here = arena_new(), *before = arena_new();
	struct registry_maildrop maildrop = { 0 };
	struct err e;

	*ret_maildrops = 0;
	if (failed(e = registry->ops->check(registry, report_line, arg)))
		return e;
	for (;;) {
		struct arena *swap = before;

		/* The name is needed until the next one is found. */
		before = here;
		here = swap;
		arena_reset(here);
		e = registry_next(registry, maildrop.tenant, maildrop.login, here, &maildrop);
		if (failed(e) || !maildrop.tenant)
			return e;
		if (failed(e = check_maildrop(registry, &maildrop, report_line, arg)))
			return e;
		++*ret_maildrops;
	}
}
