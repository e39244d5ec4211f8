/* Which messages are read ahead: when, how far, and within what limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/ahead.h"

#define MESSAGES 3000
#define OCTETS   100 /* of each */

static const struct ahead_limits ample = { 1 << 30, UINT64_MAX, UINT64_MAX };
static struct backend_message messages[MESSAGES];

static int make_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < MESSAGES; i++)
		messages[i] = (struct backend_message){ .size = OCTETS };
	return 0;
}

/* Asks for one; true: it was there. What is chosen then is there at once. */
static bool ask(
	struct ahead *ahead, size_t index, enum fetch_part part, const struct ahead_limits *limits)
{
	struct buffer body = { 0 };
	bool there = ahead_take(ahead, index, part, &body);

	assert_int_equal(buffer_used(&body), there ? index % 7 : 0);
	buffer_done(&body);
	if (there || !ahead_is_empty(ahead))
		return there;
	ahead_choose(ahead, messages, MESSAGES, limits);
	for (size_t i = ahead->first; i < ahead->n; i++) {
		struct ahead_message *message = &ahead->kept[i];

		message->there = !message->left_out;
		if (message->there)
			buffer_append(&message->body, "octets", message->index % 7);
	}
	return false;
}

/* How many are chosen by asking for that one. */
static size_t chosen(struct ahead *ahead, size_t index)
{
	assert_false(ask(ahead, index, FETCH_ALL, &ample));
	return ahead->n;
}

static void runs_grow_up_to_the_limit(void **state)
{
	static const size_t lengths[] = { 0, 2, 4, 8, 16, 32, 64, 128, AHEAD_MAX, AHEAD_MAX };
	struct ahead ahead;
	size_t at = 0;

	(void)state;
	ahead_init(&ahead);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		assert_int_equal(chosen(&ahead, at++), lengths[i]);
		for (size_t k = 0; k < lengths[i]; k++, at++) {
			assert_true(ahead_has(&ahead, at, FETCH_ALL));
			assert_false(ahead_has(&ahead, at, FETCH_TOP));
			assert_true(ask(&ahead, at, FETCH_ALL, &ample));
		}
		assert_true(ahead_is_empty(&ahead));
		assert_int_equal(ahead.octets, 0);
	}
	ahead_drop(&ahead);
}

static void both_ends_of_the_listing_end_a_run(void **state)
{
	struct ahead ahead;

	(void)state;
	ahead_init(&ahead);
	assert_int_equal(chosen(&ahead, MESSAGES - 3), 0);
	assert_int_equal(chosen(&ahead, MESSAGES - 2), 1);
	assert_true(ask(&ahead, MESSAGES - 1, FETCH_ALL, &ample));
	assert_int_equal(chosen(&ahead, 2), 0);
	assert_int_equal(chosen(&ahead, 1), 1);
	assert_true(ask(&ahead, 0, FETCH_ALL, &ample));
	assert_int_equal(chosen(&ahead, 1), 2);
	assert_int_equal(chosen(&ahead, SIZE_MAX), 0);
	assert_int_equal(chosen(&ahead, 0), 0);
	ahead_drop(&ahead);
}

static void whoever_leaves_the_order_starts_anew(void **state)
{
	static const size_t elsewhere[] = { 1, 4, 3, 0, 100, SIZE_MAX };
	struct ahead ahead;

	(void)state;
	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
		ahead_init(&ahead);
		assert_int_equal(chosen(&ahead, 0), 0);
		assert_int_equal(chosen(&ahead, 1), 2);
		/* Up to 2 it is in order; then, anything but 3. */
		assert_true(ask(&ahead, 2, FETCH_ALL, &ample));
		assert_false(ask(&ahead, elsewhere[i], FETCH_TOP, &ample));
		assert_true(ahead_is_empty(&ahead));
		ahead_drop(&ahead);
	}
}

static void a_folder_ends_a_run(void **state)
{
	struct ahead ahead;

	(void)state;
	ahead_init(&ahead);
	for (size_t i = 3; i < MESSAGES; i++)
		messages[i].folder = 1;
	assert_int_equal(chosen(&ahead, 0), 0);
	assert_int_equal(chosen(&ahead, 1), 1);
	assert_true(ask(&ahead, 2, FETCH_ALL, &ample));
	assert_int_equal(chosen(&ahead, 3), 4);
	ahead_drop(&ahead);
}

