/* waiting for descriptors. */
#include "fibers.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/runtime/wait.h"

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

/* One connection after the other under the same number, each with news of its own. */
static void wait_by_the_same_number(void *arg)
{
	int number = -1;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		struct pair pair = pair_open();
		struct fd_wait *wait = fd_wait_new(pair.here);

		assert_true(number < 0 || number == pair.here);
		number = pair.here;
		assert_ok(fd_wait_for(wait, UV_WRITABLE));
		{
			deadline(MINUTE);
			clock_advance(MINUTE);
			assert_err(fd_wait_for(wait, UV_READABLE), ERR_TIMEOUT, "");
		}
		assert_int_equal(write(pair.there, "x", 1), 1);
		assert_ok(fd_wait_for(wait, UV_READABLE));
		fd_wait_free(wait);
		pair_close(&pair);
	}
	/* A file, where libuv's handle was made for sockets. */
	wait_on_a_file(NULL);
	note("done");
}

static void test_descriptor_of_a_number_used_before(void **state)
{
	(void)state;
	run_fiber(wait_by_the_same_number, NULL);
	assert_string_equal(trace, "done ");
}

/* What was kept of the number must not serve two at a time. */
static void wait_while_another_has_the_number(void *arg)
{
	struct pair pair = pair_open();
	struct fd_wait *wait = fd_wait_new(pair.here), *other;

	(void)arg;
	fd_wait_free(wait);
	wait = fd_wait_new(pair.here);
	other = fd_wait_new(pair.here);
	assert_ptr_not_equal(wait, other);
	assert_ok(fd_wait_for(wait, UV_WRITABLE));
	assert_err(fd_wait_for(other, UV_WRITABLE), ERR_TEMP, "cannot poll");
	fd_wait_free(wait);
	fd_wait_free(other);
	pair_close(&pair);
	note("done");
}

static void test_two_waiters_of_one_number(void **state)
{
	(void)state;
	run_fiber(wait_while_another_has_the_number, NULL);
	assert_string_equal(trace, "done ");
}

static void test_what_cannot_be_polled_is_an_error(void **state)
{
	(void)state;
	run_fiber(wait_on_a_file, NULL);
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

static void test_one_waiter_at_a_time(void **state)
{
	(void)state;
	assert_fatal(two_on_one_descriptor, "fiber first waits for it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_descriptor_becomes_readable),
		fiber_test(test_descriptor_between_waits),
		fiber_test(test_descriptor_wait_ends_by_timeout_and_cancel),
		fiber_test(test_hangup_is_readiness),
		fiber_test(test_what_cannot_be_polled_is_an_error),
		fiber_test(test_descriptor_of_a_number_used_before),
		fiber_test(test_two_waiters_of_one_number),
		cmocka_unit_test(test_one_waiter_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
