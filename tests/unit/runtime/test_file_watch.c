/* watching files: whatever happens to one makes another number. */
#include "fibers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/runtime/file_watch.h"
#include "proxy/runtime/mem.h"

static struct {
	char folder[64];
	char file[96], other[96], away[96];
} at;

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(at.folder, sizeof(at.folder), "/tmp/popgate-watch-XXXXXX");
	assert_non_null(mkdtemp(at.folder));
	snprintf(at.file, sizeof(at.file), "%s/file", at.folder);
	snprintf(at.other, sizeof(at.other), "%s/other", at.folder);
	snprintf(at.away, sizeof(at.away), "%s.away", at.folder);
	put(at.file, "one");
	(void)file_watch_number();
	assert_true(file_watch_add(at.file));
	(void)file_watch_number();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(at.file);
	(void)unlink(at.other);
	(void)rmdir(at.folder);
	return 0;
}

#define assert_noticed(before)                                                                     \
	do {                                                                                       \
		assert_int_not_equal(file_watch_number(), (before));                               \
		/* Whoever looks again watches again. */                                           \
		(void)file_watch_add(at.file);                                                     \
	} while (0)

static void test_looking_changes_nothing(void **state)
{
	uint64_t before = file_watch_number();
	FILE *file = fopen(at.file, "r");

	(void)state;
	assert_int_equal(fgetc(file), 'o');
	assert_int_equal(fclose(file), 0);
	assert_true(file_watch_add(at.file));
	assert_int_equal(file_watch_number(), before);
}

static void test_what_happens_to_the_file(void **state)
{
	uint64_t before = file_watch_number();

	(void)state;
	put(at.file, "two");
	assert_noticed(before);
	before = file_watch_number();
	assert_int_equal(chmod(at.file, 0600), 0);
	assert_noticed(before);
	before = file_watch_number();
	assert_int_equal(truncate(at.file, 0), 0);
	assert_noticed(before);
}

static void test_what_takes_its_place(void **state)
{
	uint64_t before;

	(void)state;
	put(at.other, "two");
	before = file_watch_number();
	assert_int_equal(rename(at.other, at.file), 0);
	assert_noticed(before);
	before = file_watch_number();
	put(at.file, "three");
	assert_noticed(before);
	before = file_watch_number();
	assert_int_equal(unlink(at.file), 0);
	assert_noticed(before);
	before = file_watch_number();
	put(at.file, "four");
	assert_noticed(before);
}

/* As Kubernetes mounts them: the link that is swapped is another one in the same folder. */
static void test_a_link_to_another_file(void **state)
{
	uint64_t before;

	(void)state;
	assert_int_equal(rename(at.file, at.other), 0);
	assert_int_equal(symlink("other", at.file), 0);
	assert_true(file_watch_add(at.file));
	before = file_watch_number();
	put(at.other, "two");
	assert_noticed(before);
	before = file_watch_number();
	assert_int_equal(unlink(at.file), 0);
	assert_int_equal(symlink("nowhere", at.file), 0);
	assert_noticed(before);
}

static void test_a_folder_that_moves(void **state)
{
	uint64_t before = file_watch_number();

	(void)state;
	assert_int_equal(rename(at.folder, at.away), 0);
	assert_int_not_equal(file_watch_number(), before);
	assert_false(file_watch_add(at.file));
	assert_int_equal(rename(at.away, at.folder), 0);
}

static void test_a_file_that_is_not_there(void **state)
{
	(void)state;
	assert_false(file_watch_add(at.other));
	assert_false(file_watch_add("/nowhere/at/all"));
}

#define watch_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		watch_test(test_looking_changes_nothing),
		watch_test(test_what_happens_to_the_file),
		watch_test(test_what_takes_its_place),
		watch_test(test_a_link_to_another_file),
		watch_test(test_a_folder_that_moves),
		watch_test(test_a_file_that_is_not_there),
	};

	return cmocka_run_group_tests_name("file_watch", tests, NULL, NULL);
}
