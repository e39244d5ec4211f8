/* The registry as its callers see it, on each kind of store. */
#include "stores.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct registry_maildrop all_folders = { "tenant", "user", NULL, 0 };

/* The record of user; in an arena that the test frees. */
static struct registry_record load(struct arena *arena)
{
	struct registry_record record;

	assert_ok(load_record(registry, &user, arena, &record));
	return record;
}

static void unknown_maildrop_is_empty(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record = load(arena);

	(void)state;
	assert_int_equal(record.revision, 0);
	assert_int_equal(record.next, 0);
	assert_int_equal(record.n_entries, 0);
	assert_int_equal(record.n_folders, 2);
	assert_string_equal(record.folders[0].name, "INBOX");
	assert_string_equal(record.folders[0].mark, "");
	assert_string_equal(record.folders[1].name, "Junk");
	assert_int_equal(revision_of(registry, &user), 0);
	assert_ok(load_record(registry, &all_folders, arena, &record));
	assert_int_equal(record.revision, 0);
	assert_int_equal(record.n_folders, 0);
}

static void everything_of_an_entry_is_kept(void **state)
{
	struct registry_entry entry = {
		.key = "1700000000.M1P2.host,S=5",
		.unique_id = "18446744073709551617",
		.emailid = "X-GM-MSGID:1278455344230334865",
		.fingerprint = INT64_MAX,
		.size = 0,
		.measured = REGISTRY_SIZE_MAX,
		.arrival = -5,
		.missing = 1700000001,
		.uidvalidity = UINT32_MAX,
		.uid = UINT32_MAX,
		.folder = 1,
		.exact = true,
		.hidden = true,
	};

	(void)state;
	keep(entry);
	reopen();
	assert_entries(registry, &user,
		"1:4294967295.42949672951700000000.M1P2.host,S=5 id=18446744073709551617"
		" emailid=X-GM-MSGID:1278455344230334865 fingerprint=9223372036854775807 size=0"
		" measured=9223372036854775807 arrival=-5 missing=1700000001 exact hidden\n");
}

static void entries_come_in_key_order(void **state)
{
	const struct registry_entry entries[] = {
		{ .folder = 1,
			.key = "0",
			.unique_id = "9",
			.emailid = "",
			.size = 1,
			.measured = 1 },
		maildir_entry("b", "2"),
		maildir_entry("a\xff\xfe", "4"),
		maildir_entry("aa", "1"),
		maildir_entry("B", "3"),
		imap_entry(7, 10),
		imap_entry(7, 9),
		imap_entry(UINT32_MAX, 1),
	};

	(void)state;
	write_record((struct registry_change){
		.keep = entries, .n_keep = sizeof(entries) / sizeof(entries[0]) });
	assert_entries(registry, &user,
		"0:0.0B id=3\n0:0.0aa id=1\n0:0.0a\xff\xfe id=4\n0:0.0b id=2\n"
		"0:7.9\n0:7.10\n0:4294967295.1\n1:0.00 id=9 size=1 measured=1\n");
}

static void texts_are_any_octets(void **state)
{
	static const char *const odd[] = { "it's \"quoted\"", "back\\slash \\x41 \\\\",
		"%s $1 ?1 :a", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xac", "\xff\xfe\x80",
		"tab\tnew\nline\r", " ", "\x01" };
	char all_octets[256];
	struct buffer expected = { 0 };

	(void)state;
	for (unsigned i = 0; i < 255; i++)
		all_octets[i] = (char)(i + 1);
	all_octets[255] = '\0';
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct registry_maildrop maildrop = { "ten'ant", odd[i], odd, 8 };
		struct registry_entry entry = maildir_entry(all_octets, "1");
		const char *marks[8] = { "mark ä ' \" \\" };
		struct registry_change change = { .keep = &entry, .n_keep = 1, .marks = marks };
		cleanup(arena_cleanup) struct arena *arena = arena_new();
		struct registry_record record;
		uint64_t revision;

		entry.folder = (uint16_t)i;
		assert_ok(change_record(registry, &maildrop, &change, &revision));
		buffer_consume(&expected, buffer_used(&expected));
		buffer_printf(&expected, "%zu:0.0%s id=1\n", i, all_octets);
		buffer_append(&expected, "", 1);
		assert_entries(registry, &maildrop, buffer_data(&expected));
		assert_ok(load_record(registry, &maildrop, arena, &record));
		assert_string_equal(record.folders[i].name, odd[i]);
		assert_string_equal(record.folders[0].mark, marks[0]);
	}
	buffer_done(&expected);
}

