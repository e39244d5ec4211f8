/* fibers: turns, cancel, stacks, misuse. */
#include "fibers.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proxy/runtime/wait.h"

static void note_and_turn(void *arg)
{
	note(arg);
	assert_ok(wait_turn());
	note(arg);
}

static void test_fibers_run_in_spawn_order(void **state)
{
	(void)state;
	(void)fiber_spawn("a", note_and_turn, "a");
	(void)fiber_spawn("b", note_and_turn, "b");
	assert_string_equal(trace, "");
	assert_int_equal(fiber_count(), 2);
	runtime_run();
	assert_string_equal(trace, "a b a b ");
	assert_int_equal(fiber_count(), 0);
}

static void check_identity(void *arg)
{
	assert_ptr_equal(arg, trace);
	assert_string_equal(fiber_name(fiber_current()), "0123456789012345678901234567890");
	assert_null(fiber_tag());
	fiber_set_tag("session-1");
	assert_ok(wait_turn());
	assert_string_equal(fiber_tag(), "session-1");
	note("done");
}

static void test_name_and_tag(void **state)
{
	(void)state;
	(void)fiber_spawn("0123456789012345678901234567890123456789", check_identity, trace);
	runtime_run();
	assert_string_equal(trace, "done ");
	assert_null(fiber_current());
	assert_string_equal(fiber_name(NULL), "loop");
	assert_null(fiber_tag());
}

static void wait_until_canceled(void *arg)
{
	struct err e;

	(void)arg;
	assert_int_equal(fiber_suspend(), WAKE_CANCELED);
	assert_int_equal(fiber_suspend(), WAKE_CANCELED);
	e = wait_sleep(1);
	assert_err(e, ERR_CANCELED, "canceled");
	e = wait_turn();
	assert_err(e, ERR_CANCELED, "");
	note("done");
}

static void test_cancel_is_sticky(void **state)
{
	struct fiber *fiber = fiber_spawn("victim", wait_until_canceled, NULL);

	(void)state;
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	fiber_cancel(fiber);
	runtime_run();
	assert_string_equal(trace, "done ");
}

static void test_cancel_before_the_first_turn(void **state)
{
	(void)state;
	fiber_cancel(fiber_spawn("victim", wait_until_canceled, NULL));
	runtime_run();
	assert_string_equal(trace, "done ");
}

static void suspend_under_deadline(void *arg)
{
	deadline(MINUTE);
	*(enum wake *)arg = fiber_suspend();
}

/* All of it happens to one suspended fiber before it runs again: the stronger reason wins. */
static void everything_at_once(bool timeout, bool cancel, enum wake expected)
{
	enum wake wake = WAKE_READY;
	struct fiber *fiber = fiber_spawn("waiter", suspend_under_deadline, &wake);

	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	fiber_wake(fiber);
	fiber_wake(fiber);
	if (timeout)
		clock_advance(MINUTE);
	if (cancel)
		fiber_cancel(fiber);
	runtime_run();
	assert_int_equal(wake, expected);
}

static void test_cancel_over_timeout_over_wake(void **state)
{
	(void)state;
	everything_at_once(false, false, WAKE_READY);
	everything_at_once(true, false, WAKE_TIMEOUT);
	everything_at_once(false, true, WAKE_CANCELED);
	everything_at_once(true, true, WAKE_CANCELED);
}

static void test_cancel_all(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		(void)fiber_spawn("victim", wait_until_canceled, NULL);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_int_equal(fiber_count(), 3);
	fiber_cancel_all();
	runtime_run();
	assert_string_equal(trace, "done done done ");
}

static void suspend_hard(void *arg)
{
	(void)arg;
	deadline(MINUTE);
	fiber_suspend_hard();
	note("woken");
	assert_int_equal(fiber_pending(), WAKE_CANCELED);
}

static void test_hard_suspension_ends_by_wake_only(void **state)
{
	struct fiber *fiber = fiber_spawn("hard", suspend_hard, NULL);

	(void)state;
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	clock_advance(2 * MINUTE);
	fiber_cancel(fiber);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_string_equal(trace, "");
	fiber_wake(fiber);
	runtime_run();
	assert_string_equal(trace, "woken ");
}

/* Every 64 operations that need no wait, the others have a turn. */
static void hog(void *arg)
{
	int *turns = arg, before = *turns;

	for (int i = 0; i < 1000; i++)
		assert_ok(wait_share());
	assert_true(*turns - before >= 10);
	*turns = -1;
}

static void count_turns(void *arg)
{
	int *turns = arg;

	while (*turns >= 0) {
		(*turns)++;
		assert_ok(wait_turn());
	}
}

static void test_busy_fiber_shares_the_loop(void **state)
{
	int turns = 0;

	(void)state;
	(void)fiber_spawn("hog", hog, &turns);
	run_fiber(count_turns, &turns);
}

