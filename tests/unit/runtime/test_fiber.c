/* fibers, deadlines, cancel, the clock, gates, offload, descriptors. */
#include "fibers.h"

#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

#define MINUTE 60000

static char trace[256];

static void note(const char *what)
{
	(void)snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s ", what);
}

static int trace_setup(void **state)
{
	trace[0] = '\0';
	return loop_setup(state);
}

#define trace_test(fn) cmocka_unit_test_setup_teardown(fn, trace_setup, loop_teardown)

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

static void advance(void *arg)
{
	clock_advance(*(const uint64_t *)arg);
}

static void sleep_minutes(void *arg)
{
	assert_ok(wait_sleep(*(const uint64_t *)arg * MINUTE));
	(void)snprintf(trace + strlen(trace), 8, "%d ", (int)*(const uint64_t *)arg);
}

static void test_sleepers_wake_in_order_of_time(void **state)
{
	const uint64_t minutes[] = { 5, 1, 4, 2, 3, 9 };
	uint64_t six = 6 * MINUTE, four = 4 * MINUTE;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		(void)fiber_spawn("sleeper", sleep_minutes, (void *)(uintptr_t)&minutes[i]);
	(void)fiber_spawn("clock", advance, &six);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_string_equal(trace, "1 2 3 4 5 ");
	(void)fiber_spawn("clock", advance, &four);
	runtime_run();
	assert_string_equal(trace, "1 2 3 4 5 9 ");
}

