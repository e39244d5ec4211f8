/* Reading ahead: when, how far, and that clients get what they would get without it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "mailbox.h"
#include "proxy/runtime/wait.h"

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	assert_int_equal(closedir(dir), 0);
	return n;
}

/* Asks for all, from one end to the other. */
static unsigned visits_for_all(struct world *w)
{
	unsigned before = visits;

	for (size_t i = 0; i < w->listing.n; i++)
		assert_retr(w, i, ANY_VISITS);
	return visits - before;
}

/* The first message alone, then runs of 1 and 2, 4, 8, 16, 32, 64 more. */
static void one_visit_is_enough_for_many(void **state)
{
	struct world *w = *state;
	size_t files;

	fill(w, 133, 2000);
	files = open_files();
	assert_int_equal(visits_for_all(w), 7);
	assert_int_equal(octets_kept(w), 0);
	assert_int_equal(open_files(), files);
}

static void from_the_newest_to_the_oldest_as_well(void **state)
{
	struct world *w = *state;

	fill(w, 16, 2000);
	for (size_t i = 16; i-- > 0;)
		assert_retr(w, i, i == 15 || i == 14 || i == 11 || i == 6);
}

static void one_message_alone_brings_no_other(void **state)
{
	struct world *w = *state;

	fill(w, 10, 100);
	assert_retr(w, 3, 1);
	assert_int_equal(octets_kept(w), 0);
	assert_retr(w, 3, 1);
	assert_retr(w, 5, 1);
	assert_int_equal(octets_kept(w), 0);
}

/* Whoever turns round, or goes elsewhere, or back to it, is not shown what he would have asked for.
 */
static void clients_that_go_elsewhere(void **state)
{
	static const size_t elsewhere[] = { 2, 1, 0, 4, 9 };
	struct world *w = *state;

	fill(w, 10, 1000);
	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
		assert_retr(w, 7, 1);
		assert_retr(w, 0, 1);
		assert_retr(w, 1, 1);
		assert_int_equal(n_kept(w), 2);
		assert_retr(w, 2, 0);
		assert_retr(w, elsewhere[i], 1);
		assert_retr(w, 3, ANY_VISITS);
	}
}

static void turning_round(void **state)
{
	struct world *w = *state;

	fill(w, 10, 1000);
	assert_retr(w, 3, 1);
	assert_retr(w, 4, 1);
	assert_retr(w, 5, 0);
	assert_int_equal(n_kept(w), 1);
	assert_retr(w, 4, 1);
	assert_int_equal(n_kept(w), 2);
	assert_retr(w, 3, 0);
	assert_retr(w, 2, 0);
	assert_retr(w, 1, 1);
}

/* What messages may be, at the sizes where something changes. */
static void put_odd(const struct world *w)
{
	static const char *const texts[] = { "", "\n", "x", "no end", "\r", "\r\n\r\n",
		"bare LF\n\nof\nlines\n", "Subject: x\r\n\r\n.\r\n..\r\n", "Subject: headers\n",
		"\n\n\n\n", "CR\r\r\n\r\r\n" };
	static const size_t sizes[] = { MAILDIR_BLOCK_TOP - 1, MAILDIR_BLOCK_TOP,
		MAILDIR_BLOCK_TOP + 1, MAILDIR_AHEAD_MESSAGE - 2000, MAILDIR_AHEAD_MESSAGE - 1,
		MAILDIR_AHEAD_MESSAGE, MAILDIR_AHEAD_MESSAGE + 1, 3 * MAILDIR_AHEAD_MESSAGE };
	static char octets[3 * MAILDIR_AHEAD_MESSAGE];
	size_t i = 0;

	for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
		put(w, path_of(w, i++), texts[k]);
	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
		put_numbered(w, i++, sizes[k]);
	/* One line each, which ends as on the wire: those are their listed sizes, too. */
	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
		for (size_t at = 0; at < sizes[k]; at++)
			octets[at] = (char)('a' + (at * 3 + k) % 26);
		memcpy(octets + sizes[k] - 2, "\r\n", 2);
		put_octets(w, path_of(w, i++), octets, sizes[k]);
	}
}

