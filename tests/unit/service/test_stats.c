/* stats: rows by name, other, reloads, processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/service/stats.h"

#define FLOOD 1000

static struct tenant tenants[] = { { .name = "acme" }, { .name = "local" } };
static struct listener_config listeners[] = { { .name = "pop3" }, { .name = "pop3s" } };
static const struct config config = {
	.tenants = tenants,
	.n_tenants = 2,
	.listeners = listeners,
	.n_listeners = 2,
};

static int map_stats(void **state)
{
	(void)state;
	stats_map(&config);
	return 0;
}

static void test_counts_by_name(void **state)
{
	(void)state;
	stats_tenant_add(stats_tenant("acme"), STAT_LOGINS, 1);
	stats_tenant_add(stats_tenant("acme"), STAT_LOGINS, 2);
	stats_tenant_add(stats_tenant("acme"), STAT_RETRIEVED_OCTETS, UINT64_C(5000000000));
	stats_tenant_add(stats_tenant("local"), STAT_LOGINS, 10);
	stats_listener_add(stats_listener("pop3"), STAT_CONNECTIONS, 7);
	stats_global_add(STAT_RELOADS, 1);

	assert_int_equal(stats_tenant_get(stats_tenant("acme"), STAT_LOGINS), 3);
	assert_int_equal(stats_tenant_get(stats_tenant("acme"), STAT_LOGIN_FAILURES), 0);
	assert_int_equal(stats_tenant_get(stats_tenant("acme"), STAT_RETRIEVED_OCTETS),
		UINT64_C(5000000000));
	assert_int_equal(stats_tenant_get(stats_tenant("local"), STAT_LOGINS), 10);
	assert_int_equal(stats_listener_get(stats_listener("pop3"), STAT_CONNECTIONS), 7);
	assert_int_equal(stats_listener_get(stats_listener("pop3s"), STAT_CONNECTIONS), 0);
	assert_int_equal(stats_global_get(STAT_RELOADS), 1);
	assert_int_equal(stats_global_get(STAT_WORKER_DEATHS), 0);
}

static void test_unknown_names_share_a_row(void **state)
{
	(void)state;
	stats_tenant_add(stats_tenant("nobody"), STAT_LOGINS, 1);
	assert_ptr_equal(stats_tenant("nobody"), stats_tenant("other"));
	assert_ptr_not_equal(stats_tenant("nobody"), stats_tenant("acme"));
	assert_int_equal(stats_tenant_get(stats_tenant("other"), STAT_LOGINS), 1);
}

static void test_a_reload_keeps_rows_and_adds_new_ones(void **state)
{
	struct tenant after[] = { { .name = "new" }, { .name = "acme" } };
	struct config reloaded = { .tenants = after, .n_tenants = 2 };

	(void)state;
	stats_tenant_add(stats_tenant("acme"), STAT_LOGINS, 5);
	stats_tenant_add(stats_tenant("local"), STAT_LOGINS, 6);
	stats_extend(&reloaded);
	assert_int_equal(stats_tenant_get(stats_tenant("acme"), STAT_LOGINS), 5);
	assert_int_equal(stats_tenant_get(stats_tenant("local"), STAT_LOGINS), 6);
	assert_ptr_not_equal(stats_tenant("new"), stats_tenant("other"));
}

static void test_beyond_the_room_names_are_counted_as_other(void **state)
{
	static char names[FLOOD][8];
	static struct tenant flood[FLOOD];
	struct config reloaded = { .tenants = flood, .n_tenants = FLOOD };
	size_t others = 0;

	(void)state;
	for (size_t i = 0; i < FLOOD; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "t%zu", i);
		flood[i].name = names[i];
	}
	stats_extend(&reloaded);
	for (size_t i = 0; i < FLOOD; i++)
		stats_tenant_add(stats_tenant(names[i]), STAT_LOGINS, 1);
	for (size_t i = 0; i < FLOOD; i++) {
		if (stats_tenant(names[i]) == stats_tenant("other"))
			others++;
		else
			assert_int_equal(stats_tenant_get(stats_tenant(names[i]), STAT_LOGINS), 1);
	}
	assert_int_equal(stats_tenant_get(stats_tenant("other"), STAT_LOGINS), others);
	assert_in_range(others, 1, FLOOD - 2);
	assert_ptr_not_equal(stats_tenant("acme"), stats_tenant("other"));
}

static void test_processes_count_together(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		for (int i = 0; i < 10000; i++)
			stats_tenant_add(stats_tenant("acme"), STAT_LOGINS, 1);
		_exit(0);
	}
	for (int i = 0; i < 10000; i++)
		stats_tenant_add(stats_tenant("acme"), STAT_LOGINS, 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(stats_tenant_get(stats_tenant("acme"), STAT_LOGINS), 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_counts_by_name, map_stats),
		cmocka_unit_test_setup(test_unknown_names_share_a_row, map_stats),
		cmocka_unit_test_setup(test_a_reload_keeps_rows_and_adds_new_ones, map_stats),
		cmocka_unit_test_setup(test_beyond_the_room_names_are_counted_as_other, map_stats),
		cmocka_unit_test_setup(test_processes_count_together, map_stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