static void octets_are_limited(void **state)
{
	const struct ahead_limits limits = { 3 * OCTETS, UINT64_MAX, UINT64_MAX };
	struct ahead ahead;

	(void)state;
	ahead_init(&ahead);
	for (size_t i = 0; i < 4; i++)
		(void)ask(&ahead, i, FETCH_ALL, &limits);
	assert_false(ask(&ahead, 4, FETCH_ALL, &limits));
	assert_int_equal(ahead.n, 3);
	assert_int_equal(ahead.octets, 3 * OCTETS);
	ahead_drop(&ahead);
	assert_int_equal(ahead.octets, 0);
}

/* Parts of messages count as parts; what is too long has its place all the same. */
static void long_messages_are_left_out(void **state)
{
	const struct ahead_limits whole = { 1 << 30, UINT64_MAX, OCTETS };
	const struct ahead_limits part = { 1 << 30, OCTETS / 2, OCTETS };
	struct ahead ahead;

	(void)state;
	ahead_init(&ahead);
	messages[2].size = OCTETS + 1;
	assert_false(ask(&ahead, 0, FETCH_ALL, &whole));
	assert_false(ask(&ahead, 1, FETCH_ALL, &whole));
	assert_int_equal(ahead.octets, OCTETS);
	assert_false(ask(&ahead, 2, FETCH_ALL, &whole));
	assert_true(ask(&ahead, 3, FETCH_ALL, &whole));
	assert_false(ask(&ahead, 0, FETCH_TOP, &part));
	assert_false(ask(&ahead, 1, FETCH_TOP, &part));
	assert_int_equal(ahead.octets, 2 * (OCTETS / 2));
	assert_true(ask(&ahead, 2, FETCH_TOP, &part));
	ahead_drop(&ahead);
}

static void sessions_share_what_there_is(void **state)
{
	const struct ahead_limits all = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	struct ahead hog, ahead;

	(void)state;
	messages[2].size = AHEAD_OCTETS_MAX - OCTETS;
	ahead_init(&hog);
	ahead_init(&ahead);
	assert_false(ask(&hog, 0, FETCH_ALL, &all));
	assert_false(ask(&hog, 1, FETCH_ALL, &all));
	assert_int_equal(hog.octets, AHEAD_OCTETS_MAX);
	for (size_t i = 10; i < 20; i++)
		assert_int_equal(chosen(&ahead, i), 0);
	assert_true(ask(&hog, 2, FETCH_ALL, &all));
	assert_int_not_equal(chosen(&ahead, 20), 0);
	ahead_drop(&hog);
	ahead_drop(&ahead);
	/* All was given back. */
	assert_false(ask(&hog, 0, FETCH_ALL, &all));
	assert_false(ask(&hog, 1, FETCH_ALL, &all));
	assert_int_equal(hog.octets, AHEAD_OCTETS_MAX);
	ahead_drop(&hog);
}

static void slow_clients_get_shorter_runs(void **state)
{
	struct ahead ahead;
	size_t at = 0;

	(void)state;
	ahead_init(&ahead);
	while (ahead.n < AHEAD_MAX)
		(void)ask(&ahead, at++, FETCH_ALL, &ample);
	for (size_t i = 0; i < 200; i++)
		assert_true(ask(&ahead, at++, FETCH_ALL, &ample));
	ahead_expire(&ahead);
	assert_int_equal(chosen(&ahead, at++), 200);
	assert_true(ask(&ahead, at++, FETCH_ALL, &ample));
	ahead_expire(&ahead);
	assert_int_equal(chosen(&ahead, at++), 2);
	/* And longer ones when it hurries again. */
	assert_true(ask(&ahead, at++, FETCH_ALL, &ample));
	assert_true(ask(&ahead, at++, FETCH_ALL, &ample));
	assert_int_equal(chosen(&ahead, at++), 4);
	ahead_drop(&ahead);
}

#define AHEAD_TEST(f) cmocka_unit_test_setup(f, make_messages)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AHEAD_TEST(runs_grow_up_to_the_limit),
		AHEAD_TEST(both_ends_of_the_listing_end_a_run),
		AHEAD_TEST(whoever_leaves_the_order_starts_anew),
		AHEAD_TEST(a_folder_ends_a_run),
		AHEAD_TEST(octets_are_limited),
		AHEAD_TEST(long_messages_are_left_out),
		AHEAD_TEST(sessions_share_what_there_is),
		AHEAD_TEST(slow_clients_get_shorter_runs),
	};

	return cmocka_run_group_tests_name("ahead", tests, NULL, NULL);
}
