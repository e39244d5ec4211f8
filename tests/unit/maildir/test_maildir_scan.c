/*
 * Scanning a folder that changes meanwhile. readdir and the clock are wrapped at link time, so that
 * a change comes exactly when a directory has been read to its end, and time passes when a test
 * says so.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "backends/maildir/scan.h"
#include "world.h"

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

/* How much later it is than it is, for the scan. */
static int64_t later; /* s */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = __real_clock_gettime(clock, ret);

	ret->tv_sec += clock == CLOCK_REALTIME ? later : 0;
	return rc;
}

struct dirent *__real_readdir(DIR *stream);
struct dirent *__wrap_readdir(DIR *stream);

/* Called after each pass's reading of new/ and of cur/: the number counts from 0. */
static void (*at_end)(const struct world *w, unsigned number);
static const struct world *world;
static unsigned ends;

struct dirent *__wrap_readdir(DIR *stream)
{
	struct dirent *entry = __real_readdir(stream);

	if (!entry && at_end)
		at_end(world, ends++);
	return entry;
}

static struct maildir_scan scan(
	const struct world *w, void (*change)(const struct world *w, unsigned number))
{
	struct maildir_scan scan = { 0 };
	struct maildir_dirs dirs = { .fd = { -1, -1 } };

	world = w;
	ends = 0;
	assert_int_equal(maildir_dirs_open(w->maildir, ".", &dirs), 0);
	at_end = change;
	assert_int_equal(maildir_scan_read(&scan, &dirs), 0);
	at_end = NULL;
	maildir_dirs_close(&dirs);
	later = 0;
	return scan;
}

static void assert_found(const struct maildir_scan *scan, const char *base, const char *info)
{
	struct maildir_name name;

	assert_true(maildir_scan_find(scan, base, &name));
	assert_string_equal(name.base, base);
	assert_string_equal(name.info, info);
}

/* Gives the directories' times an age, so that a later change shows. */
static void age(const struct world *w, int64_t seconds)
{
	later = 3600;
	set_mtime(w, "new", seconds);
	set_mtime(w, "cur", seconds);
}

static void hide_once(const struct world *w, unsigned number)
{
	if (number == 0)
		move(w, "cur/1700000001.a:2,", "new/1700000001.a");
}

static void a_move_against_the_reading_hides_nothing(void **state)
{
	const struct world *w = *state;
	struct maildir_scan found;

	put(w, "cur/1700000001.a:2,", "x");
	put(w, "cur/1700000002.b:2,", "x");
	age(w, 1700000000);
	found = scan(w, hide_once);
	assert_int_equal(found.n, 2);
	assert_found(&found, "1700000001.a", "");
	maildir_scan_done(&found);
}

static void change_then_hide(const struct world *w, unsigned number)
{
	age(w, 1600000000 + number);
	if (number == 6) /* the fourth pass, between new and cur */
		move(w, "cur/1700000001.a:2,", "new/1700000001.a");
}

static void without_rest_all_that_was_seen_counts(void **state)
{
	const struct world *w = *state;
	struct maildir_scan found;

	put(w, "cur/1700000001.a:2,", "x");
	put(w, "cur/1700000002.b:2,", "x");
	age(w, 1500000000);
	found = scan(w, change_then_hide);
	assert_false(found.settled);
	assert_int_equal(found.n, 2);
	assert_found(&found, "1700000001.a", ":2,");
	maildir_scan_done(&found);
}

static void change_flags(const struct world *w, unsigned number)
{
	static const char *const names[] = { "cur/1700000001.a:2,", "cur/1700000001.a:2,F",
		"cur/1700000001.a:2,FS", "cur/1700000001.a:2,S" };

	if (number % 2 == 1 && number / 2 < 3)
		move(w, names[number / 2], names[number / 2 + 1]);
}

static void the_latest_name_counts(void **state)
{
	const struct world *w = *state;
	struct maildir_scan found;

	put(w, "cur/1700000001.a:2,", "x");
	found = scan(w, change_flags);
	assert_int_equal(found.n, 1);
	assert_found(&found, "1700000001.a", ":2,S");
	maildir_scan_done(&found);
}

static void remove_and_rest(const struct world *w, unsigned number)
{
	if (number != 1)
		return;
	drop(w, "cur/1700000001.a:2,");
	age(w, 1600000000);
}

static void at_rest_only_what_is_there_counts(void **state)
{
	const struct world *w = *state;
	struct maildir_scan found;
	struct maildir_name name;

	put(w, "cur/1700000001.a:2,", "x");
	put(w, "cur/1700000002.b:2,", "x");
	put(w, "new/1700000003.c", "x");
	age(w, 1500000000);
	found = scan(w, remove_and_rest);
	assert_true(found.settled);
	assert_int_equal(found.n, 2);
	assert_false(maildir_scan_find(&found, "1700000001.a", &name));
	assert_found(&found, "1700000002.b", ":2,");
	assert_found(&found, "1700000003.c", "");
	maildir_scan_done(&found);
}

static void count_passes(const struct world *w, unsigned number)
{
	(void)w;
	(void)number;
}

static void a_folder_at_rest_is_read_once(void **state)
{
	const struct world *w = *state;
	struct maildir_scan found;
	struct maildir_dirs dirs = { .fd = { -1, -1 } };

	put(w, "cur/1700000001.a:2,", "x");
	age(w, 1500000000);
	found = scan(w, count_passes);
	assert_int_equal(ends, 2);
	assert_int_equal(maildir_dirs_open(w->maildir, ".", &dirs), 0);
	assert_true(maildir_scan_is_current(&found, &dirs));
	put(w, "new/1700000002.b", "x");
	assert_false(maildir_scan_is_current(&found, &dirs));
	maildir_dirs_close(&dirs);
	maildir_scan_done(&found);
}

/* Within one tick of the file system's clock, two changes leave one time. */
static void a_change_of_this_moment_is_not_trusted(void **state)
{
	const struct world *w = *state;
	struct maildir_scan found;
	struct maildir_dirs dirs = { .fd = { -1, -1 } };

	set_mtime(w, "new", 1500000000);
	set_mtime(w, "cur", INT32_MAX); /* as late as a clock can be ahead */
	found = scan(w, count_passes);
	assert_int_equal(ends, 8);
	assert_int_equal(maildir_dirs_open(w->maildir, ".", &dirs), 0);
	assert_false(maildir_scan_is_current(&found, &dirs));
	maildir_dirs_close(&dirs);
	maildir_scan_done(&found);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_move_against_the_reading_hides_nothing),
		WORLD_TEST(without_rest_all_that_was_seen_counts),
		WORLD_TEST(the_latest_name_counts),
		WORLD_TEST(at_rest_only_what_is_there_counts),
		WORLD_TEST(a_folder_at_rest_is_read_once),
		WORLD_TEST(a_change_of_this_moment_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
