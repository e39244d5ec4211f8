/* Listings that build on an earlier one. */
#include <stdio.h>
#include <sys/stat.h>

#include "backends/maildir/state.h"
#include "memory.h"

static void an_unchanged_folder_is_not_read(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "cur/1700000002.b:2,S", "x");
	put(w, "new/1700000001.a", "x\n");
	rest(w);
	list(w);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
	assert_true(w->listing.folders[0].unchanged);
	assert_string_equal(w->listing.folders[0].mark, memory.known[0].mark);
	assert_ptr_equal(w->listing.messages, memory.messages);
	assert_int_equal(w->listing.n, 2);
	assert_int_equal(w->listing.folders[0].n, 2);
}

static void an_empty_folder_is_not_read_again(void **state)
{
	struct world *w = *state;
	struct memory memory;

	rest(w);
	list(w);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
	assert_true(w->listing.folders[0].unchanged);
	assert_int_equal(w->listing.n, 0);
}

static void known_messages_may_come_in_any_order(void **state)
{
	struct world *w = *state;
	struct backend_listing before;
	struct memory memory;

	put(w, "cur/1700000002.M7.b:2,S", "x");
	put(w, "cur/1700000002.M70.a:2,S", "xx");
	put(w, "new/1700000002.M7.c", "xxx");
	put(w, "new/odd", "xxxx");
	set_mtime(w, "new/odd", 1800000000);
	rest(w);
	list(w);
	before = w->listing;
	memory = remembered(w);
	reverse(&memory);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
	assert_true(w->listing.folders[0].unchanged);
	assert_same(w, &before);
	put(w, "new/1700000003.d", "x");
	list_on(w, &memory);
	assert_false(w->listing.folders[0].unchanged);
	assert_int_equal(w->listing.n, 5);
	assert_string_equal(w->listing.messages[4].key, "odd");
	assert_int_equal(w->listing.messages[4].arrival, 1800000000);
}

/* Seen by what is remembered being wrong. */
static void only_new_messages_are_looked_at(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "cur/1700000001.a:2,", "x");
	put(w, "new/odd", "x");
	put(w, "cur/1700000009.c:2,", "x");
	rest(w);
	list(w);
	memory = remembered(w);
	for (size_t i = 0; i < 3; i++) {
		memory.messages[i].size = 4711;
		memory.messages[i].fingerprint = 42;
	}
	memory.messages[2].arrival = 1700000002;
	move(w, "cur/1700000001.a:2,", "cur/1700000001.a:2,S");
	drop(w, "cur/1700000009.c:2,");
	put(w, "new/1700000003.b", "abc");
	list_on(w, &memory);
	assert_int_equal(w->listing.n, 3);
	assert_string_equal(w->listing.messages[0].key, "1700000001.a");
	assert_true(w->listing.messages[0].seen);
	assert_string_equal(w->listing.messages[1].key, "odd");
	assert_int_equal(w->listing.messages[1].arrival, 1700000002);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(w->listing.messages[i].size, 4711);
		assert_int_equal(w->listing.messages[i].fingerprint, 42);
	}
	assert_int_equal(w->listing.messages[2].size, 5);
	assert_int_equal(w->listing.messages[2].fingerprint, 0);
}

static void what_is_not_known_exactly_is_measured(void **state)
{
	struct world *w = *state;
	struct memory memory;

	w->tenant.maildrop.exact_rfc822_size = false;
	put(w, "cur/1700000001.a:2,RS", "a\n");
	put(w, "new/1700000002.b,W=77", "b\n");
	put(w, "new/1700000003.c", "c\n");
	rest(w);
	list(w);
	assert_int_equal(message_of(w, "1700000001.a")->size, 2);
	memory = remembered(w);
	memory.messages[2].size = 4711;
	memory.messages[2].exact = true;
	list_on(w, &memory);
	assert_true(w->listing.folders[0].unchanged);
	w->tenant.maildrop.exact_rfc822_size = true;
	list_on(w, &memory);
	assert_false(w->listing.folders[0].unchanged);
	assert_int_equal(message_of(w, "1700000001.a")->size, 3);
	assert_true(message_of(w, "1700000001.a")->exact);
	assert_int_equal(message_of(w, "1700000002.b,W=77")->size, 77);
	assert_true(message_of(w, "1700000002.b,W=77")->exact);
	assert_int_equal(message_of(w, "1700000003.c")->size, 4711);
	memory = remembered(w);
	list_on(w, &memory);
	assert_ptr_equal(w->listing.messages, memory.messages);
}