static void odd_messages_are_what_they_are(void **state)
{
	static const uint64_t lines[] = { 0, 1, 3, 150, 220, 100000, UINT64_MAX };
	struct world *w = *state;

	put_odd(w);
	list(w);
	for (size_t i = 0; i < w->listing.n; i++)
		assert_retr(w, i, ANY_VISITS);
	for (size_t i = w->listing.n; i-- > 0;)
		assert_retr(w, i, ANY_VISITS);
	for (size_t k = 0; k < sizeof lines / sizeof lines[0]; k++)
		for (size_t i = 0; i < w->listing.n; i++)
			assert_top(w, i, lines[k], ANY_VISITS);
}

static void empty_messages_come_ahead_as_well(void **state)
{
	struct world *w = *state;

	fill(w, 5, 0);
	for (size_t i = 0; i < 5; i++)
		assert_retr(w, i, i == 0 || i == 1 || i == 4);
}

/* As large as one may be, and an octet more. */
static void large_messages_are_read_in_their_turn(void **state)
{
	struct world *w = *state;
	char *octets = arena_alloc(w->arena, MAILDIR_AHEAD_MESSAGE + 1);

	memset(octets, 'x', MAILDIR_AHEAD_MESSAGE - 1);
	memcpy(octets + MAILDIR_AHEAD_MESSAGE - 1, "\r\n", 2);
	put_numbered(w, 0, 100);
	put_numbered(w, 1, 100);
	put_octets(w, path_of(w, 2), octets + 1, MAILDIR_AHEAD_MESSAGE);
	put_octets(w, path_of(w, 3), octets, MAILDIR_AHEAD_MESSAGE + 1);
	for (size_t i = 4; i < 8; i++)
		put_numbered(w, i, 100);
	list(w);
	assert_retr(w, 0, 1);
	assert_retr(w, 1, 1);
	assert_retr(w, 2, 0);
	/* By itself, in two jobs. */
	assert_retr(w, 3, 2);
	assert_int_equal(n_kept(w), 0);
	assert_retr(w, 4, 1);
	for (size_t i = 5; i < 8; i++)
		assert_retr(w, i, 0);
}

static void a_large_message_does_not_end_a_run(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 9; i++)
		put_numbered(w, i, i == 6 ? MAILDIR_AHEAD_MESSAGE + 1 : 500);
	list(w);
	for (size_t i = 0; i < 4; i++)
		assert_retr(w, i, i < 2);
	assert_retr(w, 4, 1);
	assert_retr(w, 5, 0);
	assert_retr(w, 6, 2);
	assert_retr(w, 7, 0);
	assert_retr(w, 8, 0);
}

static void a_session_is_limited(void **state)
{
	struct world *w = *state;

	fill(w, 60, 60000);
	for (size_t i = 0; i < 60; i++) {
		assert_retr(w, i, ANY_VISITS);
		assert_true(octets_kept(w) <= MAILDIR_AHEAD_OCTETS);
		/* Line ends take two octets in a listing. */
		assert_true(n_kept(w) <= MAILDIR_AHEAD_OCTETS / 60000);
	}
}

/* Where all sessions together have taken what there is, this one goes on without. */
static void a_process_is_limited(void **state)
{
	static const struct ahead_limits all = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	static const struct backend_message huge[3] = { [2] = { .size = AHEAD_OCTETS_MAX - 1000 } };
	struct world *w = *state;
	struct buffer none = { 0 };
	struct ahead hog;

	fill(w, 12, 600);
	ahead_init(&hog);
	assert_false(ahead_take(&hog, 0, FETCH_ALL, &none));
	assert_false(ahead_take(&hog, 1, FETCH_ALL, &none));
	ahead_choose(&hog, huge, 3, &all);
	assert_int_equal(hog.octets, AHEAD_OCTETS_MAX - 1000);
	assert_retr(w, 0, 1);
	assert_retr(w, 1, 1);
	assert_int_equal(n_kept(w), 1);
	assert_retr(w, 2, 0);
	ahead_drop(&hog);
	assert_retr(w, 3, 1);
	assert_int_equal(n_kept(w), 4);
}

