/*
 * A process that dies at any point of a write leaves all of the write behind or nothing, and no
 * number is given twice.
 */
#include "stores.h"
#include "version_1.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POINTS_MAX 100

/* A record as text, for comparison. */
struct text {
	uint64_t revision;
	char text[1000];
};

static void tell_record(int out, unsigned arg)
{
	static const char *const every_folder[] = { "INBOX", "Junk", "Sent" };
	struct registry_maildrop maildrop = { "tenant", "user", every_folder, 3 };
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record;
	struct text text = { 0 };

	(void)arg;
	assert_ok(load_record(registry, &maildrop, arena, &record));
	text.revision = record.revision;
	snprintf(text.text, sizeof(text.text), "next=%" PRIu64 " flags=%u seen=%d %s/%s/%s\n%s",
		record.next, record.flags, (int)record.seen, record.folders[0].mark,
		record.folders[1].mark, record.folders[2].mark, record_as_text(&record, arena));
	if (write(out, &text, sizeof(text)) != sizeof(text))
		_exit(1);
}

static struct text record_now(void)
{
	struct child child;
	struct text ret;

	child_start(&child, tell_record, 0, NULL);
	assert_true(child_report(&child, &ret, sizeof(ret)));
	assert_int_equal(child_end(&child), 0);
	return ret;
}

static void write_first(int out, unsigned arg)
{
	struct registry_entry entries[] = { imap_entry(1, 1), imap_entry(1, 2), imap_entry(1, 3),
		maildir_entry("a", "5") };
	const char *marks[] = { "first", NULL };

	(void)out;
	(void)arg;
	write_record((struct registry_change){
		.keep = entries, .n_keep = 4, .marks = marks, .next = 6 });
}

static void write_second(int out, unsigned arg)
{
	static const char *const other_folders[] = { "INBOX", "Sent" };
	struct registry_maildrop maildrop = { "tenant", "user", other_folders, 2 };
	struct registry_entry drops[] = { imap_entry(1, 1), imap_entry(1, 2) };
	struct registry_entry keeps[] = { imap_entry(1, 3), imap_entry(2, 1),
		maildir_entry("b", "6") };
	const char *marks[] = { "second", "new" };
	struct registry_change change = {
		.drop = drops,
		.n_drop = 2,
		.keep = keeps,
		.n_keep = 3,
		.marks = marks,
		.next = 7,
		.flags = REGISTRY_NUMBERS,
		.seen = 5,
	};
	uint64_t revision;

	(void)out;
	(void)arg;
	change.revision = revision_of(registry, &maildrop);
	keeps[0].hidden = true;
	keeps[1].folder = 1;
	assert_ok(change_record(registry, &maildrop, &change, &revision));
	assert_true(revision > change.revision);
}

/* Runs the job so that it dies at the n-th point; false: it came to its end before. */
static bool dies_at(unsigned n, void (*job)(int out, unsigned arg))
{
	struct child child;
	char fault[16];
	int signal_number;

	snprintf(fault, sizeof(fault), "*:%u", n);
	child_start(&child, job, 0, fault);
	signal_number = child_end(&child);
	assert_true(signal_number == 0 || signal_number == SIGKILL);
	return signal_number != 0;
}

static void run(void (*job)(int out, unsigned arg))
{
	struct child child;

	child_start(&child, job, 0, NULL);
	assert_int_equal(child_end(&child), 0);
}

static void start_anew(void)
{
	place_remove();
	place_make();
}

/* How often the record was as before and as after the job, over all of its points. */
struct outcomes {
	unsigned before, after;
};

static struct outcomes die_everywhere(void (*prepare)(void), void (*job)(int out, unsigned arg))
{
	struct outcomes outcomes = { 0 };
	struct text before, after, left;
	bool died = true;

	start_anew();
	prepare();
	run(job);
	after = record_now();
	for (unsigned n = 1; died; n++) {
		assert_true(n < POINTS_MAX);
		start_anew();
		prepare();
		before = record_now();
		died = dies_at(n, job);
		left = record_now();
		if (strcmp(left.text, before.text) == 0) {
			assert_true(left.revision == before.revision);
			outcomes.before++;
		} else {
			assert_string_equal(left.text, after.text);
			assert_true(left.revision > before.revision);
			outcomes.after++;
		}
		/* What is left behind can be built on. */
		if (strcmp(left.text, before.text) == 0) {
			run(job);
			assert_string_equal(record_now().text, after.text);
		}
	}
	return outcomes;
}

static void prepare_nothing(void)
{
}

static void prepare_first(void)
{
	run(write_first);
}

