/* samples: the last hour by minutes, and times guessed from classes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/admin/samples.h"
#include "proxy/service/session_table.h"

#define MINUTE 60000

static struct tenant tenants[] = { { .name = "acme" }, { .name = "local" } };
static const struct config config = { .tenants = tenants, .n_tenants = 2 };

static int map(void **state)
{
	(void)state;
	stats_map(&config);
	session_table_map(8, 2);
	return 0;
}

static void logins(const char *tenant, uint64_t n)
{
	stats_tenant_add(stats_tenant(tenant), STAT_LOGINS, n);
}

static void test_minutes(void **state)
{
	static struct sample all[SAMPLES];

	(void)state;
	logins("acme", 1000); /* before the start */
	samples_start(5);
	assert_int_equal(samples_run(6), 5 + MINUTE);
	logins("acme", 3);
	logins("local", 4);
	stats_global_add(STAT_UNROUTED_LOGIN_FAILURES, 2);
	assert_int_equal(samples_get(all), 1);
	assert_int_equal(all[0].logins, 7);
	assert_int_equal(all[0].failures, 2);

	assert_int_equal(samples_run(5 + MINUTE), 5 + 2 * MINUTE);
	logins("acme", 1);
	assert_int_equal(samples_get(all), 2);
	assert_int_equal(all[0].logins, 7);
	assert_int_equal(all[1].logins, 1);

	/* A master that was stopped for a while has empty minutes. */
	samples_run(5 + 4 * MINUTE);
	assert_int_equal(samples_get(all), 5);
	assert_int_equal(all[1].logins, 1);
	assert_int_equal(all[2].logins, 0);
	assert_int_equal(all[4].logins, 0);
}

static void test_only_an_hour_is_kept(void **state)
{
	static struct sample all[SAMPLES];

	(void)state;
	samples_start(0);
	for (uint64_t minute = 1; minute <= 100; minute++) {
		logins("acme", minute);
		samples_run(minute * MINUTE);
	}
	assert_int_equal(samples_get(all), SAMPLES);
	assert_int_equal(all[0].logins, 42);
	assert_int_equal(all[SAMPLES - 2].logins, 100);
	assert_int_equal(all[SAMPLES - 1].logins, 0);
}

static void test_times_of_a_minute_are_its_own(void **state)
{
	static struct sample all[SAMPLES];

	(void)state;
	samples_start(0);
	stats_tenant_time(stats_tenant("acme"), STAT_LOGIN_TIME, 9000000000);
	samples_run(MINUTE);
	stats_tenant_time(stats_tenant("local"), STAT_LOGIN_TIME, 2000000);
	assert_int_equal(samples_get(all), 2);
	assert_true(all[0].login_median > 5 && all[0].login_median <= 10);
	assert_true(all[1].login_median > 0.001 && all[1].login_median <= 0.0025);
	assert_true(all[1].retrieval_median == 0);
}

static void test_quantiles(void **state)
{
	struct stat_histogram times = { 0 };

	(void)state;
	assert_true(histogram_quantile(&times, 0.5) == 0);
	times.counts[0] = 90; /* to 1 ms */
	times.counts[3] = 10; /* 5 to 10 ms */
	assert_true(histogram_quantile(&times, 0.5) < 0.001);
	assert_true(histogram_quantile(&times, 0.95) > 0.005);
	assert_true(histogram_quantile(&times, 0.95) < 0.01);
	times.counts[STAT_BOUNDS] = 1000; /* longer than all bounds */
	assert_true(histogram_quantile(&times, 0.95) == stat_bounds[STAT_BOUNDS - 1]);
}

static void test_a_time_at_a_bound_belongs_below(void **state)
{
	const struct stat_histogram before =
		stats_tenant_times(stats_tenant("acme"), STAT_LISTING_TIME);
	struct stat_histogram times;

	(void)state;
	stats_tenant_time(stats_tenant("acme"), STAT_LISTING_TIME, 1000000);
	stats_tenant_time(stats_tenant("acme"), STAT_LISTING_TIME, 1000001);
	stats_tenant_time(stats_tenant("acme"), STAT_LISTING_TIME, 3600000000000);
	times = stats_tenant_times(stats_tenant("acme"), STAT_LISTING_TIME);
	assert_int_equal(times.counts[0] - before.counts[0], 1);
	assert_int_equal(times.counts[1] - before.counts[1], 1);
	assert_int_equal(times.counts[STAT_BOUNDS] - before.counts[STAT_BOUNDS], 1);
	assert_int_equal(times.ns - before.ns, 3600002000001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minutes),
		cmocka_unit_test(test_only_an_hour_is_kept),
		cmocka_unit_test(test_times_of_a_minute_are_its_own),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_a_time_at_a_bound_belongs_below),
	};

	return cmocka_run_group_tests(tests, map, NULL);
}
