/* match: what identifies a message, in which order, and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/maildrop/match.h"

#define NONE    (-1)
#define UNKNOWN UINT64_MAX
#define MOST    6

/* Pairs both and compares with what is expected of each fresh one. */
static void check(const struct match_item *lost, size_t n_lost, const struct match_item *fresh,
	size_t n_fresh, enum match_rules rules, const int *expected)
{
	struct arena *arena = arena_new();
	const uint32_t *pairs = match(lost, n_lost, fresh, n_fresh, rules, arena);

	for (size_t i = 0; i < n_fresh; i++)
		assert_int_equal(
			pairs[i], expected[i] == NONE ? MATCH_NONE : (uint32_t)expected[i]);
	arena_free(arena);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CHECK(lost, fresh, rules, ...)                                                             \
	check((lost), COUNT(lost), (fresh), COUNT(fresh), (rules), (const int[]){ __VA_ARGS__ })

static void nothing_meets_nothing(void **state)
{
	const struct match_item one = { .emailid = "M1", .size = 1 };

	(void)state;
	check(NULL, 0, NULL, 0, MATCH_ALL, NULL);
	check(&one, 1, NULL, 0, MATCH_ALL, NULL);
	check(NULL, 0, &one, 1, MATCH_ALL, (const int[]){ NONE });
}

static void the_unknown_does_not_match(void **state)
{
	const struct match_item lost[] = { { .size = UNKNOWN }, { .emailid = "", .size = 10 },
		{ .key = "", .size = UNKNOWN, .arrival = 5 } };
	const struct match_item fresh[] = { { .size = UNKNOWN }, { .emailid = "", .size = 10 },
		{ .key = "", .size = UNKNOWN, .arrival = 5 } };

	(void)state;
	CHECK(lost, fresh, MATCH_ALL, NONE, NONE, NONE);
	CHECK(lost, fresh, MATCH_CERTAIN, NONE, NONE, NONE);
}

static void emailid_comes_first(void **state)
{
	/* By arrival and size they would be paired the other way round. */
	const struct match_item lost[] = { { .emailid = "M1", .arrival = 1, .size = 10 },
		{ .emailid = "M2", .arrival = 2, .size = 20 } };
	const struct match_item fresh[] = { { .emailid = "M2", .arrival = 1, .size = 10 },
		{ .emailid = "M1", .arrival = 2, .size = 20 } };

	(void)state;
	CHECK(lost, fresh, MATCH_ALL, 1, 0);
	CHECK(lost, fresh, MATCH_CERTAIN, 1, 0);
}

static void name_counts_up_to_its_sizes(void **state)
{
	const struct match_item lost[] = {
		{ .key = "1700000000.M1P2.host,S=100,W=102", .size = 102 },
		{ .key = "1700000000.M1P2.host2", .size = 102 },
		{ .key = "1700000001.M1P2.host,W=50", .size = 50 },
	};
	const struct match_item fresh[] = {
		{ .key = "1700000000.M1P2.host,S=90,W=92", .size = 92 },
		{ .key = "1700000001.M1P2.host,S=40", .size = 41 },
		{ .key = "1700000000.M1P2.hos", .size = 102 },
		{ .key = "1700000000.M1P2.host2", .size = UNKNOWN },
	};

	(void)state;
	CHECK(lost, fresh, MATCH_CERTAIN, 0, 2, NONE, 1);
}

static void key_of_an_adopted_one_is_no_name(void **state)
{
	const struct match_item lost[] = { { .key = "adopted:1", .size = 5, .adopted = true } };
	const struct match_item fresh[] = { { .key = "adopted:1", .size = 6 } };

	(void)state;
	CHECK(lost, fresh, MATCH_ALL, NONE);
}

static void certain_needs_fingerprint_and_arrival(void **state)
{
	const struct match_item lost[] = { { .fingerprint = 7, .arrival = 1, .size = 10 },
		{ .fingerprint = 8, .arrival = 2, .size = 20 },
		{ .fingerprint = 9, .arrival = 3, .size = 30 }, { .arrival = 4, .size = 40 } };
	const struct match_item fresh[] = { { .fingerprint = 7, .arrival = 1, .size = 10 },
		{ .fingerprint = 8, .arrival = 3, .size = 20 },
		{ .fingerprint = 9, .arrival = 3, .size = 31 }, { .arrival = 4, .size = 40 } };

	(void)state;
	CHECK(lost, fresh, MATCH_CERTAIN, 0, NONE, 2, NONE);
	CHECK(lost, fresh, MATCH_LIKELY, 0, 1, 2, 3);
	CHECK(lost, fresh, MATCH_ALL, 0, 1, 2, 3);
}

static void fingerprints_may_contradict_arrival_and_size(void **state)
{
	const struct match_item lost[] = { { .fingerprint = 7, .arrival = 1, .size = 10 },
		{ .arrival = 2, .size = 20 }, { .fingerprint = 7, .arrival = 3, .size = 30 } };
	const struct match_item fresh[] = { { .fingerprint = 8, .arrival = 1, .size = 10 },
		{ .fingerprint = 8, .arrival = 2, .size = 20 }, { .arrival = 3, .size = 30 } };

	(void)state;
	CHECK(lost, fresh, MATCH_ALL, NONE, 1, 2);
}

static void equal_ones_mixed_with_contradicting_ones_keep_their_order(void **state)
{
#define ITEM(f)                                                                                    \
	{                                                                                          \
		.fingerprint = (f), .arrival = 1, .size = 10                                       \
	}
	const struct match_item lost[] = { ITEM(1), ITEM(0), ITEM(2), ITEM(0), ITEM(3) };
	const struct match_item fresh[] = { ITEM(3), ITEM(0), ITEM(4), ITEM(0), ITEM(5), ITEM(6) };

	(void)state;
	/* 3 by its fingerprint; then those without one take the earliest left; 4 may have none that
	 * has one, and for 6 there is nothing left. */
	CHECK(lost, fresh, MATCH_ALL, 4, 0, 1, 2, 3, NONE);
#undef ITEM
}

static void fingerprint_prefers_equal_sizes(void **state)
{
	const struct match_item lost[] = { { .fingerprint = 7, .size = 10 },
		{ .fingerprint = 7, .size = 20 }, { .fingerprint = 7, .size = UNKNOWN } };
	const struct match_item fresh[] = { { .fingerprint = 7, .size = 20 },
		{ .fingerprint = 7, .size = 30 }, { .fingerprint = 7, .size = 40 },
		{ .fingerprint = 7, .size = 50 } };

	(void)state;
	CHECK(lost, fresh, MATCH_ALL, 1, 0, 2, NONE);
}

static void size_alone_is_for_adopted_ones_without_more(void **state)
{
	const struct match_item lost[] = { { .size = 10 }, { .size = 10, .adopted = true },
		{ .size = 20, .adopted = true, .fingerprint = 3 },
		{ .size = 30, .adopted = true, .arrival = 3 } };
	const struct match_item fresh[] = { { .size = 10, .fingerprint = 1, .arrival = 1 },
		{ .size = 10 }, { .size = 20 }, { .size = 30 } };

	(void)state;
	CHECK(lost, fresh, MATCH_ALL, 1, NONE, NONE, NONE);
	CHECK(lost, fresh, MATCH_LIKELY, NONE, NONE, NONE, NONE);
	CHECK(lost, fresh, MATCH_CERTAIN, NONE, NONE, NONE, NONE);
}

/* Many messages are of the same size as one that its owner deleted before the mail moved here. */
static void size_alone_is_for_what_had_arrived(void **state)
{
	const struct match_item lost[] = { { .size = 10, .adopted = true, .until = 100 },
		{ .size = 20, .adopted = true, .until = 100 } };
	const struct match_item fresh[] = { { .size = 10, .arrival = 101 },
		{ .size = 20, .arrival = 101 }, { .size = 20, .arrival = 100 }, { .size = 10 } };

	(void)state;
	CHECK(lost, fresh, MATCH_ALL, NONE, NONE, 1, 0);
}

static void fingerprint_alone_is_for_a_renumbered_folder(void **state)
{
	const struct match_item lost[] = { { .fingerprint = 7, .arrival = 1, .size = 10 } };
	const struct match_item fresh[] = { { .fingerprint = 7, .arrival = 2, .size = 11 } };

	(void)state;
	CHECK(lost, fresh, MATCH_ALL, 0);
	CHECK(lost, fresh, MATCH_LIKELY, NONE);
}

static void same_folder_comes_first(void **state)
{
	const struct match_item lost[] = { { .emailid = "M", .size = 1, .folder = 0 },
		{ .emailid = "M", .size = 1, .folder = 1 },
		{ .emailid = "M", .size = 1, .folder = 2 } };
	const struct match_item fresh[] = { { .emailid = "M", .size = 1, .folder = 1 },
		{ .emailid = "M", .size = 1, .folder = 3 },
		{ .emailid = "M", .size = 1, .folder = 0 },
		{ .emailid = "M", .size = 1, .folder = 4 } };

	(void)state;
	CHECK(lost, fresh, MATCH_CERTAIN, 1, 2, 0, NONE);
}

static void equal_ones_are_paired_in_order(void **state)
{
#define ITEM                                                                                       \
	{                                                                                          \
		.arrival = 1, .size = 10                                                           \
	}
	const struct match_item three[] = { ITEM, ITEM, ITEM }, two[] = { ITEM, ITEM };
#undef ITEM

	(void)state;
	CHECK(three, two, MATCH_ALL, 0, 1);
	CHECK(two, three, MATCH_ALL, 0, 1, NONE);
}

#define MANY 100000

static struct match_item *many(unsigned differing)
{
	struct match_item *items = mem_zalloc(MANY, sizeof(items[0]));

	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t n = i * 7919 % MANY; /* a permutation, so that nothing is in order */

		items[i] = (struct match_item){
			.emailid = differing & 1 ? "Munlike" : "",
			.fingerprint = differing & 2    ? 1 + n
				       : differing & 16 ? 5
							: 0,
			.arrival = differing & 4 ? 1 + (int64_t)n : 1,
			.size = differing & 8 ? n : 1,
			.folder = (uint16_t)(n & 1),
		};
	}
	return items;
}