/* Until a tick has passed, a mark would not tell of another change. What was learned counts. */
static void a_change_of_this_moment_leaves_no_trust(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "new/1700000001.a", "x");
	later_ms = -60000; /* the folder's times lie ahead */
	list(w);
	memory = remembered(w);
	assert_string_not_equal(memory.known[0].mark, "");
	memory.messages[0].size = 4711;
	rest(w);
	list_on(w, &memory);
	assert_int_equal(reads, 2);
	assert_false(w->listing.folders[0].unchanged);
	assert_int_equal(w->listing.messages[0].size, 4711);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
}

static void a_servers_clock_is_trusted_later(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "new/1700000001.a", "x");
	rest(w);
	on_server = true;
	list(w);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 2);
	later_ms = 61000;
	list_on(w, &memory);
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
}

static void no_mark_means_nothing_is_known(void **state)
{
	static const char *const marks[] = { NULL, "" };
	struct world *w = *state;
	struct memory memory;

	put(w, "new/1700000001.a", "x");
	rest(w);
	list(w);
	memory = remembered(w);
	memory.messages[0].size = 4711;
	for (size_t i = 0; i < 2; i++) {
		memory.known[0].mark = marks[i];
		list_on(w, &memory);
		assert_int_equal(w->listing.messages[0].size, 3);
	}
}

/* Mail that came from an IMAP server is known by other names. */
static void messages_without_a_name_are_no_match(void **state)
{
	struct world *w = *state;
	struct backend_message messages[] = { { .uid = 1, .size = 4711, .exact = true } };
	struct memory memory = { .known = { { "imap 1", messages, 1 } } };

	put(w, "new/1700000001.a", "x");
	list_on(w, &memory);
	assert_int_equal(w->listing.n, 1);
	assert_int_equal(w->listing.messages[0].size, 3);
}

static void a_mark_tells_maildirs_apart(void **state)
{
	struct world *w = *state;
	struct memory memory;

	put(w, "new/1700000001.a", "x");
	set_mtime(w, "new", 1700000000);
	set_mtime(w, "cur", 1700000000);
	rest(w);
	list(w);
	memory = remembered(w);
	/* Another with the same times, as a restored one has. */
	assert_int_equal(rename(w->maildir, arena_printf(w->arena, "%s/old", w->dir)), 0);
	assert_int_equal(mkdir(w->maildir, 0755), 0);
	make_maildir(w, ".");
	put(w, "cur/1700000001.a:2,", "x");
	set_mtime(w, "new", 1700000000);
	set_mtime(w, "cur", 1700000000);
	rest(w);
	list_on(w, &memory);
	assert_int_equal(reads, 2);
	/* A message put back in place, and the time too. */
	memory = remembered(w);
	list_on(w, &memory);
	assert_int_equal(reads, 0);
	put(w, "cur/1700000002.b:2,", "x");
	set_mtime(w, "cur", 1700000000);
	rest(w);
	list_on(w, &memory);
	assert_int_equal(w->listing.n, 2);
}

/* Alike in all but their identity: made within one tick. */
static void twins_are_told_apart(void **state)
{
	const struct world *w = *state;
	struct maildir_dirs dirs = { .fd = { -1, -1 } };
	struct maildir_state a, b;

	for (int i = 0;; i++) {
		const char *one = arena_printf(w->arena, "one%d", i);
		const char *two = arena_printf(w->arena, "two%d", i);

		make_maildir(w, one);
		make_maildir(w, two);
		assert_int_equal(maildir_dirs_open(w->maildir, one, &dirs), 0);
		assert_int_equal(maildir_state_read(&dirs, &a), 0);
		maildir_dirs_close(&dirs);
		assert_int_equal(maildir_dirs_open(w->maildir, two, &dirs), 0);
		assert_int_equal(maildir_state_read(&dirs, &b), 0);
		maildir_dirs_close(&dirs);
		/* The first that was made, and the last. */
		if (memcmp(&a.subs[MAILDIR_CUR].changed, &b.subs[MAILDIR_NEW].changed,
			    sizeof a.subs[0].changed) == 0)
			break;
	}
	assert_false(maildir_state_equal(&a, &b));
	for (int sub = 0; sub < MAILDIR_SUBS; sub++)
		b.subs[sub].inode = a.subs[sub].inode;
	assert_true(maildir_state_equal(&a, &b));
}