static void spawn_next(void *arg)
{
	int *left = arg;

	if (--*left > 0)
		(void)fiber_spawn("next", spawn_next, left);
}

static void test_stacks_are_reused(void **state)
{
	int left = 1000;

	(void)state;
	run_fiber(spawn_next, &left);
	assert_int_equal(left, 0);
}

static void sleep_at_most_an_hour(void *arg)
{
	unsigned *done = arg;

	assert_ok(wait_turn());
	assert_ok(wait_sleep(1 + (*done * 7919) % (60 * MINUTE)));
	++*done;
}

static void test_thousands_at_once(void **state)
{
	unsigned done = 0;

	(void)state;
	for (int i = 0; i < 4000; i++)
		(void)fiber_spawn("one of many", sleep_at_most_an_hour, &done);
	assert_int_equal(fiber_count(), 4000);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	clock_advance(60 * MINUTE);
	runtime_run();
	assert_int_equal(done, 4000);
}

static __attribute__((noinline)) void use_stack(size_t n)
{
	volatile char here[512];

	for (size_t i = 0; i < sizeof(here); i++)
		here[i] = (char)(i | 1);
	if (n > sizeof(here))
		use_stack(n - sizeof(here));
	assert_int_equal(here[0], 1);
}

static void use_much_stack(void *arg)
{
	(void)arg;
	use_stack(100UL * 1024);
}

static void test_high_water_mark(void **state)
{
	size_t deepest;

	(void)state;
	run_fiber(use_much_stack, NULL);
	deepest = fiber_stack_high_water();
	if (deepest == 0)
		skip();
	assert_true(deepest >= 100UL * 1024);
}

/* How many pages of the 64 KiB that end at an address are in memory. */
static size_t resident_below(const char *address)
{
	enum { SPAN = 64 * 1024 };
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = (uintptr_t)address / page * page;
	unsigned char pages[SPAN / 4096] = { 0 };
	size_t n = 0;

	assert_int_equal(mincore((void *)(end - SPAN), SPAN, pages), 0);
	for (size_t i = 0; i < SPAN / page; i++)
		n += pages[i] & 1;
	return n;
}

static void release_stack(void *arg)
{
	volatile char kept[512] = { 1, 2, 3 };
	const char *here = __builtin_frame_address(0);

	(void)arg;
	use_stack(100UL * 1024);
	assert_true(resident_below(here - 16384) > 0);
	fiber_release_stack();
	assert_int_equal(resident_below(here - 16384), 0);
	assert_ok(wait_turn());
	assert_int_equal(kept[0] + kept[1] + kept[2], 6);
	use_stack(100UL * 1024);
}

static void test_stack_is_given_back(void **state)
{
	(void)state;
	run_fiber(release_stack, NULL);
}

static void suspend_outside(void)
{
	runtime_init();
	(void)fiber_suspend();
}

static void nothing(void *arg)
{
	(void)arg;
}

static void wake_the_dead(void)
{
	struct fiber *fiber;

	runtime_init();
	fiber = fiber_spawn("lazarus", nothing, NULL);
	runtime_run();
	fiber_wake(fiber);
}

static void wake_self(void *arg)
{
	(void)arg;
	fiber_wake(fiber_current());
}

static void wake_the_running(void)
{
	runtime_init();
	run_fiber(wake_self, NULL);
}

static void suspend_forever(void *arg)
{
	(void)arg;
	(void)fiber_suspend();
}

static void close_with_fibers(void)
{
	runtime_init();
	run_fiber(suspend_forever, NULL);
	runtime_close();
}

static void test_misuse_aborts_with_a_name(void **state)
{
	(void)state;
	assert_fatal(suspend_outside, "in fiber loop: fiber_suspend outside a fiber");
	assert_fatal(wake_the_dead, "fiber_wake of lazarus, which has ended");
	assert_fatal(wake_the_running, "in fiber test: fiber_wake of the running fiber");
	assert_fatal(close_with_fibers, "fiber test and 0 more live");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_fibers_run_in_spawn_order),
		fiber_test(test_name_and_tag),
		fiber_test(test_cancel_is_sticky),
		fiber_test(test_cancel_before_the_first_turn),
		fiber_test(test_cancel_over_timeout_over_wake),
		fiber_test(test_cancel_all),
		fiber_test(test_hard_suspension_ends_by_wake_only),
		fiber_test(test_busy_fiber_shares_the_loop),
		fiber_test(test_stacks_are_reused),
		fiber_test(test_stack_is_given_back),
		fiber_test(test_thousands_at_once),
		fiber_test(test_high_water_mark),
		cmocka_unit_test(test_misuse_aborts_with_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