static void first_write(void **state)
{
	struct outcomes outcomes = die_everywhere(prepare_nothing, write_first);

	(void)state;
	/* At the least: begin, maildrop, 4 keeps, mark, counter, before the commit; after it.
	 * PostgreSQL gets rows in batches. */
	assert_true(outcomes.before >= (store == &sqlite_store ? 9 : 4));
	assert_true(outcomes.after >= 2);
}

static void later_write(void **state)
{
	struct outcomes outcomes = die_everywhere(prepare_first, write_second);

	(void)state;
	/* At the least: begin, 2 drops, 3 keeps, 2 marks, counter, before the commit; after it. */
	assert_true(outcomes.before >= (store == &sqlite_store ? 10 : 5));
	assert_true(outcomes.after >= 2);
}

/* Every restart goes on where the killed one was: the next number, a message of that name. */
struct given {
	uint64_t number;
	char key[16];
};

static void give_numbers(int out, unsigned round)
{
	for (unsigned i = 0; i < 3; i++) {
		cleanup(arena_cleanup) struct arena *arena = arena_new();
		struct registry_record record;
		struct registry_entry entry;
		struct given given = { 0 };

		assert_ok(load_record(registry, &user, arena, &record));
		given.number = record.next > 1 ? record.next : 1;
		snprintf(given.key, sizeof(given.key), "%u-%u", round, i);
		entry = maildir_entry(given.key, arena_printf(arena, "%" PRIu64, given.number));
		write_record((struct registry_change){
			.keep = &entry, .n_keep = 1, .next = given.number + 1 });
		if (write(out, &given, sizeof(given)) != sizeof(given))
			_exit(1);
	}
}

/* The entry's number, or 0. */
static void tell_number(int out, unsigned arg)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record;

	(void)arg;
	assert_ok(load_record(registry, &user, arena, &record));
	for (size_t i = 0; i < record.n_entries; i++) {
		struct given given = { .number = strtoull(record.entries[i].unique_id, NULL, 10) };

		snprintf(given.key, sizeof(given.key), "%s", record.entries[i].key);
		if (write(out, &given, sizeof(given)) != sizeof(given))
			_exit(1);
	}
}

static void shown_numbers_stay(void **state)
{
	static struct given shown[4 * POINTS_MAX];
	struct child child;
	struct given given;
	size_t n = 0, n_found = 0;
	int signal_number = SIGKILL;

	(void)state;
	for (unsigned round = 1; signal_number; round++) {
		char fault[16];

		assert_true(round < POINTS_MAX);
		snprintf(fault, sizeof(fault), "*:%u", round);
		child_start(&child, give_numbers, round, fault);
		while (child_report(&child, &shown[n], sizeof(shown[n])))
			n++;
		signal_number = child_end(&child);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(shown[i].number, shown[j].number);
	child_start(&child, tell_number, 0, NULL);
	while (child_report(&child, &given, sizeof(given)))
		for (size_t i = 0; i < n; i++)
			if (strcmp(shown[i].key, given.key) == 0) {
				assert_int_equal(shown[i].number, given.number);
				n_found++;
			}
	assert_int_equal(child_end(&child), 0);
	assert_int_equal(n_found, n);
}

static void prepare_version_1(void)
{
	version_1_make(&place);
}

/* An open that dies at any point leaves behind what the next one goes on from; how often it did. */
static unsigned open_dies_everywhere(void (*prepare)(void))
{
	struct text after;
	unsigned n = 0;
	bool died = true;

	start_anew();
	prepare();
	after = record_now();
	while (died) {
		assert_true(++n < POINTS_MAX);
		start_anew();
		prepare();
		/* The points are all in the open, ahead of what the job does. */
		died = dies_at(n, tell_record);
		assert_string_equal(record_now().text, after.text);
	}
	return n - 1;
}

static void schema_is_made(void **state)
{
	(void)state;
	assert_true(open_dies_everywhere(prepare_nothing) > 10);
}

static void schema_is_upgraded(void **state)
{
	(void)state;
	assert_true(open_dies_everywhere(prepare_version_1) > 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		processes_test(first_write),
		processes_test(later_write),
		processes_test(shown_numbers_stay),
	};
	static const struct CMUnitTest sqlite_tests[] = {
		processes_test(schema_is_made),
		processes_test(schema_is_upgraded),
	};
	static const struct test_store *const stores[] = {
		&sqlite_store,
#ifdef POPGATE_POSTGRESQL
		&postgresql_store,
#endif
	};
	int n_failed;

#ifndef POPGATE_FAULT_POINTS
	print_message("built without POPGATE_FAULT_POINTS\n");
	return 0;
#endif
	n_failed = run_on_stores("faults", tests, sizeof(tests) / sizeof(tests[0]), stores,
		sizeof(stores) / sizeof(stores[0]));
	return n_failed + run_on_stores("schema", sqlite_tests, 2, stores, 1);
}
