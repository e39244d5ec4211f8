#include "tests/unit/login/fixture.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/login/throttle.h"

#define MINUTE 60000

static const struct limit_settings limits = { .failure_delay = 2000, .failures_per_address = 100 };

static int map(void **state)
{
	(void)state;
	throttle_map();
	return 0;
}

static void test_delay_doubles_up_to_its_end(void **state)
{
	static const uint64_t expected[] = { 2000, 4000, 8000, 15000, 15000, 15000 };

	(void)state;
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(throttle_failed(&limits, "192.0.2.1", "ann"), expected[i]);
}

static void test_address_and_login_count_apart(void **state)
{
	(void)state;
	assert_int_equal(throttle_failed(&limits, "192.0.2.1", "ann"), 2000);
	assert_int_equal(
		throttle_failed(&limits, "192.0.2.1", "bob"), 4000); /* the address's 2nd */
	assert_int_equal(throttle_failed(&limits, "192.0.2.2", "bob"), 4000); /* the login's 2nd */
	assert_int_equal(
		throttle_failed(&limits, "192.0.2.2", "cid"), 4000); /* the address's 2nd */
	assert_int_equal(throttle_failed(&limits, "192.0.2.3", "dan"), 2000); /* nobody's */
}

static void test_case_of_a_login_does_not_matter(void **state)
{
	(void)state;
	assert_int_equal(throttle_failed(&limits, "192.0.2.1", "ann@a.example"), 2000);
	assert_int_equal(throttle_failed(&limits, "192.0.2.2", "Ann@A.example"), 4000);
	throttle_succeeded("ANN@a.example");
	assert_int_equal(throttle_failed(&limits, "192.0.2.3", "ann@a.example"), 2000);
}

static void test_success_forgets_the_login_only(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		throttle_failed(&limits, "192.0.2.1", "ann");
	throttle_succeeded("ann");
	throttle_succeeded("nobody has heard of her");
	assert_int_equal(throttle_failed(&limits, "192.0.2.9", "ann"), 2000);
	assert_int_equal(throttle_failed(&limits, "192.0.2.1", "zoe"), 15000);
}

static void test_failures_fade(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		throttle_failed(&limits, "192.0.2.1", "ann");
	throttle_clock_advance(9 * MINUTE);
	assert_int_equal(throttle_failed(&limits, "192.0.2.1", "ann"), 15000);
	throttle_clock_advance(MINUTE + 1000);
	assert_int_equal(throttle_failed(&limits, "192.0.2.1", "ann"), 2000);
}

static void test_address_is_refused_beyond_its_number(void **state)
{
	char login[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_false(throttle_refused(&limits, "192.0.2.1"));
		snprintf(login, sizeof(login), "user%d", i);
		throttle_failed(&limits, "192.0.2.1", login);
	}
	assert_false(throttle_refused(&limits, "192.0.2.1"));
	throttle_failed(&limits, "192.0.2.1", "one more");
	assert_true(throttle_refused(&limits, "192.0.2.1"));
	assert_false(throttle_refused(&limits, "192.0.2.2"));
	throttle_succeeded("one more");
	assert_true(throttle_refused(&limits, "192.0.2.1"));
	throttle_clock_advance(10 * MINUTE + 1000);
	assert_false(throttle_refused(&limits, "192.0.2.1"));
}

static void test_ipv6_counts_per_64_and_mapped_is_ipv4(void **state)
{
	(void)state;
	assert_int_equal(throttle_failed(&limits, "2001:db8:0:1::1", "a"), 2000);
	assert_int_equal(throttle_failed(&limits, "2001:db8:0:1:ffff::2", "b"), 4000);
	assert_int_equal(throttle_failed(&limits, "2001:db8:0:2::1", "c"), 2000);
	assert_int_equal(throttle_failed(&limits, "fe80::1%eth0", "d"), 2000);
	assert_int_equal(throttle_failed(&limits, "fe80::2%eth1", "e"), 4000);
	assert_int_equal(throttle_failed(&limits, "198.51.100.7", "f"), 2000);
	assert_int_equal(throttle_failed(&limits, "::ffff:198.51.100.7", "g"), 4000);
	assert_int_equal(throttle_failed(&limits, "::ffff:198.51.100.8", "h"), 2000);
}