static void maildrops_are_apart(void **state)
{
	static const char *const inbox[] = { "INBOX", "Junk" }, *const junk[] = { "Junk" };
	struct registry_maildrop others[] = {
		{ "tenant", "User", inbox, 2 },
		{ "other", "user", inbox, 2 },
		{ "tenantuser", "", inbox, 2 },
		{ "tenant", "user", junk, 1 },
	};

	(void)state;
	keep(maildir_entry("a", "1"));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_entries(registry, &others[i], "");
	assert_int_equal(revision_of(registry, &others[0]), 0);
	assert_true(revision_of(registry, &others[3]) > 0);
	assert_entries(registry, &user, "0:0.0a id=1\n");
}

static void all_folders_are_loaded_by_name(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_entry entries[] = { imap_entry(1, 1), imap_entry(2, 2) };
	const char *marks[] = { "first", "second" };
	static const char *const names[] = { "Trash", "Junk" };
	struct registry_maildrop maildrop = { "tenant", "user", names, 2 };
	struct registry_change change = { .keep = entries, .n_keep = 2, .marks = marks };
	struct registry_record record;
	uint64_t revision;

	(void)state;
	entries[1].folder = 1;
	assert_ok(change_record(registry, &maildrop, &change, &revision));
	assert_ok(load_record(registry, &all_folders, arena, &record));
	assert_int_equal(record.n_folders, 2);
	assert_string_equal(record.folders[0].name, "Junk");
	assert_string_equal(record.folders[0].mark, "second");
	assert_string_equal(record.folders[1].name, "Trash");
	assert_string_equal(record_as_text(&record, arena), "0:2.2\n1:1.1\n");
	/* As the caller orders them, and without those that he does not name. */
	record = load(arena);
	assert_string_equal(record_as_text(&record, arena), "1:2.2\n");
	assert_string_equal(record.folders[0].mark, "");
}

static void kept_entries_are_replaced_whole(void **state)
{
	struct registry_entry entry = maildir_entry("a", "5");

	(void)state;
	entry.arrival = 1000;
	entry.hidden = true;
	entry.emailid = "M1";
	keep(entry);
	entry = maildir_entry("a", "6");
	entry.size = 7;
	keep(entry);
	assert_entries(registry, &user, "0:0.0a id=6 size=7\n");
}

static void drops_come_before_keeps(void **state)
{
	struct registry_entry first[] = { imap_entry(1, 1), imap_entry(1, 2), imap_entry(1, 3) };
	struct registry_entry drops[] = { imap_entry(1, 1), imap_entry(1, 2), imap_entry(9, 9),
		maildir_entry("none", "") };
	struct registry_entry keeps[] = { imap_entry(1, 2), imap_entry(2, 1) };

	(void)state;
	write_record((struct registry_change){ .keep = first, .n_keep = 3 });
	keeps[0].unique_id = "text";
	drops[3].folder = 1; /* a folder that nobody knows */
	write_record(
		(struct registry_change){ .drop = drops, .n_drop = 4, .keep = keeps, .n_keep = 2 });
	assert_entries(registry, &user, "0:1.2 id=text\n0:1.3\n0:2.1\n");
}

static void marks_stay_until_they_are_set(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	const char *first[] = { "a", NULL }, *second[] = { NULL, "b" }, *third[] = { "", "" };
	struct registry_record record;

	(void)state;
	write_record((struct registry_change){ .marks = first });
	write_record((struct registry_change){ .marks = second });
	write_record((struct registry_change){ .marks = NULL });
	record = load(arena);
	assert_string_equal(record.folders[0].mark, "a");
	assert_string_equal(record.folders[1].mark, "b");
	write_record((struct registry_change){ .marks = third });
	record = load(arena);
	assert_string_equal(record.folders[0].mark, "");
	assert_string_equal(record.folders[1].mark, "");
}

