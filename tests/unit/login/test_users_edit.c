#include "tests/unit/login/fixture.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/login/users_edit.h"
#include "proxy/runtime/mem.h"

static void assert_file(const char *path, const char *expected)
{
	cleanup(free_cleanup) char *text = read_file(path);

	assert_string_equal(text, expected);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_set_makes_the_file(void **state)
{
	const char *path = path_of("new.users");
	bool known = true;

	(void)state;
	assert_ok(users_set(path, "ann", HASH_BCRYPT, &known));
	assert_false(known);
	assert_file(path, "ann:" HASH_BCRYPT "\n");
	assert_int_equal(mode_of(path), 0600);
}

static void test_comments_order_and_mode_stay(void **state)
{
	const char *path = path_of("some.users");
	bool known = false;

	(void)state;
	write_file(path, "# head\r\nann:old\n\nannabel:other\nrubbish\nzoe:last");
	assert_int_equal(chmod(path, 0640), 0);
	assert_ok(users_set(path, "ann", "NEW", &known));
	assert_true(known);
	assert_ok(users_set(path, "bob", "B", &known));
	assert_false(known);
	assert_file(path, "# head\r\nann:NEW\n\nannabel:other\nrubbish\nzoe:last\nbob:B\n");
	assert_ok(users_remove(path, "annabel", &known));
	assert_true(known);
	assert_file(path, "# head\r\nann:NEW\n\nrubbish\nzoe:last\nbob:B\n");
	assert_int_equal(mode_of(path), 0640);
}

static void test_set_heals_a_duplicate(void **state)
{
	const char *path = path_of("twice.users");
	bool known = false;

	(void)state;
	write_file(path, "ann:1\nbob:2\nann:3\n");
	assert_ok(users_set(path, "ann", "4", &known));
	assert_file(path, "ann:4\nbob:2\n");
}

static void test_removing_an_unknown_login_changes_nothing(void **state)
{
	const char *path = path_of("same.users");
	struct stat before, after;
	bool known = true;

	(void)state;
	write_file(path, "#bob:x\nann:1\n");
	assert_int_equal(stat(path, &before), 0);
	assert_ok(users_remove(path, "bob", &known));
	assert_false(known);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void test_removing_from_no_file_fails(void **state)
{
	bool known;
	struct err e = users_remove(path_of("none.users"), "ann", &known);

	(void)state;
	assert_scope(e, ERR_TEMP);
	assert_non_null(strstr(e.detail, "none.users"));
	assert_int_not_equal(access(path_of("none.users"), F_OK), 0);
}

static void test_logins_that_would_break_a_line_are_refused(void **state)
{
	static const char *const wrong[] = { "", "a:b", "a\nb", "a\x7f", "#ann", " ann", "ann ",
		NULL };
	const char *path = path_of("kept.users");
	bool known;

	(void)state;
	write_file(path, "#ann:1\n");
	for (const char *const *login = wrong; *login; login++) {
		assert_scope(users_set(path, *login, "x", &known), ERR_INVALID);
		assert_scope(users_remove(path, *login, &known), ERR_INVALID);
	}
	assert_file(path, "#ann:1\n");
}

static void test_a_link_stays_a_link(void **state)
{
	const char *path = path_of("target.users");
	const char *link = path_of("link.users");
	struct stat st;
	bool known;

	(void)state;
	write_file(path, "ann:1\n");
	assert_int_equal(symlink("target.users", link), 0);
	assert_ok(users_set(link, "bob", "2", &known));
	assert_file(path, "ann:1\nbob:2\n");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void test_a_folder_is_no_users_file(void **state)
{
	bool known;

	(void)state;
	assert_scope(users_set(folder(), "ann", "x", &known), ERR_TEMP);
	assert_scope(users_remove(folder(), "ann", &known), ERR_TEMP);
}

#define WRITERS 6
#define EACH    8

static int write_some(const char *path, unsigned writer)
{
	bool known;

	for (unsigned i = 0; i < EACH; i++) {
		cleanup(free_cleanup) char *login = mem_printf("user%u-%u", writer, i);

		if (failed(users_set(path, login, "x", &known)))
			return 1;
	}
	return 0;
}

static void test_concurrent_sets_lose_nothing(void **state)
{
	const char *path = path_of("busy.users");
	pid_t pids[WRITERS];
	cleanup(free_cleanup) char *text = NULL;
	int status;

	(void)state;
	for (unsigned i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(write_some(path, i));
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	text = read_file(path);
	for (unsigned i = 0; i < WRITERS * EACH; i++) {
		cleanup(free_cleanup) char *line = mem_printf("user%u-%u:x\n", i / EACH, i % EACH);

		assert_non_null(strstr(text, line));
	}
}

static void test_nothing_is_left_behind(void **state)
{
	cleanup(free_cleanup) char *command =
		mem_printf("test -z \"$(find %s -name '.users.*')\"", folder());

	(void)state;
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_makes_the_file),
		cmocka_unit_test(test_comments_order_and_mode_stay),
		cmocka_unit_test(test_set_heals_a_duplicate),
		cmocka_unit_test(test_removing_an_unknown_login_changes_nothing),
		cmocka_unit_test(test_removing_from_no_file_fails),
		cmocka_unit_test(test_logins_that_would_break_a_line_are_refused),
		cmocka_unit_test(test_a_link_stays_a_link),
		cmocka_unit_test(test_a_folder_is_no_users_file),
		cmocka_unit_test(test_concurrent_sets_lose_nothing),
		cmocka_unit_test(test_nothing_is_left_behind),
	};

	return cmocka_run_group_tests_name("users_edit", tests, folder_setup, folder_teardown);
}