static void test_addresses_that_are_none_are_counted_too(void **state)
{
	char longest[200];

	(void)state;
	snprintf(longest, sizeof(longest), "%0199d", 7);
	assert_int_equal(throttle_failed(&limits, "", "a"), 2000);
	assert_int_equal(throttle_failed(&limits, "", "b"), 4000);
	assert_int_equal(throttle_failed(&limits, longest, "c"), 2000);
	assert_int_equal(throttle_failed(&limits, longest, "d"), 4000);
}

static void test_settings_are_followed(void **state)
{
	const struct limit_settings none = { .failure_delay = 0, .failures_per_address = 1 };
	const struct limit_settings slow = { .failure_delay = 60000, .failures_per_address = 1 };

	(void)state;
	assert_int_equal(throttle_failed(&none, "192.0.2.1", "a"), 0);
	assert_int_equal(throttle_failed(&none, "192.0.2.1", "a"), 0);
	assert_true(throttle_refused(&none, "192.0.2.1"));
	assert_int_equal(throttle_failed(&slow, "192.0.2.2", "b"), THROTTLE_DELAY_MAX);
}

/* 40,000 strangers in a table of 16,384 do not wash out who guesses again and again, and a
 * newcomer is still counted. */
static void test_full_table(void **state)
{
	char address[32], login[32];

	(void)state;
	for (int i = 0; i < 101; i++)
		throttle_failed(&limits, "192.0.2.1", "victim");
	for (int i = 0; i < 40000; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		snprintf(login, sizeof(login), "stranger%d", i);
		assert_true(throttle_failed(&limits, address, login) >= 2000);
	}
	assert_true(throttle_refused(&limits, "192.0.2.1"));
	assert_int_equal(throttle_failed(&limits, "203.0.113.1", "victim"), 15000);
	throttle_failed(&limits, "203.0.113.2", "newcomer");
	assert_int_equal(throttle_failed(&limits, "203.0.113.2", "newcomer"), 4000);
}

#define PROCESSES 4
#define TIMES     2000

static void test_processes_count_together(void **state)
{
	const struct limit_settings all = { .failures_per_address = PROCESSES * TIMES };
	pid_t pids[PROCESSES];
	int status;

	(void)state;
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			for (int n = 0; n < TIMES; n++)
				throttle_failed(&all, "192.0.2.1", "ann");
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_false(throttle_refused(&all, "192.0.2.1"));
	throttle_failed(&all, "192.0.2.1", "ann");
	assert_true(throttle_refused(&all, "192.0.2.1"));
}

static void test_count_ends_without_wrapping(void **state)
{
	const struct limit_settings most = { .failures_per_address = 65534 };

	(void)state;
	for (int i = 0; i < 65540; i++)
		throttle_failed(&most, "192.0.2.1", "ann");
	assert_true(throttle_refused(&most, "192.0.2.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_delay_doubles_up_to_its_end, map),
		cmocka_unit_test_setup(test_address_and_login_count_apart, map),
		cmocka_unit_test_setup(test_case_of_a_login_does_not_matter, map),
		cmocka_unit_test_setup(test_success_forgets_the_login_only, map),
		cmocka_unit_test_setup(test_failures_fade, map),
		cmocka_unit_test_setup(test_address_is_refused_beyond_its_number, map),
		cmocka_unit_test_setup(test_ipv6_counts_per_64_and_mapped_is_ipv4, map),
		cmocka_unit_test_setup(test_addresses_that_are_none_are_counted_too, map),
		cmocka_unit_test_setup(test_settings_are_followed, map),
		cmocka_unit_test_setup(test_full_table, map),
		cmocka_unit_test_setup(test_processes_count_together, map),
		cmocka_unit_test_setup(test_count_ends_without_wrapping, map),
	};

	return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
