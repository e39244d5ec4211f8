/* session_table among processes: limits hold for all together, and a process that is killed at any
 * instruction leaves nothing that the sweep does not clear. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/runtime/shared.h"
#include "proxy/service/session_table.h"

#define MANY      1000
#define PROCESSES 4
#define SESSIONS  6 /* allowed in all */
#define ADDRESS   3 /* of an address */
#define USER      2 /* of a user */
#define ROUNDS    3000
#define KILLS     100

/* What the processes hold between them, counted beside the table. */
struct tally {
	_Atomic int sessions, address[2], user[2];
	_Atomic int broken, admitted, bound, steps;
};
static struct tally *tally;

static int map_table(void **state)
{
	(void)state;
	session_table_map(100, PROCESSES + 1);
	tally = shared_map(sizeof(*tally));
	return 0;
}

/* Counted after the table let in and before it lets out, so that it never exceeds the table. */
static void hold(_Atomic int *held, int limit)
{
	if (atomic_fetch_add(held, 1) >= limit)
		tally->broken++;
}

static void one_session(unsigned random)
{
	static const char *const addresses[] = { "192.0.2.1", "2001:db8::1" };
	static const char *const logins[] = { "joe", "ann" };
	struct session_slot *slot = NULL;
	unsigned a = random % 2, u = random / 2 % 2;

	atomic_fetch_add(&tally->steps, 1);
	if (session_table_enter(addresses[a], SESSIONS, ADDRESS, &slot) != SESSION_ADMITTED)
		return;
	atomic_fetch_add(&tally->admitted, 1);
	hold(&tally->sessions, SESSIONS);
	hold(&tally->address[a], ADDRESS);
	if (session_table_bind(slot, "acme", logins[u], USER)) {
		atomic_fetch_add(&tally->bound, 1);
		hold(&tally->user[u], USER);
		atomic_fetch_sub(&tally->user[u], 1);
	}
	atomic_fetch_sub(&tally->address[a], 1);
	atomic_fetch_sub(&tally->sessions, 1);
	session_table_leave(slot);
}

/* Two sessions at a time per process, so that the limits are reached on two cores as well. */
static void hammer(unsigned seed, int rounds)
{
	struct session_slot *kept = NULL;
	unsigned random = seed;

	for (int i = 0; rounds == 0 || i < rounds; i++) {
		random = random * 1664525 + 1013904223;
		if (!kept && session_table_enter("192.0.2.9", SESSIONS, ADDRESS, &kept) !=
				     SESSION_ADMITTED)
			kept = NULL;
		one_session(random >> 8);
		if (kept && (random >> 16) % 4 == 0) {
			session_table_leave(kept);
			kept = NULL;
		}
	}
	session_table_leave(kept);
}

static pid_t hammer_in_child(unsigned seed, int rounds)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		hammer(seed, rounds);
		_exit(0);
	}
	return pid;
}

static void reap(pid_t pid, int expected_signal)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, expected_signal);
}

/* All limits are as free as at the start: nothing was lost, nothing is counted twice. */
static void assert_untouched(void)
{
	struct session_slot *slots[SESSIONS], *refused = NULL;
	char address[16];

	assert_int_equal(session_table_count(), 0);
	for (int i = 0; i < SESSIONS; i++) {
		(void)snprintf(address, sizeof(address), "192.0.2.%d", 1 + i / ADDRESS);
		assert_int_equal(session_table_enter(address, SESSIONS, ADDRESS, &slots[i]),
			SESSION_ADMITTED);
		assert_true(session_table_bind(
			slots[i], "acme", i < USER ? "joe" : "ann", i < USER ? USER : SESSIONS));
	}
	assert_int_equal(
		session_table_enter("192.0.2.9", SESSIONS, ADDRESS, &refused), SESSION_TABLE_FULL);
	for (int i = 0; i < SESSIONS; i++)
		session_table_leave(slots[i]);
	assert_int_equal(session_table_sweep(getpid()), 0);
}

static void test_limits_hold_among_processes(void **state)
{
	pid_t pids[PROCESSES];

	(void)state;
	for (unsigned i = 0; i < PROCESSES; i++)
		pids[i] = hammer_in_child(i + 1, ROUNDS);
	for (unsigned i = 0; i < PROCESSES; i++)
		reap(pids[i], 0);
	assert_int_equal(tally->broken, 0);
	assert_true(tally->admitted > ROUNDS && tally->bound > ROUNDS);
	assert_int_equal(session_table_count(), 0);
	for (unsigned i = 0; i < PROCESSES; i++)
		assert_int_equal(session_table_sweep(pids[i]), 0);
	assert_untouched();
}