/* Of what is long the beginning is kept, if that is enough. */
static void top_reads_ahead_what_it_needs(void **state)
{
	struct world *w = *state;

	fill(w, 16, 3 * MAILDIR_BLOCK_TOP);
	for (size_t i = 0; i < 5; i++)
		assert_top(w, i, 3, i == 0 || i == 1 || i == 4);
	assert_int_equal(octets_kept(w), 4 * MAILDIR_BLOCK_TOP);
	/* So many lines as the beginning does not hold: then all of it. */
	for (size_t i = 5; i < 16; i++)
		assert_top(w, i, 500, i == 5 || i == 14 ? 2 : 0);
}

/* Each message has more headers than are read ahead. */
static void long_headers_are_read_in_their_turn(void **state)
{
	struct world *w = *state;
	char *octets = arena_alloc(w->arena, 20000);

	memset(octets, 'x', 20000);
	memcpy(octets + 19000, "\n\nbody\n", 7);
	for (size_t i = 0; i < 6; i++)
		put_octets(w, path_of(w, i), octets, 20000);
	list(w);
	for (size_t i = 0; i < 6; i++)
		assert_top(w, i, 0, 2);
	assert_int_equal(n_kept(w), 0);
}

/* A hundred lines are more than the beginning holds, and it is told by the lines. */
static void long_lines_are_read_in_their_turn(void **state)
{
	struct world *w = *state;
	char *octets = arena_alloc(w->arena, 200000);

	for (size_t i = 0; i < 200000; i++)
		octets[i] = i % 1000 == 999 ? '\n' : 'x';
	memcpy(octets, "Subject: x\n\n", 12);
	for (size_t i = 0; i < 20; i++)
		put_octets(w, path_of(w, i), octets, 200000);
	list(w);
	file_reads = 0;
	for (size_t i = 0; i < 20; i++)
		assert_top(w, i, 100, 7);
	assert_int_equal(n_kept(w), 0);
	/* No more than one of them was in vain for each message. */
	assert_in_range(file_reads, 20 * 7, 20 * 8);
	for (size_t i = 0; i < 5; i++)
		assert_top(w, i, 15, i == 0 || i == 1 || i == 4);
}

static void the_top_of_a_message_is_not_the_message(void **state)
{
	struct world *w = *state;

	fill(w, 16, 3 * MAILDIR_BLOCK_TOP);
	for (size_t i = 0; i < 3; i++)
		assert_top(w, i, 0, i < 2);
	assert_int_equal(n_kept(w), 1);
	assert_retr(w, 3, 1);
	assert_int_equal(n_kept(w), 0);
	assert_retr(w, 4, 1);
	assert_int_equal(n_kept(w), 2);
	assert_top(w, 5, 0, 1);
	assert_int_equal(n_kept(w), 0);
	/* More lines than what is kept was read for. */
	assert_top(w, 6, 0, 1);
	assert_int_equal(n_kept(w), 2);
	assert_top(w, 7, 400, ANY_VISITS);
	assert_top(w, 8, 1, ANY_VISITS);
	assert_top(w, 9, 300, ANY_VISITS);
}

/* Headers, then the message, one after the other. */
static void top_and_retr_by_turns(void **state)
{
	struct world *w = *state;

	fill(w, 5, 20000);
	for (size_t i = 0; i < 5; i++) {
		assert_top(w, i, 0, 1);
		assert_retr(w, i, 1);
	}
	assert_int_equal(octets_kept(w), 0);
}