static void folders_count_one_by_one(void **state)
{
	static const char *also[] = { "Junk", "Later", "inbox" };
	struct world *w = *state;
	struct backend_listing before;
	struct memory memory;

	w->tenant.maildrop.also = (struct string_list){ also, 3 };
	make_maildir(w, ".Junk");
	put(w, "cur/1700000003.a:2,", "inbox");
	put(w, ".Junk/new/1700000002.b", "junk");
	rest(w);
	list(w);
	before = w->listing;
	memory = remembered(w);
	assert_true(before.folders[2].absent);
	list_on(w, &memory);
	assert_same(w, &before);
	assert_int_equal(reads, 0);
	assert_true(w->listing.folders[0].unchanged);
	assert_true(w->listing.folders[1].unchanged);
	assert_false(w->listing.folders[2].unchanged);
	assert_fetches(w, "1700000002.b", "junk");
	put(w, ".Junk/new/1700000001.c", "more");
	make_maildir(w, ".Later");
	put(w, ".Later/new/1700000000.d", "later");
	rest(w);
	list_on(w, &memory);
	assert_true(w->listing.folders[0].unchanged);
	assert_false(w->listing.folders[1].unchanged);
	assert_false(w->listing.folders[2].absent);
	before = w->listing;
	list_anew(w);
	assert_int_equal(w->listing.n, 4);
	assert_same(w, &before);
	assert_fetches(w, "1700000001.c", "more");
	list_on(w, &memory);
	reads = 0;
	assert_fetches(w, "1700000003.a", "inbox");
	assert_int_equal(reads, 0);
	assert_fetches(w, "1700000000.d", "later");
}

static void times_are_past_when_a_tick_is_over(void **state)
{
	struct maildir_state s = { 0 };
	struct timespec now;
	static const struct {
		struct timespec changed;
		int64_t ms;
		bool past;
	} cases[] = {
		{ { 1700000000, 999999999 }, 20, false },
		{ { 1700000000, 999999999 }, 21, true },
		{ { 1700000000, 1 }, -1, false },
		{ { 1700000000, 1 }, -100000, false },
		{ { 1700000000, 1 }, 1000, true },
		{ { 1700000000, 0 }, 1000, false }, /* whole seconds: a coarse clock */
		{ { 1700000000, 0 }, 2020, false },
		{ { 1700000000, 0 }, 2021, true },
		{ { INT64_MAX, 999999999 }, -100, false },
		{ { 0, 1 }, 0, false },
		{ { 0, 1 }, 99999999999, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool past;

		s.subs[MAILDIR_CUR].changed = cases[i].changed;
		now = cases[i].changed;
		add_ms(&now, cases[i].ms);
		s.subs[MAILDIR_CUR].modified = s.subs[MAILDIR_NEW].changed =
			s.subs[MAILDIR_NEW].modified = (struct timespec){ now.tv_sec - 100, 5 };
		past = maildir_state_is_past(&s, &now);
		if (past != cases[i].past)
			fail_msg("case %zu", i);
	}
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, memory_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_unchanged_folder_is_not_read),
		WORLD_TEST(an_empty_folder_is_not_read_again),
		WORLD_TEST(known_messages_may_come_in_any_order),
		WORLD_TEST(only_new_messages_are_looked_at),
		WORLD_TEST(what_is_not_known_exactly_is_measured),
		WORLD_TEST(a_change_of_this_moment_leaves_no_trust),
		WORLD_TEST(a_servers_clock_is_trusted_later),
		WORLD_TEST(no_mark_means_nothing_is_known),
		WORLD_TEST(messages_without_a_name_are_no_match),
		WORLD_TEST(a_mark_tells_maildirs_apart),
		WORLD_TEST(twins_are_told_apart),
		WORLD_TEST(folders_count_one_by_one),
		cmocka_unit_test(times_are_past_when_a_tick_is_over),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
