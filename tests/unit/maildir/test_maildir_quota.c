/* What maildirsize tells at login, and that nothing of it keeps anybody out. */
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

static void assert_quota(struct world *w, const char *text, struct backend_quota expected)
{
	put(w, "maildirsize", text);
	list(w);
	assert_int_equal(w->listing.n, 1);
	assert_memory_equal(&w->listing.quota, &expected, sizeof(expected));
	drop(w, "maildirsize");
}

static void sums_up_the_file(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	assert_quota(w, "1000S,20C\n", (struct backend_quota){ 0, 1000, 0, 20 });
	assert_quota(w, "1000S,20C\n90 3\n-5 -1\n         100            4\n",
		(struct backend_quota){ 185, 1000, 6, 20 });
	assert_quota(w, "20C\n7 1", (struct backend_quota){ 7, 0, 1, 20 });
	assert_quota(w, "5X,1000S\n7 1\n", (struct backend_quota){ 7, 1000, 1, 0 });
	assert_quota(w, "1000S\n7 1\n-10 -2\n", (struct backend_quota){ 0, 1000, 0, 0 });
	assert_quota(w, "0S,0C\n7 1\n", (struct backend_quota){ 7, 0, 1, 0 });
}

static void what_makes_no_sense_tells_nothing(void **state)
{
	static const char *const texts[] = { "", "\n", "\n7 1\n", "S\n", "1000\n", "1000S,\n",
		"-1S\n", "1000SC\n", "1000S\nseven 1\n", "1000S\n7\n", "1000S\n7 one\n",
		"1000S\n7 1 1\n", "1000S\n9223372036854775807 0\n1 0\n",
		"1000S\n99999999999999999999 0\n" };
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_quota(w, texts[i], (struct backend_quota){ 0 });
}

static void without_a_file_nothing_is_known(void **state)
{
	struct world *w = *state;
	char *huge = arena_zalloc(w->arena, 100001, 1);

	put(w, "new/1700000001.a", "x");
	list(w);
	assert_false(quota_known(&w->listing.quota));
	make_maildir(w, "maildirsize");
	list(w);
	assert_false(quota_known(&w->listing.quota));
	assert_int_equal(w->listing.n, 1);
	move(w, "maildirsize", "directory");
	put(w, "elsewhere", "1000S\n7 1\n");
	assert_int_equal(symlink("elsewhere", full(w, "maildirsize")), 0);
	list(w);
	assert_false(quota_known(&w->listing.quota));
	drop(w, "maildirsize");
	assert_int_equal(mkfifo(full(w, "maildirsize"), 0600), 0);
	list(w);
	assert_false(quota_known(&w->listing.quota));
	drop(w, "maildirsize");
	strcpy(huge, "1000S\n7 1\n");
	for (size_t i = 10; i + 4 <= 100000; i += 4)
		strcpy(huge + i, "0 0\n");
	put(w, "maildirsize", huge);
	list(w);
	assert_false(quota_known(&w->listing.quota));
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(sums_up_the_file),
		WORLD_TEST(what_makes_no_sense_tells_nothing),
		WORLD_TEST(without_a_file_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
