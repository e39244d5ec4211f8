/* stream: reading, writing, connecting in clear. */
#include "fibers.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/stream.h"
#include "proxy/runtime/wait.h"
#include "sockets.h"

static void pair_open(struct stream *ends[2])
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ends[0] = stream_new(fds[0]);
	ends[1] = stream_new(fds[1]);
}

static void pair_close(struct stream *ends[2])
{
	stream_close(ends[0]);
	stream_close(ends[1]);
}

static void tcp_open(struct stream *ends[2])
{
	int fds[2];

	tcp_pair(fds);
	ends[0] = stream_new(fds[0]);
	ends[1] = stream_new(fds[1]);
}

static void write_mib(void *arg)
{
	struct stream *stream = arg;
	char *data cleanup(free_cleanup) = mem_alloc(MIB);

	for (size_t i = 0; i < MIB; i++)
		data[i] = pattern(i);
	assert_ok(stream_write(stream, data, MIB));
	assert_int_equal(stream_octets_out(stream), MIB);
	(void)shutdown(stream_fd(stream), SHUT_WR);
}

static void read_slowly(void *arg)
{
	struct stream *stream = arg;
	char piece[777];
	size_t total = 0, n;

	for (;;) {
		assert_ok(stream_read(stream, piece, sizeof(piece), &n));
		if (n == 0)
			break;
		for (size_t i = 0; i < n; i++)
			assert_int_equal(piece[i], pattern(total + i));
		total += n;
		if (total % 5 == 0)
			assert_ok(wait_turn());
	}
	assert_int_equal(total, MIB);
	assert_int_equal(stream_octets_in(stream), MIB);
}

static void test_writer_waits_for_a_slow_reader(void **state)
{
	struct stream *ends[2];

	(void)state;
	pair_open(ends);
	(void)fiber_spawn("writer", write_mib, ends[0]);
	(void)fiber_spawn("reader", read_slowly, ends[1]);
	runtime_run();
	pair_close(ends);
}

static void write_to_a_wall(void *arg)
{
	char *data cleanup(free_cleanup) = mem_zalloc(1, 16 * MIB);
	struct err e;

	deadline(MINUTE);
	e = stream_write(arg, data, 16 * MIB);
	assert_err(e, ERR_TIMEOUT, "write: timed out");
}

static void test_write_ends_at_its_deadline(void **state)
{
	uint64_t minute = MINUTE;
	struct stream *ends[2];

	(void)state;
	pair_open(ends);
	(void)fiber_spawn("writer", write_to_a_wall, ends[0]);
	(void)fiber_spawn("clock", pass_time, &minute);
	runtime_run();
	pair_close(ends);
}

static void read_ready_data(void *arg)
{
	struct stream **ends = arg;
	char octets[4];
	struct err e;
	size_t n = 99;

	assert_false(stream_readable(ends[0]));
	assert_true(stream_quiet(ends[0]));
	assert_ok(stream_write(ends[1], "ab", 2));
	assert_true(stream_readable(ends[0]));
	assert_false(stream_quiet(ends[0]));
	{
		deadline(0);
		e = stream_read(ends[0], octets, sizeof(octets), &n);
		assert_err(e, ERR_TIMEOUT, "read: timed out");
		e = stream_write(ends[0], "x", 1);
		assert_err(e, ERR_TIMEOUT, "write: timed out");
	}
	fiber_cancel(fiber_current());
	e = stream_read(ends[0], octets, sizeof(octets), &n);
	assert_err(e, ERR_CANCELED, "read: canceled");
	e = stream_write(ends[0], "x", 1);
	assert_err(e, ERR_CANCELED, "write: canceled");
	assert_int_equal(n, 99);
	assert_int_equal(recv(stream_fd(ends[0]), octets, sizeof(octets), 0), 2);
}

static void test_deadline_and_cancel_fail_even_a_ready_read(void **state)
{
	struct stream *ends[2];

	(void)state;
	pair_open(ends);
	run_fiber(read_ready_data, ends);
	pair_close(ends);
}

