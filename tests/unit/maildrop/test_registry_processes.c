/* Several processes that change one maildrop at the same time: nothing that one wrote is lost. */
#include "stores.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define CHILDREN 4
#define CHANGES  25

/* What a child has written, once it is on disk. */
struct report {
	uint64_t revision, number;
};

/* Adds one message with the next number; again, as often as somebody else was first. */
static struct report add_message(unsigned child, unsigned i)
{
	struct report report = { 0 };

	while (!report.revision) {
		cleanup(arena_cleanup) struct arena *arena = arena_new();
		struct registry_record record;
		struct registry_entry entry;
		struct registry_change change = { .keep = &entry, .n_keep = 1 };

		assert_ok(load_record(registry, &user, arena, &record));
		report.number = record.next > 1000 ? record.next : 1000;
		entry = maildir_entry(arena_printf(arena, "%u-%u", child, i),
			arena_printf(arena, "%llu", (unsigned long long)report.number));
		change.revision = record.revision;
		change.next = report.number + 1;
		assert_ok(change_record(registry, &user, &change, &report.revision));
	}
	return report;
}

static void add_messages(int out, unsigned child)
{
	for (unsigned i = 0; i < CHANGES; i++) {
		struct report report = add_message(child, i);

		if (write(out, &report, sizeof(report)) != sizeof(report))
			_exit(1);
	}
}

/* Adds until it is killed. */
static void add_forever(int out, unsigned child)
{
	for (unsigned i = 0;; i++) {
		struct report report = add_message(child, i);

		if (write(out, &report, sizeof(report)) != sizeof(report))
			_exit(1);
	}
}

struct state {
	struct report last;
	uint64_t n_entries;
};

static void tell_state(int out, unsigned arg)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record;
	struct state now;

	(void)arg;
	assert_ok(load_record(registry, &user, arena, &record));
	now = (struct state){
		.last = { .revision = record.revision, .number = record.next - 1 },
		.n_entries = record.n_entries,
	};
	if (write(out, &now, sizeof(now)) != sizeof(now))
		_exit(1);
}

static struct state state_now(void)
{
	struct child child;
	struct state now;

	child_start(&child, tell_state, 0, NULL);
	assert_true(child_report(&child, &now, sizeof(now)));
	assert_int_equal(child_end(&child), 0);
	return now;
}

static void assert_unique(const struct report *reports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(reports[i].revision, reports[j].revision);
			assert_int_not_equal(reports[i].number, reports[j].number);
		}
}

static void no_update_is_lost(void **state)
{
	static struct report reports[CHILDREN * CHANGES + 1];
	struct child children[CHILDREN];
	struct state now;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < CHILDREN; i++)
		child_start(&children[i], add_messages, i, NULL);
	for (unsigned i = 0; i < CHILDREN; i++) {
		for (unsigned k = 0; k < CHANGES; k++)
			assert_true(child_report(&children[i], &reports[n++], sizeof(reports[0])));
		assert_int_equal(child_end(&children[i]), 0);
	}
	assert_int_equal(n, CHILDREN * CHANGES);
	assert_unique(reports, n);
	now = state_now();
	assert_int_equal(now.n_entries, CHILDREN * CHANGES);
	assert_int_equal(now.last.number, 1000 + CHILDREN * CHANGES - 1);
	for (size_t i = 0; i < n; i++)
		assert_true(reports[i].revision <= now.last.revision);
}

/* The other goes on with what the killed one left behind. */
static void killed_beside_another(void **state)
{
	static struct report reports[10000];
	struct child victim, other;
	struct state now;
	size_t n = 0;

	(void)state;
	child_start(&victim, add_forever, 0, NULL);
	child_start(&other, add_forever, 1, NULL);
	for (unsigned i = 0; i < 20; i++)
		assert_true(child_report(&victim, &reports[n++], sizeof(reports[0])));
	kill(victim.pid, SIGKILL);
	while (n < 5000 && child_report(&victim, &reports[n], sizeof(reports[0])))
		n++;
	assert_int_equal(child_end(&victim), SIGKILL);
	for (unsigned i = 0; i < 40; i++)
		assert_true(child_report(&other, &reports[n++], sizeof(reports[0])));
	kill(other.pid, SIGKILL);
	while (n < 10000 && child_report(&other, &reports[n], sizeof(reports[0])))
		n++;
	assert_int_equal(child_end(&other), SIGKILL);
	assert_unique(reports, n);
	now = state_now();
	/* Each may have died between its last write and the report of it. */
	assert_in_range(now.n_entries, n, n + 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		processes_test(no_update_is_lost),
		processes_test(killed_beside_another),
	};
	static const struct test_store *const stores[] = {
		&sqlite_store,
#ifdef POPGATE_POSTGRESQL
		&postgresql_store,
#endif
	};

	return run_on_stores("processes", tests, sizeof(tests) / sizeof(tests[0]), stores,
		sizeof(stores) / sizeof(stores[0]));
}
