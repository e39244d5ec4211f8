/* The inactivity timers (RFC 1939 section 3, MS-STANXPOP3 V0002 and V0003), on a clock that moves.
 */
#include "tests/unit/runtime/fibers.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/pop3/session_state.h"
#include "proxy/runtime/wait.h"

#define SECOND 1000

static const struct config config = {
	.timeouts = { .login = MINUTE, .idle = 30 * MINUTE, .write = MINUTE },
	.protocol = { .bad_commands = 20 },
};

static struct {
	struct session session;
	int peer;
	size_t lines; /* that the session got */
	bool ended;
} world;

/* A session that reads commands and answers none. */
static void session_main(void *arg)
{
	struct session *s = &world.session;
	struct line line;
	struct err e;

	(void)arg;
	while (session_read_line(s, 512, &line))
		world.lines++;
	e = reply_flush(s->out);
	assert_false(failed(e));
	world.ended = true;
}

static void settle(void)
{
	for (int i = 0; i < 10; i++)
		assert_ok(wait_turn());
}

static void say(const char *text)
{
	size_t before = world.lines;

	assert_int_equal(send(world.peer, text, strlen(text), 0), strlen(text));
	while (world.lines == before)
		assert_ok(wait_turn());
	settle();
}

/* Any command begins the time anew, also one that is none; the session outlives three times the
 * limit, and ends within the fourth. timer: milliseconds. */
static void play(uint64_t timer, const char *farewell)
{
	char heard[512];
	ssize_t n;

	settle();
	for (int i = 0; i < 3; i++) {
		clock_advance(timer - SECOND);
		settle();
		assert_false(world.ended);
		say(i == 1 ? "XYZZY\r\n" : "NOOP\r\n");
	}
	clock_advance(timer - SECOND);
	settle();
	assert_false(world.ended);
	assert_int_equal(recv(world.peer, heard, sizeof(heard), MSG_DONTWAIT), -1);
	clock_advance(SECOND + 1);
	settle();
	assert_true(world.ended);
	assert_string_equal(world.session.reason, "timeout");
	assert_int_equal(world.session.next, NEXT_CLOSE);
	n = recv(world.peer, heard, sizeof(heard), MSG_DONTWAIT);
	assert_int_equal(n, strlen(farewell));
	assert_memory_equal(heard, farewell, (size_t)n);
}

static void before_login(void *arg)
{
	(void)arg;
	play(MINUTE, "-ERR no command for 60 seconds, closing the connection\r\n");
}

static void after_login(void *arg)
{
	(void)arg;
	play(30 * MINUTE, "-ERR no command for 1800 seconds, closing the connection\r\n");
}

/* drop: not NULL for a session that is logged in; never looked into here. */
static void run_with(void (*peer)(void *arg), struct maildrop *drop)
{
	int ends[2];

	memset(&world, 0, sizeof(world));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	world.peer = ends[1];
	world.session.config = &config;
	world.session.drop = drop;
	world.session.stream = stream_new(ends[0]);
	world.session.in = line_reader_new(world.session.stream);
	world.session.out = reply_new(world.session.stream, MINUTE);
	(void)fiber_spawn("session", session_main, NULL);
	(void)fiber_spawn("peer", peer, NULL);
	runtime_run();
	line_reader_free(world.session.in);
	reply_free(world.session.out);
	stream_close(world.session.stream);
	(void)close(world.peer);
	runtime_run();
}

static void test_a_minute_before_the_login(void **state)
{
	(void)state;
	run_with(before_login, NULL);
}

static void test_half_an_hour_after_the_login(void **state)
{
	static char drop;

	(void)state;
	run_with(after_login, (struct maildrop *)(void *)&drop);
}

/* The store is told once that the client is silent, each time that it is. */

static unsigned rests;

static void count_rest(struct backend *backend)
{
	(void)backend;
	rests++;
}

static const struct backend_ops resting = { .name = "resting", .rest = count_rest };
static struct backend store = { .ops = &resting };

static void fall_silent(void *arg)
{
	(void)arg;
	world.session.entry.backend = &store;
	settle();
	for (unsigned i = 0; i < 2; i++) {
		for (int j = 0; j < 3; j++) {
			clock_advance(14 * SECOND);
			settle();
			say("NOOP\r\n");
		}
		assert_int_equal(rests, i);
		clock_advance(14 * SECOND);
		settle();
		assert_int_equal(rests, i);
		clock_advance(SECOND);
		settle();
		assert_int_equal(rests, i + 1);
		clock_advance(10 * MINUTE);
		settle();
		assert_int_equal(rests, i + 1);
		say("NOOP\r\n");
	}
	assert_int_equal(shutdown(world.peer, SHUT_WR), 0);
}

static void test_the_store_rests_with_the_client(void **state)
{
	static char drop;

	(void)state;
	rests = 0;
	run_with(fall_silent, (struct maildrop *)(void *)&drop);
	assert_int_equal(rests, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_a_minute_before_the_login),
		fiber_test(test_half_an_hour_after_the_login),
		fiber_test(test_the_store_rests_with_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