/* A process that holds n sessions of 192.0.2.1 and acme/joe, and waits to be killed. */
static pid_t holder(int n)
{
	struct session_slot *slot = NULL;
	int ends[2];
	char octet;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < n; i++)
			if (session_table_enter("192.0.2.1", MANY, MANY, &slot) !=
					SESSION_ADMITTED ||
				!session_table_bind(slot, "acme", "joe", MANY))
				_exit(1);
		(void)!write(ends[1], "r", 1);
		(void)pause();
		_exit(1);
	}
	assert_int_equal(read(ends[0], &octet, 1), 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return pid;
}

static void kill_holder(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	reap(pid, SIGKILL);
}

static void test_a_limit_counts_what_other_processes_hold(void **state)
{
	struct session_slot *slot = NULL;
	pid_t pid = holder(3);

	(void)state;
	assert_int_equal(session_table_count(), 3);
	assert_int_equal(session_table_enter("192.0.2.2", 3, MANY, &slot), SESSION_TABLE_FULL);
	assert_int_equal(session_table_enter("192.0.2.1", MANY, 3, &slot), SESSION_ADDRESS_FULL);
	assert_int_equal(session_table_enter("192.0.2.1", MANY, 4, &slot), SESSION_ADMITTED);
	assert_false(session_table_bind(slot, "acme", "joe", 3));
	assert_true(session_table_bind(slot, "acme", "joe", 4));

	kill_holder(pid);
	assert_int_equal(session_table_count(), 4);
	assert_int_equal(session_table_sweep(pid), 3);
	assert_int_equal(session_table_count(), 1);
	session_table_leave(slot);
	assert_untouched();
}

/* It takes over what the dead one wrote its counts into. */
static void test_the_next_process_starts_from_nothing(void **state)
{
	struct session_slot *slot = NULL;
	pid_t pid = holder(3);

	(void)state;
	kill_holder(pid);
	assert_int_equal(session_table_sweep(pid), 3);
	pid = holder(1);
	assert_int_equal(session_table_enter("192.0.2.1", 2, 2, &slot), SESSION_ADMITTED);
	assert_true(session_table_bind(slot, "acme", "joe", 2));
	session_table_leave(slot);
	kill_holder(pid);
	assert_int_equal(session_table_sweep(pid), 1);
}

static void test_a_process_killed_at_any_instruction_leaves_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KILLS; i++) {
		pid_t pid = hammer_in_child(i, 0);
		int until = atomic_load(&tally->steps) + 1 + (int)(i * 7 % 50);

		while (atomic_load(&tally->steps) < until)
			(void)sched_yield();
		assert_int_equal(kill(pid, SIGKILL), 0);
		reap(pid, SIGKILL);
		/* At most the one that was kept and the one in the making. */
		assert_in_range(session_table_sweep(pid), 0, 2);
		assert_untouched();
	}
}

static void test_a_sweep_spares_the_living(void **state)
{
	struct session_slot *slot = NULL;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		(void)session_table_enter("192.0.2.1", MANY, MANY, &slot);
		_exit(0);
	}
	assert_int_equal(session_table_enter("192.0.2.1", MANY, MANY, &slot), SESSION_ADMITTED);
	reap(pid, 0);
	assert_int_equal(session_table_sweep(pid), 1);
	assert_int_equal(session_table_count(), 1);
	session_table_leave(slot);
	assert_int_equal(session_table_count(), 0);
}

static void test_more_processes_than_mapped_are_refused(void **state)
{
	struct session_slot *slot = NULL;
	int status;
	pid_t pid;

	(void)state;
	session_table_map(10, 1);
	assert_int_equal(session_table_enter("192.0.2.1", MANY, MANY, &slot), SESSION_ADMITTED);
	pid = fork();
	if (pid == 0)
		_exit(session_table_enter("192.0.2.1", MANY, MANY, &slot) == SESSION_TABLE_FULL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	session_table_leave(slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_limits_hold_among_processes, map_table),
		cmocka_unit_test_setup(test_a_limit_counts_what_other_processes_hold, map_table),
		cmocka_unit_test_setup(test_the_next_process_starts_from_nothing, map_table),
		cmocka_unit_test_setup(
			test_a_process_killed_at_any_instruction_leaves_nothing, map_table),
		cmocka_unit_test_setup(test_a_sweep_spares_the_living, map_table),
		cmocka_unit_test_setup(test_more_processes_than_mapped_are_refused, map_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
