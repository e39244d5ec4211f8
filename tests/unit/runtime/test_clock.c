/* the clock, sleeping, deadlines. */
#include "fibers.h"

#include <string.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

static void sleep_minutes(void *arg)
{
	assert_ok(wait_sleep(*(const uint64_t *)arg * MINUTE));
	(void)snprintf(trace + strlen(trace), 8, "%d ", (int)*(const uint64_t *)arg);
}

static void test_sleepers_wake_in_order_of_time(void **state)
{
	const uint64_t minutes[] = { 5, 1, 4, 2, 3, 9 };

	(void)state;
	for (size_t i = 0; i < 6; i++)
		(void)fiber_spawn("sleeper", sleep_minutes, (void *)(uintptr_t)&minutes[i]);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	clock_advance(6 * MINUTE);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_string_equal(trace, "1 2 3 4 5 ");
	clock_advance(4 * MINUTE);
	runtime_run();
	assert_string_equal(trace, "1 2 3 4 5 9 ");
}

/* The real clock has the rest of the way to go. */
static void test_clock_advanced_to_just_before(void **state)
{
	uint64_t one = 1;

	(void)state;
	(void)fiber_spawn("sleeper", sleep_minutes, &one);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	clock_advance(MINUTE - 5);
	runtime_run();
	assert_string_equal(trace, "1 ");
}

struct sleeper {
	uint64_t minutes, woken_at; /* woken_at: in minutes; 0: not yet */
	bool canceled;
	struct fiber *fiber;
};

static uint64_t minutes_passed;

static void sleep_or_be_canceled(void *arg)
{
	struct sleeper *sleeper = arg;
	struct err e = wait_sleep(sleeper->minutes * MINUTE);

	assert_int_equal(e.scope, sleeper->canceled ? ERR_CANCELED : ERR_OK);
	sleeper->woken_at = minutes_passed;
}

/* Puts all to sleep, cancels some, then lets the minutes pass one by one. */
static void run_sleepers(struct sleeper *sleepers, size_t n)
{
	minutes_passed = 0;
	for (size_t i = 0; i < n; i++)
		sleepers[i].fiber = fiber_spawn("sleeper", sleep_or_be_canceled, &sleepers[i]);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	for (size_t i = 0; i < n; i++) {
		if (sleepers[i].canceled)
			fiber_cancel(sleepers[i].fiber);
	}
	while (fiber_count() > 0) {
		(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
		minutes_passed++;
		clock_advance(MINUTE);
		(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			sleepers[i].woken_at, sleepers[i].canceled ? 0 : sleepers[i].minutes);
}

/* Timers leave the heap from anywhere in it, and the others still fire in their minute. */
static void test_sleepers_who_leave_disturb_no_others(void **state)
{
	struct sleeper *sleepers cleanup(free_cleanup) = mem_zalloc(400, sizeof(*sleepers));

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		sleepers[i].minutes = 2 + (i * 7919) % 97;
		sleepers[i].canceled = i % 3 == 0;
	}
	run_sleepers(sleepers, 400);
}

/* The last of the heap fills the gap in another branch, where it is earlier than its parent. */
static void test_sleeper_who_leaves_another_branch(void **state)
{
	struct sleeper sleepers[] = {
		{ 1 },
		{ 50 },
		{ 2 },
		{ 60, .canceled = true },
		{ 61 },
		{ 3 },
		{ 4 },
		{ 70 },
		{ 71 },
		{ 72 },
		{ 73 },
		{ 5 },
		{ 6 },
		{ 7 },
		{ 8 },
	};

	(void)state;
	run_sleepers(sleepers, sizeof(sleepers) / sizeof(sleepers[0]));
}

static void nested_deadlines(void *arg)
{
	uint64_t start = runtime_now();
	struct err e;

	(void)arg;
	deadline(10 * MINUTE);
	{
		deadline(MINUTE);
		{
			/* A longer one inside does not loosen. */
			deadline(60 * MINUTE);
			assert_int_equal(deadline_remaining(), MINUTE);
			clock_advance(MINUTE);
			e = wait_sleep(1);
			assert_err(e, ERR_TIMEOUT, "timed out");
		}
		e = wait_turn();
		assert_err(e, ERR_TIMEOUT, "");
	}
	assert_int_equal(runtime_now() - start, MINUTE);
	assert_int_equal(deadline_remaining(), 9 * MINUTE);
	assert_ok(wait_turn());
	clock_advance(9 * MINUTE);
	assert_int_equal(fiber_suspend(), WAKE_TIMEOUT);
	assert_int_equal(deadline_remaining(), 0);
	note("done");
}

static void test_deadlines_nest(void **state)
{
	(void)state;
	run_fiber(nested_deadlines, NULL);
	assert_string_equal(trace, "done ");
}

static void suspend_for_minutes(void *arg)
{
	deadline(*(const uint64_t *)arg * MINUTE);
	assert_int_equal(fiber_suspend(), WAKE_TIMEOUT);
	note("out");
}

static void test_deadline_wakes_a_suspended_fiber(void **state)
{
	uint64_t ten = 10;

	(void)state;
	(void)fiber_spawn("waiter", suspend_for_minutes, &ten);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	clock_advance(5 * MINUTE);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_string_equal(trace, "");
	clock_advance(5 * MINUTE);
	runtime_run();
	assert_string_equal(trace, "out ");
}

/* A deadline that is renewed again and again leaves its timer where it was; when that fires, the
 * fiber must sleep on. */
static void renew_deadline(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		deadline(10 * MINUTE);
		assert_int_equal(fiber_suspend(), WAKE_READY);
		note("renewed");
	}
	deadline(10 * MINUTE);
	assert_int_equal(fiber_suspend(), WAKE_TIMEOUT);
	note("out");
}

static void drive_renewals(void *arg)
{
	struct fiber *fiber = arg;

	for (int i = 0; i < 5; i++) {
		assert_ok(wait_turn());
		clock_advance(9 * MINUTE);
		fiber_wake(fiber);
		assert_ok(wait_turn());
	}
	clock_advance(9 * MINUTE);
	assert_ok(wait_turn());
	assert_null(strstr(trace, "out"));
	clock_advance(MINUTE);
}

static void test_renewed_deadline_counts_from_its_renewal(void **state)
{
	struct fiber *fiber = fiber_spawn("renewer", renew_deadline, NULL);

	(void)state;
	(void)fiber_spawn("driver", drive_renewals, fiber);
	runtime_run();
	assert_string_equal(trace, "renewed renewed renewed renewed renewed out ");
}

static void endless_deadline(void *arg)
{
	(void)arg;
	deadline(UINT64_MAX);
	assert_int_equal(deadline_remaining(), UINT64_MAX);
	clock_advance(1000ULL * MINUTE);
	assert_ok(wait_turn());
}

static void test_deadline_without_end(void **state)
{
	(void)state;
	run_fiber(endless_deadline, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_sleepers_wake_in_order_of_time),
		fiber_test(test_clock_advanced_to_just_before),
		fiber_test(test_sleepers_who_leave_disturb_no_others),
		fiber_test(test_sleeper_who_leaves_another_branch),
		fiber_test(test_deadlines_nest),
		fiber_test(test_deadline_wakes_a_suspended_fiber),
		fiber_test(test_renewed_deadline_counts_from_its_renewal),
		fiber_test(test_deadline_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