static void flags_and_login_are_set(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_change change = { .flags = REGISTRY_NUMBERS | REGISTRY_ACCEPTED,
		.seen = 77 };
	struct registry_record record;

	(void)state;
	write_record(change);
	record = load(arena);
	assert_int_equal(record.flags, REGISTRY_NUMBERS | REGISTRY_ACCEPTED);
	assert_int_equal(record.seen, 77);
	change = (struct registry_change){ .revision = record.revision, .seen = 78 };
	assert_ok(change_record(registry, &user, &change, &record.revision));
	record = load(arena);
	assert_int_equal(record.flags, 0);
	assert_int_equal(record.seen, 78);
}

static void counter_is_only_raised(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();

	(void)state;
	write_record((struct registry_change){ .next = 500 });
	write_record((struct registry_change){ .next = 499 });
	assert_int_equal(load(arena).next, 500);
	write_record((struct registry_change){ .next = REGISTRY_NUMBER_MAX });
	reopen();
	assert_int_equal(load(arena).next, REGISTRY_NUMBER_MAX);
}

static void numbers_end_with_an_error(void **state)
{
	struct registry_entry entry = maildir_entry("b", "2");
	struct registry_change change = { .keep = &entry, .n_keep = 1 };
	uint64_t revision;

	(void)state;
	change.revision = keep(maildir_entry("a", "1"));
	change.next = REGISTRY_NUMBER_MAX + 1;
	assert_error(change_record(registry, &user, &change, &revision), ERR_PERM, "numbers");
	assert_entries(registry, &user, "0:0.0a id=1\n");
	assert_int_equal(revision_of(registry, &user), change.revision);
}

/* Revisions are times, but never go back. */
static void clock_is_set_back(void **state)
{
	uint64_t first, second;

	(void)state;
	fake_clock = 2000000000000000;
	first = keep(maildir_entry("a", "1"));
	assert_int_equal(first, fake_clock);
	fake_clock = 1000000000000000;
	second = keep(maildir_entry("b", "2"));
	assert_int_equal(second, first + 1);
	assert_int_equal(keep(maildir_entry("c", "3")), first + 2);
	assert_int_equal(revision_of(registry, &user), first + 2);
	fake_clock = 3000000000000000;
	assert_int_equal(keep(maildir_entry("d", "4")), fake_clock);
}

static void revisions_are_times(void **state)
{
	uint64_t before = registry_clock();

	(void)state;
	assert_true(keep(maildir_entry("a", "1")) >= before);
	assert_true(revision_of(registry, &user) <= registry_clock());
	assert_true(before > 1700000000000000);
}

static void assert_conflict(uint64_t from)
{
	struct registry_entry other = maildir_entry("other", "9");
	struct registry_change change = {
		.revision = from, .next = 999, .flags = 1, .keep = &other, .n_keep = 1
	};
	uint64_t revision = 1;

	assert_ok(change_record(registry, &user, &change, &revision));
	assert_int_equal(revision, 0);
}

static void change_from_another_revision_writes_nothing(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry *second = open_another();
	struct registry_entry entry = maildir_entry("b", "2");
	struct registry_change change = { .keep = &entry, .n_keep = 1 };
	struct registry_record record;
	uint64_t first, revision;

	(void)state;
	assert_conflict(5); /* of what nobody has written yet */
	assert_int_equal(revision_of(registry, &user), 0);
	first = keep(maildir_entry("a", "1"));
	assert_conflict(0);
	assert_conflict(first + 1);
	change.revision = first;
	assert_ok(change_record(second, &user, &change, &revision));
	assert_true(revision > first);
	assert_conflict(first);
	record = load(arena);
	assert_int_equal(record.revision, revision);
	assert_int_equal(record.next, 0);
	assert_int_equal(record.flags, 0);
	assert_string_equal(record_as_text(&record, arena), "0:0.0a id=1\n0:0.0b id=2\n");
	registry_close(second);
}

/* More calls at once than there are connections. */
struct crowd {
	unsigned n_done, n_lost;
	bool reads;
};

static void crowd_member(void *arg)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct crowd *crowd = arg;
	struct registry_entry entry;
	struct registry_change change = { .keep = &entry, .n_keep = 1 };
	struct registry_record record;
	uint64_t revision = 0;

	do {
		if (failed(registry_load(registry, &user, arena, &record)))
			return;
		entry = imap_entry(1, (uint32_t)record.n_entries + 1);
		change.revision = record.revision;
		if (!crowd->reads && failed(registry_change(registry, &user, &change, &revision)))
			return;
		crowd->n_lost += !revision;
	} while (!crowd->reads && !revision);
	crowd->n_done++;
}