static void read_until_canceled(void *arg)
{
	char octet;
	size_t n;
	struct err e = stream_read(arg, &octet, 1, &n);

	assert_err(e, ERR_CANCELED, "read: canceled");
}

static void test_cancel_ends_a_read(void **state)
{
	struct stream *ends[2];
	struct fiber *fiber;

	(void)state;
	pair_open(ends);
	fiber = fiber_spawn("reader", read_until_canceled, ends[0]);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	fiber_cancel(fiber);
	runtime_run();
	pair_close(ends);
}

static void talk_to_the_dead(void *arg)
{
	struct stream **ends = arg;
	char octets[4];
	struct err e;
	size_t n;

	assert_ok(stream_write(ends[1], "last", 4));
	stream_close(ends[1]);
	e = stream_write(ends[0], "x", 1);
	assert_err(e, ERR_PEER, "write: Broken pipe");
	assert_ok(stream_read(ends[0], octets, sizeof(octets), &n));
	assert_int_equal(n, 4);
	assert_ok(stream_read(ends[0], octets, sizeof(octets), &n));
	assert_int_equal(n, 0);
	assert_false(stream_readable(ends[0]));
	assert_false(stream_quiet(ends[0]));
	stream_close(ends[0]);
	stream_close(NULL);
}

static void test_peer_gone(void **state)
{
	struct stream *ends[2];

	(void)state;
	pair_open(ends);
	run_fiber(talk_to_the_dead, ends);
}

static void reset_then_talk(void *arg)
{
	struct stream **ends = arg;
	const struct linger reset = { 1, 0 };
	char octet;
	struct err e;
	size_t n;

	(void)setsockopt(stream_fd(ends[1]), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	stream_close(ends[1]);
	e = stream_read(ends[0], &octet, 1, &n);
	assert_err(e, ERR_PEER, "read: Connection reset by peer");
	e = stream_write(ends[0], "x", 1);
	assert_err(e, ERR_PEER, "write: Broken pipe");
}

static void test_reset(void **state)
{
	struct stream *ends[2];

	(void)state;
	tcp_open(ends);
	run_fiber(reset_then_talk, ends);
	stream_close(ends[0]);
}

static void linger(void *arg)
{
	struct stream *stream = arg;

	assert_ok(stream_write(stream, "-ERR bye\r\n", 10));
	stream_linger(stream);
}

static void keep_talking(void *arg)
{
	struct stream *stream = arg;
	char reply[16];
	size_t n;

	for (int i = 0; i < 10; i++) {
		assert_ok(stream_write(stream, "more\r\n", 6));
		assert_ok(wait_turn());
	}
	assert_ok(stream_read(stream, reply, sizeof(reply), &n));
	assert_int_equal(n, 10);
	assert_ok(stream_read(stream, reply, sizeof(reply), &n));
	assert_int_equal(n, 0);
	(void)shutdown(stream_fd(stream), SHUT_WR);
}

static void test_linger_lets_the_last_reply_through(void **state)
{
	struct stream *ends[2];

	(void)state;
	tcp_open(ends);
	(void)fiber_spawn("client", keep_talking, ends[1]);
	(void)fiber_spawn("server", linger, ends[0]);
	runtime_run();
	assert_int_equal(stream_octets_in(ends[0]), 60);
	pair_close(ends);
}

static void test_linger_has_an_end(void **state)
{
	uint64_t minute = MINUTE;
	struct stream *ends[2];

	(void)state;
	pair_open(ends);
	(void)fiber_spawn("server", linger, ends[0]);
	(void)fiber_spawn("clock", pass_time, &minute);
	runtime_run();
	pair_close(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_writer_waits_for_a_slow_reader),
		fiber_test(test_write_ends_at_its_deadline),
		fiber_test(test_deadline_and_cancel_fail_even_a_ready_read),
		fiber_test(test_cancel_ends_a_read),
		fiber_test(test_peer_gone),
		fiber_test(test_reset),
		fiber_test(test_linger_lets_the_last_reply_through),
		fiber_test(test_linger_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