/* What an attacker could mail: all equal, in one property or in all. A quadratic way would take
 * hours and be ended by the runner. */
static void equal_messages_cost_no_more_than_others(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	for (unsigned differing = 0; differing < 32; differing++) {
		struct match_item *items = many(differing);
		const uint32_t *pairs = match(items, MANY, items, MANY, MATCH_ALL, arena);

		for (uint32_t i = 0; i < MANY; i++)
			assert_int_equal(pairs[i], i);
		arena_reset(arena);
		free(items);
	}
	arena_free(arena);
}

/* All that agree in arrival and size, none of which may be paired. */
static void contradictions_cost_no_more_either(void **state)
{
	struct arena *arena = arena_new();
	struct match_item *lost = many(2), *fresh = many(2);
	const uint32_t *pairs;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		fresh[i].fingerprint += MANY;
	pairs = match(lost, MANY, fresh, MANY, MATCH_ALL, arena);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(pairs[i], MATCH_NONE);
	free(lost);
	free(fresh);
	arena_free(arena);
}

/* Whatever there is, nothing is given twice. */
static void random_ones_are_paired_once(void **state)
{
	static const char *const emailids[] = { NULL, "", "M1", "M2" };
	static const char *const keys[] = { NULL, "a", "a,S=1", "b" };
	struct match_item items[2][MOST];
	struct arena *arena = arena_new();

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		enum match_rules rules = rand() % 2 ? MATCH_ALL : MATCH_CERTAIN;
		bool taken[MOST] = { false };
		const uint32_t *pairs;

		for (int i = 0; i < 2 * MOST; i++)
			items[i / MOST][i % MOST] = (struct match_item){
				.emailid = emailids[rand() % 4],
				.key = keys[rand() % 4],
				.fingerprint = (uint64_t)(rand() % 3),
				.arrival = rand() % 3,
				.size = rand() % 3 ? (uint64_t)(rand() % 2) : UNKNOWN,
				.folder = (uint16_t)(rand() % 2),
				.adopted = i < MOST && rand() % 2,
			};
		pairs = match(items[0], MOST, items[1], MOST, rules, arena);
		for (int i = 0; i < MOST; i++) {
			if (pairs[i] == MATCH_NONE)
				continue;
			assert_in_range(pairs[i], 0, MOST - 1);
			assert_false(taken[pairs[i]]);
			taken[pairs[i]] = true;
		}
		arena_reset(arena);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_meets_nothing),
		cmocka_unit_test(the_unknown_does_not_match),
		cmocka_unit_test(emailid_comes_first),
		cmocka_unit_test(name_counts_up_to_its_sizes),
		cmocka_unit_test(key_of_an_adopted_one_is_no_name),
		cmocka_unit_test(certain_needs_fingerprint_and_arrival),
		cmocka_unit_test(fingerprints_may_contradict_arrival_and_size),
		cmocka_unit_test(equal_ones_mixed_with_contradicting_ones_keep_their_order),
		cmocka_unit_test(fingerprint_prefers_equal_sizes),
		cmocka_unit_test(size_alone_is_for_adopted_ones_without_more),
		cmocka_unit_test(size_alone_is_for_what_had_arrived),
		cmocka_unit_test(fingerprint_alone_is_for_a_renumbered_folder),
		cmocka_unit_test(same_folder_comes_first),
		cmocka_unit_test(equal_ones_are_paired_in_order),
		cmocka_unit_test(equal_messages_cost_no_more_than_others),
		cmocka_unit_test(contradictions_cost_no_more_either),
		cmocka_unit_test(random_ones_are_paired_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
