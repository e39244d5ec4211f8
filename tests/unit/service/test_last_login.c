/* last_login: delays per user, in all processes, in a table that may be too small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/service/last_login.h"

#define SECOND 1000
#define HOUR   ((uint64_t)3600 * SECOND)

static int map(void **state)
{
	(void)state;
	last_login_map();
	return 0;
}

static void the_first_login_waits_for_nothing(void **state)
{
	(void)state;
	assert_int_equal(last_login_left("acme", "ann", HOUR), 0);
}

static void the_next_waits_for_the_delay(void **state)
{
	(void)state;
	last_login_note("acme", "ann");
	assert_in_range(last_login_left("acme", "ann", HOUR), HOUR - 60 * SECOND, HOUR);
	last_login_clock_advance(HOUR / 2);
	assert_in_range(last_login_left("acme", "ann", HOUR), HOUR / 2 - 60 * SECOND, HOUR / 2);
	last_login_clock_advance(HOUR / 2);
	assert_int_equal(last_login_left("acme", "ann", HOUR), 0);
}

static void a_login_starts_it_anew(void **state)
{
	(void)state;
	last_login_note("acme", "ann");
	last_login_clock_advance(HOUR);
	last_login_note("acme", "ann");
	last_login_clock_advance(HOUR / 2);
	assert_true(last_login_left("acme", "ann", HOUR) > 0);
}

/* Tenants may have their own, also after a reload. */
static void the_delay_is_that_of_the_question(void **state)
{
	(void)state;
	last_login_note("acme", "ann");
	last_login_clock_advance(HOUR);
	assert_int_equal(last_login_left("acme", "ann", HOUR), 0);
	assert_true(last_login_left("acme", "ann", 2 * HOUR) > 0);
	assert_int_equal(last_login_left("acme", "ann", 0), 0);
	assert_int_equal(last_login_left("acme", "ann", 99), 0);
}

static void users_are_told_apart(void **state)
{
	(void)state;
	last_login_note("acme", "ann");
	last_login_note("acm", "eann");
	assert_true(last_login_left("acme", "ann", HOUR) > 0);
	assert_true(last_login_left("acm", "eann", HOUR) > 0);
	assert_int_equal(last_login_left("acme", "bob", HOUR), 0);
	assert_int_equal(last_login_left("other", "ann", HOUR), 0);
	assert_int_equal(last_login_left("", "acmeann", HOUR), 0);
}

static void many_users_are_remembered(void **state)
{
	size_t known = 0;
	char login[24];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(login, sizeof(login), "user%d", i);
		assert_int_equal(last_login_left("acme", login, HOUR), 0);
		last_login_note("acme", login);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(login, sizeof(login), "user%d", i);
		known += last_login_left("acme", login, HOUR) > 0;
	}
	/* A sixth of the table: a bucket overflows with one in 40,000. */
	assert_in_range(known, 9990, 10000);
}

static void of_too_many_the_last_are_remembered(void **state)
{
	char login[24];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		snprintf(login, sizeof(login), "user%d", i);
		last_login_note("acme", login);
		if (i % 10000 == 0)
			last_login_clock_advance(SECOND);
		assert_true(last_login_left("acme", login, HOUR) > 0);
	}
	for (int i = 199990; i < 200000; i++) {
		snprintf(login, sizeof(login), "user%d", i);
		assert_true(last_login_left("acme", login, HOUR) > 0);
	}
}

static void processes_share_it(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	if (pid == 0) {
		last_login_note("acme", "ann");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(last_login_left("acme", "ann", HOUR) > 0);
}

/* Its clock was read a bit later than ours. */
static void a_login_in_the_future_counts_as_now(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	if (pid == 0) {
		last_login_clock_advance(2 * SECOND);
		last_login_note("acme", "ann");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(last_login_left("acme", "ann", HOUR), HOUR);
}

#define TEST(f) cmocka_unit_test_setup(f, map)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_login_waits_for_nothing),
		TEST(the_next_waits_for_the_delay),
		TEST(a_login_starts_it_anew),
		TEST(the_delay_is_that_of_the_question),
		TEST(users_are_told_apart),
		TEST(many_users_are_remembered),
		TEST(of_too_many_the_last_are_remembered),
		TEST(processes_share_it),
		TEST(a_login_in_the_future_counts_as_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