/* The real clock has the rest of the way to go. */
static void test_clock_advanced_to_just_before(void **state)
{
	uint64_t one = 1, almost = MINUTE - 5;

	(void)state;
	(void)fiber_spawn("sleeper", sleep_minutes, &one);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	(void)fiber_spawn("clock", advance, &almost);
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
	uint64_t ten = 10, five_minutes = 5 * MINUTE;

	(void)state;
	(void)fiber_spawn("waiter", suspend_for_minutes, &ten);
	(void)fiber_spawn("clock", advance, &five_minutes);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_string_equal(trace, "");
	(void)fiber_spawn("clock", advance, &five_minutes);
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
	uint64_t hour = 60 * MINUTE;
	unsigned done = 0;

	(void)state;
	for (int i = 0; i < 4000; i++)
		(void)fiber_spawn("one of many", sleep_at_most_an_hour, &done);
	assert_int_equal(fiber_count(), 4000);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	(void)fiber_spawn("clock", advance, &hour);
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

static struct gate gate;

static void pass_gate(void *arg)
{
	assert_ok(gate_enter(&gate));
	note(arg);
	assert_ok(wait_turn());
	gate_leave(&gate);
}

static void test_gate_is_first_come_first_served(void **state)
{
	char guests[][2] = { "a", "b", "c", "d", "e" };

	(void)state;
	gate_init(&gate, 2);
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
		(void)fiber_spawn("guest", pass_gate, guests[i]);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_string_equal(trace, "a b ");
	runtime_run();
	assert_string_equal(trace, "a b c d e ");
	assert_int_equal(gate.free, 2);
}

static void refused_at_gate(void *arg)
{
	enum err_scope *scope = arg;

	deadline(MINUTE);
	*scope = gate_enter(&gate).scope;
}

/* Of three that wait, the middle one is canceled, the last one times out in the very turn in which
 * a place is handed to it: nothing may be lost. */
static void leave_gate_late(void *arg)
{
	struct fiber **waiting = arg;

	assert_ok(gate_enter(&gate));
	assert_ok(wait_turn());
	fiber_cancel(waiting[1]);
	assert_ok(wait_turn());
	gate_leave(&gate);
	assert_ok(wait_turn());
	gate_leave(&gate);
	clock_advance(MINUTE);
}

static void test_gate_survives_those_who_give_up(void **state)
{
	enum err_scope scopes[3] = { ERR_PEER, ERR_PEER, ERR_PEER };
	struct fiber *waiting[3];

	(void)state;
	gate_init(&gate, 1);
	(void)fiber_spawn("holder", leave_gate_late, waiting);
	for (int i = 0; i < 3; i++)
		waiting[i] = fiber_spawn("guest", refused_at_gate, &scopes[i]);
	runtime_run();
	assert_int_equal(scopes[0], ERR_OK);
	assert_int_equal(scopes[1], ERR_CANCELED);
	assert_int_equal(scopes[2], ERR_TIMEOUT);
	assert_int_equal(gate.free, 1);
	assert_null(gate.head);
	run_fiber(pass_gate, (char[]){ "next" });
	assert_string_equal(trace, "next ");
}

static void hold_gate(void *arg)
{
	struct fiber **waiting = arg;

	assert_ok(gate_enter(&gate));
	assert_ok(wait_turn());
	fiber_cancel(waiting[0]);
	assert_ok(wait_turn());
	(void)fiber_spawn("newcomer", pass_gate, (char[]){ "newcomer" });
	assert_ok(wait_turn());
	assert_ok(wait_turn());
	gate_leave(&gate);
}

static void test_gate_admits_whoever_comes_after_a_cancel(void **state)
{
	enum err_scope scope = ERR_PEER;
	struct fiber *waiting;

	(void)state;
	gate_init(&gate, 1);
	(void)fiber_spawn("holder", hold_gate, &waiting);
	waiting = fiber_spawn("guest", refused_at_gate, &scope);
	runtime_run();
	assert_int_equal(scope, ERR_CANCELED);
	assert_string_equal(trace, "newcomer ");
}

struct job {
	sem_t may_end;
	bool ended;
};

static void do_job(void *arg)
{
	struct job *job = arg;

	(void)sem_wait(&job->may_end);
	job->ended = true;
}

static void offload_job(void *arg)
{
	struct job *job = arg;

	deadline(MINUTE);
	offload(do_job, job);
	assert_true(job->ended);
	assert_int_equal(fiber_pending(), WAKE_CANCELED);
	note("offloaded");
}

static void test_offload_waits_for_its_thread_whatever_happens(void **state)
{
	struct job job = { .ended = false };
	struct fiber *fiber = fiber_spawn("offloader", offload_job, &job);

	(void)state;
	(void)sem_init(&job.may_end, 0, 0);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	fiber_cancel(fiber);
	clock_advance(2 * MINUTE);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_string_equal(trace, "");
	(void)sem_post(&job.may_end);
	runtime_run();
	assert_string_equal(trace, "offloaded ");
	(void)sem_destroy(&job.may_end);
}

static void offload_one_of_many(void *arg)
{
	struct job job = { .ended = false };

	(void)sem_init(&job.may_end, 0, 1);
	offload(do_job, &job);
	assert_true(job.ended);
	(void)sem_destroy(&job.may_end);
	++*(int *)arg;
}

static void test_many_offload_at_once(void **state)
{
	int done = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		(void)fiber_spawn("offloader", offload_one_of_many, &done);
	runtime_run();
	assert_int_equal(done, 200);
}

struct pair {
	int here, there;
};

static struct pair pair_open(void)
{
	int ends[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	return (struct pair){ ends[0], ends[1] };
}

static void pair_close(struct pair *pair)
{
	(void)close(pair->here);
	(void)close(pair->there);
}

static void read_octets(void *arg)
{
	struct pair *pair = arg;
	struct fd_wait *wait = fd_wait_new(pair->here);
	char octet = 0;

	while (octet != '.') {
		assert_ok(fd_wait_for(wait, UV_READABLE));
		assert_int_equal(read(pair->here, &octet, 1), 1);
		note((char[]){ octet, 0 });
	}
	fd_wait_free(wait);
}

static void write_octets(void *arg)
{
	struct pair *pair = arg;

	for (const char *at = "ab."; *at; at++) {
		assert_ok(wait_turn());
		assert_int_equal(write(pair->there, at, 1), 1);
		assert_ok(wait_turn());
	}
}

static void test_descriptor_becomes_readable(void **state)
{
	struct pair pair = pair_open();

	(void)state;
	(void)fiber_spawn("reader", read_octets, &pair);
	(void)fiber_spawn("writer", write_octets, &pair);
	runtime_run();
	assert_string_equal(trace, "a b . ");
	pair_close(&pair);
}

/* What comes while nobody waits neither spins the loop, nor is it lost, nor does it wake a later
 * wait of another kind. */
static void wait_again_later(void *arg)
{
	struct pair *pair = arg;
	struct fd_wait *wait = fd_wait_new(pair->here);
	struct err e;
	char octet;

	{
		deadline(MINUTE);
		clock_advance(MINUTE);
		e = fd_wait_for(wait, UV_READABLE);
		assert_err(e, ERR_TIMEOUT, "");
	}
	assert_int_equal(write(pair->there, "xy", 2), 2);
	assert_ok(fd_wait_for(wait, UV_READABLE));
	for (int i = 0; i < 5; i++)
		assert_ok(wait_turn());
	{
		deadline(MINUTE);
		clock_advance(MINUTE - 1);
		assert_int_equal(fiber_suspend(), WAKE_TIMEOUT);
	}
	assert_ok(fd_wait_for(wait, UV_READABLE));
	assert_int_equal(read(pair->here, &octet, 1), 1);
	assert_int_equal(octet, 'x');
	assert_ok(fd_wait_for(wait, UV_WRITABLE));
	assert_ok(fd_wait_for(wait, UV_READABLE | UV_WRITABLE));
	fd_wait_free(wait);
	note("done");
}

static void test_descriptor_between_waits(void **state)
{
	struct pair pair = pair_open();

	(void)state;
	run_fiber(wait_again_later, &pair);
	assert_string_equal(trace, "done ");
	pair_close(&pair);
}

static void wait_for_silence(void *arg)
{
	struct pair *pair = arg;
	struct fd_wait *wait = fd_wait_new(pair->here);
	struct err e;

	{
		deadline(MINUTE);
		e = fd_wait_for(wait, UV_READABLE);
		assert_err(e, ERR_TIMEOUT, "");
	}
	e = fd_wait_for(wait, UV_READABLE);
	assert_err(e, ERR_CANCELED, "");
	fd_wait_free(wait);
	fd_wait_free(NULL);
	note("done");
}

static void time_out_then_cancel(void *arg)
{
	assert_ok(wait_turn());
	clock_advance(MINUTE);
	assert_ok(wait_turn());
	assert_ok(wait_turn());
	fiber_cancel(arg);
}

static void test_descriptor_wait_ends_by_timeout_and_cancel(void **state)
{
	struct pair pair = pair_open();
	struct fiber *waiter = fiber_spawn("waiter", wait_for_silence, &pair);

	(void)state;
	(void)fiber_spawn("driver", time_out_then_cancel, waiter);
	runtime_run();
	assert_string_equal(trace, "done ");
	pair_close(&pair);
}

static void wait_for_hangup(void *arg)
{
	struct pair *pair = arg;
	struct fd_wait *wait = fd_wait_new(pair->here);
	char octet;

	(void)close(pair->there);
	assert_ok(fd_wait_for(wait, UV_READABLE));
	assert_int_equal(read(pair->here, &octet, 1), 0);
	for (int i = 0; i < 3; i++)
		assert_ok(wait_turn());
	assert_ok(fd_wait_for(wait, UV_READABLE));
	fd_wait_free(wait);
	(void)close(pair->here);
}

static void test_hangup_is_readiness(void **state)
{
	struct pair pair = pair_open();

	(void)state;
	run_fiber(wait_for_hangup, &pair);
}

static void wait_on_a_file(void *arg)
{
	FILE *file = tmpfile();
	struct fd_wait *wait = fd_wait_new(fileno(file));
	struct err e = fd_wait_for(wait, UV_READABLE);

	(void)arg;
	assert_err(e, ERR_TEMP, "cannot poll");
	fd_wait_free(wait);
	(void)fclose(file);
}

static void test_what_cannot_be_polled_is_an_error(void **state)
{
	(void)state;
	run_fiber(wait_on_a_file, NULL);
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

static void wait_twice(void *arg)
{
	(void)fd_wait_for(arg, UV_READABLE);
}

static void two_on_one_descriptor(void)
{
	struct pair pair = pair_open();
	struct fd_wait *wait;

	runtime_init();
	wait = fd_wait_new(pair.here);
	(void)fiber_spawn("first", wait_twice, wait);
	run_fiber(wait_twice, wait);
}

static void test_misuse_aborts_with_a_name(void **state)
{
	(void)state;
	assert_fatal(suspend_outside, "in fiber loop: fiber_suspend outside a fiber");
	assert_fatal(wake_the_dead, "fiber_wake of lazarus, which has ended");
	assert_fatal(wake_the_running, "in fiber test: fiber_wake of the running fiber");
	assert_fatal(close_with_fibers, "fiber test and 0 more live");
	assert_fatal(two_on_one_descriptor, "fiber first waits for it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		trace_test(test_fibers_run_in_spawn_order),
		trace_test(test_name_and_tag),
		trace_test(test_sleepers_wake_in_order_of_time),
		trace_test(test_clock_advanced_to_just_before),
		trace_test(test_sleepers_who_leave_disturb_no_others),
		trace_test(test_sleeper_who_leaves_another_branch),
		trace_test(test_deadlines_nest),
		trace_test(test_deadline_wakes_a_suspended_fiber),
		trace_test(test_renewed_deadline_counts_from_its_renewal),
		trace_test(test_deadline_without_end),
		trace_test(test_cancel_is_sticky),
		trace_test(test_cancel_before_the_first_turn),
		trace_test(test_cancel_over_timeout_over_wake),
		trace_test(test_cancel_all),
		trace_test(test_hard_suspension_ends_by_wake_only),
		trace_test(test_busy_fiber_shares_the_loop),
		trace_test(test_stacks_are_reused),
		trace_test(test_thousands_at_once),
		trace_test(test_high_water_mark),
		trace_test(test_gate_is_first_come_first_served),
		trace_test(test_gate_survives_those_who_give_up),
		trace_test(test_gate_admits_whoever_comes_after_a_cancel),
		trace_test(test_offload_waits_for_its_thread_whatever_happens),
		trace_test(test_many_offload_at_once),
		trace_test(test_descriptor_becomes_readable),
		trace_test(test_descriptor_between_waits),
		trace_test(test_descriptor_wait_ends_by_timeout_and_cancel),
		trace_test(test_hangup_is_readiness),
		trace_test(test_what_cannot_be_polled_is_an_error),
		cmocka_unit_test(test_misuse_aborts_with_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