static void each_folder_by_itself(void **state)
{
	static const char *also[] = { "Junk" };
	struct world *w = *state;

	w->tenant.maildrop.also = (struct string_list){ also, 1 };
	make_maildir(w, ".Junk");
	put(w, "cur/1700000001.a:2,", "one");
	put(w, "cur/1700000002.b:2,", "two");
	put(w, ".Junk/cur/1700000000.c:2,", "three");
	put(w, ".Junk/cur/1700000003.d:2,", "four");
	list(w);
	visits = 0;
	assert_fetches(w, "1700000001.a", "one");
	assert_fetches(w, "1700000002.b", "two");
	assert_int_equal(n_kept(w), 0);
	assert_fetches(w, "1700000000.c", "three");
	assert_int_equal(visits, 3);
	assert_fetches(w, "1700000003.d", "four");
	assert_int_equal(visits, 3);
}

/* Not of the listing, but equal to one of it: what a registry remembers. */
static void a_copy_of_the_listing_is_as_good(void **state)
{
	struct world *w = *state;
	struct backend_message *copy;

	fill(w, 5, 100);
	copy = arena_alloc(w->arena, 5 * sizeof *copy);
	for (size_t i = 0; i < 5; i++) {
		copy[i] = w->listing.messages[i];
		copy[i].key = arena_strdup(w->arena, copy[i].key);
	}
	w->listing.messages = copy;
	for (size_t i = 0; i < 5; i++)
		assert_retr(w, i, i == 0 || i == 1 || i == 4);
}

/* Clients that run along and jump about, while others set flags, get what they asked for. */
static void any_order(void **state)
{
	const char *seed = getenv("POPGATE_TEST_SEED");
	unsigned random = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
	struct world *w = *state;
	bool top = false, renamed[27] = { 0 };
	size_t at = 0, n;
	int direction = 1;

	print_message("seed %u\n", random);
	srand(random);
	put_odd(w);
	list(w);
	n = w->listing.n;
	assert_int_equal(n, 27);
	for (int i = 0; i < 2000; i++) {
		long dice = rand() % 100;
		size_t other = (size_t)rand() % n;

		direction = dice < 5 ? -direction : direction;
		at = dice < 10 ? (size_t)rand() % n : (at + n + (size_t)direction) % n;
		top = dice % 20 == 11 ? !top : top;
		if (dice == 50)
			clock_advance(MAILDIR_AHEAD_AGE + 1);
		if (dice == 51)
			w->backend->ops->rest(w->backend);
		if (dice > 90 && !renamed[other]) {
			move(w, path_of(w, other),
				arena_printf(w->arena, "cur/%s:2,T", key_of(w, other)));
			renamed[other] = true;
		}
		if (top)
			assert_top(w, at, dice % 30 == 0 ? 300 : 0, ANY_VISITS);
		else
			assert_retr(w, at, ANY_VISITS);
		assert_true(octets_kept(w) <= MAILDIR_AHEAD_OCTETS);
	}
}

#define AHEAD_TEST(f) cmocka_unit_test_setup_teardown(f, mailbox_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AHEAD_TEST(one_visit_is_enough_for_many),
		AHEAD_TEST(from_the_newest_to_the_oldest_as_well),
		AHEAD_TEST(one_message_alone_brings_no_other),
		AHEAD_TEST(clients_that_go_elsewhere),
		AHEAD_TEST(turning_round),
		AHEAD_TEST(odd_messages_are_what_they_are),
		AHEAD_TEST(empty_messages_come_ahead_as_well),
		AHEAD_TEST(large_messages_are_read_in_their_turn),
		AHEAD_TEST(a_large_message_does_not_end_a_run),
		AHEAD_TEST(a_session_is_limited),
		AHEAD_TEST(a_process_is_limited),
		AHEAD_TEST(top_reads_ahead_what_it_needs),
		AHEAD_TEST(long_headers_are_read_in_their_turn),
		AHEAD_TEST(long_lines_are_read_in_their_turn),
		AHEAD_TEST(the_top_of_a_message_is_not_the_message),
		AHEAD_TEST(top_and_retr_by_turns),
		AHEAD_TEST(each_folder_by_itself),
		AHEAD_TEST(a_copy_of_the_listing_is_as_good),
		AHEAD_TEST(any_order),
	};

	return cmocka_run_group_tests_name("maildir_ahead", tests, loop_setup, loop_teardown);
}
