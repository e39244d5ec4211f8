/* gates and offload. */
#include "fibers.h"

#include <semaphore.h>
#include <string.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

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

/* A job that looks at `stop`, as it has to, and waits for a word beside. */
struct alone_job {
	sem_t may_end;
	atomic_bool stop;
	bool ended;
};

static void do_alone(void *arg)
{
	struct alone_job *job = arg;

	while (!atomic_load(&job->stop))
		(void)uv_sleep(1);
	(void)sem_wait(&job->may_end);
	job->ended = true;
}

static void offload_alone_job(void *arg)
{
	struct alone_job *job = arg;

	deadline(MINUTE);
	assert_ok(offload_alone(do_alone, job, &job->stop));
	assert_true(job->ended);
	switch (wait_check().scope) {
	case ERR_CANCELED:
		note("canceled");
		break;
	case ERR_TIMEOUT:
		note("late");
		break;
	default:
		note("done");
	}
}

/* ended by: a cancel, or the deadline. */
static void stop_alone(bool cancel)
{
	struct alone_job job = { .ended = false };
	struct fiber *fiber = fiber_spawn("alone", offload_alone_job, &job);

	(void)sem_init(&job.may_end, 0, 0);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_false(atomic_load(&job.stop));
	if (cancel)
		fiber_cancel(fiber);
	else
		clock_advance(2 * MINUTE);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_true(atomic_load(&job.stop));
	assert_string_equal(trace, "");
	(void)sem_post(&job.may_end);
	runtime_run();
	(void)sem_destroy(&job.may_end);
}

static void test_a_thread_of_its_own_is_told_to_stop(void **state)
{
	(void)state;
	stop_alone(true);
	assert_string_equal(trace, "canceled ");
}

static void test_a_thread_of_its_own_is_told_of_the_deadline(void **state)
{
	(void)state;
	stop_alone(false);
	assert_string_equal(trace, "late ");
}

static void work_in_the_pool(void *arg)
{
	struct alone_job *jobs = arg;
	struct job job = { .ended = false };

	(void)sem_init(&job.may_end, 0, 1);
	offload(do_job, &job);
	(void)sem_destroy(&job.may_end);
	note("pool");
	for (int i = 0; i < 40; i++) {
		atomic_store(&jobs[i].stop, true);
		(void)sem_post(&jobs[i].may_end);
	}
}

/* More of them than the pool has threads, and it is free. */
static void test_threads_of_their_own_leave_the_pool_alone(void **state)
{
	struct alone_job *jobs = mem_zalloc(40, sizeof(*jobs));

	(void)state;
	for (int i = 0; i < 40; i++) {
		(void)sem_init(&jobs[i].may_end, 0, 0);
		(void)fiber_spawn("alone", offload_alone_job, &jobs[i]);
	}
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	(void)fiber_spawn("pool", work_in_the_pool, jobs);
	runtime_run();
	assert_int_equal(strncmp(trace, "pool ", 5), 0);
	for (int i = 0; i < 40; i++) {
		assert_true(jobs[i].ended);
		(void)sem_destroy(&jobs[i].may_end);
	}
	free(jobs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_gate_is_first_come_first_served),
		fiber_test(test_gate_survives_those_who_give_up),
		fiber_test(test_gate_admits_whoever_comes_after_a_cancel),
		fiber_test(test_offload_waits_for_its_thread_whatever_happens),
		fiber_test(test_many_offload_at_once),
		fiber_test(test_a_thread_of_its_own_is_told_to_stop),
		fiber_test(test_a_thread_of_its_own_is_told_of_the_deadline),
		fiber_test(test_threads_of_their_own_leave_the_pool_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