static void many_fibers_at_once(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct crowd readers = { .reads = true }, writers = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		fiber_spawn("reader", crowd_member, &readers);
		fiber_spawn("writer", crowd_member, &writers);
	}
	runtime_run();
	assert_int_equal(readers.n_done, 20);
	assert_int_equal(writers.n_done, 20);
	assert_true(writers.n_lost > 0);
	assert_int_equal(load(arena).n_entries, 20);
}

#define MANY 100000

static struct registry_entry nth_entry(uint32_t i, char *id, char *key)
{
	struct registry_entry entry = imap_entry(1700000000, i * 3 + 1);

	snprintf(id, 24, "%u", 1000000 + i);
	snprintf(key, 24, "M%08x", i * 2654435761u);
	if (i % 2) {
		entry = maildir_entry(key, id);
		entry.folder = 1;
	}
	entry.emailid = i % 3 ? "" : key;
	entry.fingerprint = (uint64_t)i + 1;
	entry.size = i;
	entry.arrival = 1700000000 + i;
	return entry;
}

static bool same_entry(const struct registry_entry *a, const struct registry_entry *b)
{
	return strcmp(a->key, b->key) == 0 && strcmp(a->unique_id, b->unique_id) == 0 &&
	       strcmp(a->emailid, b->emailid) == 0 && a->fingerprint == b->fingerprint &&
	       a->size == b->size && a->measured == b->measured && a->arrival == b->arrival &&
	       a->missing == b->missing && a->uidvalidity == b->uidvalidity && a->uid == b->uid &&
	       a->folder == b->folder && a->exact == b->exact && a->hidden == b->hidden;
}

/* The fingerprint is the entry's number plus 1. */
static void assert_many(size_t n)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record = load(arena);

	assert_int_equal(record.n_entries, n);
	for (size_t i = 0; i < n; i++) {
		char id[24], key[24];
		struct registry_entry expected =
			nth_entry((uint32_t)record.entries[i].fingerprint - 1, id, key);

		assert_true(same_entry(&record.entries[i], &expected));
	}
}

static void a_hundred_thousand_entries(void **state)
{
	struct registry_entry *entries = mem_zalloc(MANY, sizeof(*entries));
	char(*texts)[48] = mem_zalloc(MANY, sizeof(*texts));

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		entries[i] = nth_entry(i, texts[i], texts[i] + 24);
	write_record((struct registry_change){ .keep = entries, .n_keep = MANY, .next = MANY });
	reopen();
	assert_many(MANY);
	/* Nearly all go again in the next one. */
	write_record((struct registry_change){ .drop = entries + 10, .n_drop = MANY - 10 });
	assert_many(10);
	free(entries);
	free(texts);
}

static void reading_leaves_no_trace(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();

	(void)state;
	load(arena);
	assert_int_equal(store->sql(&place, store->count_maildrops), 0);
	assert_int_equal(store->sql(&place, store->count_folders), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		store_test(unknown_maildrop_is_empty),
		store_test(everything_of_an_entry_is_kept),
		store_test(entries_come_in_key_order),
		store_test(texts_are_any_octets),
		store_test(maildrops_are_apart),
		store_test(all_folders_are_loaded_by_name),
		store_test(kept_entries_are_replaced_whole),
		store_test(drops_come_before_keeps),
		store_test(marks_stay_until_they_are_set),
		store_test(flags_and_login_are_set),
		store_test(counter_is_only_raised),
		store_test(numbers_end_with_an_error),
		store_test(clock_is_set_back),
		store_test(revisions_are_times),
		store_test(change_from_another_revision_writes_nothing),
		store_test(many_fibers_at_once),
		store_test(a_hundred_thousand_entries),
		store_test(reading_leaves_no_trace),
	};
	static const struct test_store *const stores[] = {
		&sqlite_store,
#ifdef POPGATE_POSTGRESQL
		&postgresql_store,
#endif
	};

	return run_on_stores("registry", tests, sizeof(tests) / sizeof(tests[0]), stores,
		sizeof(stores) / sizeof(stores[0]));
}
