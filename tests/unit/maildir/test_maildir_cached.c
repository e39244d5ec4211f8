/* What the kernel has in memory of a message is read without a thread, and is the same. */
#include "mailbox.h"

#define LARGE (5 * MAILDIR_BLOCK_ALL + 17)

static void what_is_in_memory_takes_one_visit(void **state)
{
	struct world *w = *state;

	fill(w, 1, LARGE);
	assert_retr(w, 0, 6);
	in_memory = SIZE_MAX;
	assert_retr(w, 0, 1);
}

/* It begins, it ends, and it is cut anywhere. */
static void parts_in_memory(void **state)
{
	struct world *w = *state;

	fill(w, 1, LARGE);
	for (size_t octets = 1; octets < LARGE; octets += 7919) {
		in_memory = octets;
		assert_retr(w, 0, ANY_VISITS);
		/* The first block comes by the visit that opens the file. */
		if (octets <= LARGE - MAILDIR_BLOCK_ALL)
			assert_int_equal(in_memory, 0);
	}
	in_memory = 2 * MAILDIR_BLOCK_ALL;
	assert_retr(w, 0, 4);
}

static void lines_from_memory(void **state)
{
	struct world *w = *state;
	char *octets = arena_alloc(w->arena, LARGE);

	for (size_t i = 0; i < LARGE; i++)
		octets[i] = i % 1000 == 999 ? '\n' : 'x';
	memcpy(octets, "Subject: x\n\n", 12);
	put_octets(w, path_of(w, 0), octets, LARGE);
	list(w);
	in_memory = SIZE_MAX;
	assert_top(w, 0, 100, 1);
	assert_top(w, 0, 1000, ANY_VISITS);
}

#define CACHED_TEST(f) cmocka_unit_test_setup_teardown(f, mailbox_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHED_TEST(what_is_in_memory_takes_one_visit),
		CACHED_TEST(parts_in_memory),
		CACHED_TEST(lines_from_memory),
	};

	return cmocka_run_group_tests_name("maildir_cached", tests, loop_setup, loop_teardown);
}
