/* A login that is refused: the mechanism's word and the -ERR, both after the delay, on a clock that
 * moves. */
#include "tests/unit/runtime/fibers.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/login/throttle.h"
#include "proxy/pop3/session_state.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/wait.h"

#define SECOND    1000
#define CHALLENGE "+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n" /* {"status":"invalid_token"} */
#define REFUSAL   "-ERR [AUTH] "

static const struct config config = {
	.timeouts = { .login = MINUTE, .idle = MINUTE, .write = MINUTE },
	.protocol = { .bad_commands = 20 },
	.limits = { .failure_delay = 2 * SECOND, .login_failures = 10 },
};
static const struct listener_config listener = { .name = "pop3" };
static const struct connection connection = { .listener = &listener, .address = "192.0.2.1" };

static struct {
	struct session session;
	unsigned mechanism;
	int peer;
	bool ended;
} world;

static void session_main(void *arg)
{
	const struct sasl_peer peer = { .config = &config };
	struct session *s = &world.session;
	struct err e;

	(void)arg;
	if (world.mechanism != MECH_USER)
		assert_ok(sasl_new(world.mechanism, &peer, &s->sasl));
	session_fail_exchange(s, world.mechanism, err_make(ERR_AUTH, "bad"));
	e = reply_flush(s->out);
	assert_false(failed(e));
	sasl_free(s->sasl);
	world.ended = true;
}

static void settle(void)
{
	for (int i = 0; i < 10; i++)
		assert_ok(wait_turn());
}

/* What the client has got by now must begin with that; "": nothing. */
static void expect(const char *text)
{
	char heard[512] = "";
	ssize_t n;

	settle();
	n = recv(world.peer, heard, sizeof(heard) - 1, MSG_DONTWAIT);
	if ((n > 0) != (*text != '\0'))
		fail_msg("\"%s\" instead of \"%s\"", heard, text);
	if (strncmp(heard, text, strlen(text)) != 0)
		fail_msg("%s instead of %s", heard, text);
}

static void wait_out_the_delay(void)
{
	expect("");
	clock_advance(SECOND);
	expect("");
	clock_advance(SECOND);
}

static void token_client(void *arg)
{
	(void)arg;
	wait_out_the_delay();
	expect(CHALLENGE);
	clock_advance(10 * SECOND);
	expect("");
	assert_int_equal(send(world.peer, "AQ==\r\n", 6, 0), 6);
	expect(REFUSAL);
	assert_true(world.ended);
	assert_int_equal(world.session.next, NEXT_COMMAND);
}

static void silent_client(void *arg)
{
	(void)arg;
	wait_out_the_delay();
	expect(CHALLENGE);
	clock_advance(MINUTE);
	expect("-ERR no command for 60 seconds, closing the connection\r\n");
	assert_int_equal(world.session.next, NEXT_CLOSE);
}

static void password_client(void *arg)
{
	(void)arg;
	wait_out_the_delay();
	expect(REFUSAL);
}

static void discard(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static void run_with(unsigned mechanism, void (*client)(void *arg))
{
	int ends[2];

	memset(&world, 0, sizeof(world));
	stats_map(&config);
	throttle_map();
	log_capture(discard, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	world.peer = ends[1];
	world.mechanism = mechanism;
	world.session.config = &config;
	world.session.connection = &connection;
	world.session.stream = stream_new(ends[0]);
	world.session.in = line_reader_new(world.session.stream);
	world.session.out = reply_new(world.session.stream, MINUTE);
	(void)fiber_spawn("session", session_main, NULL);
	(void)fiber_spawn("client", client, NULL);
	runtime_run();
	line_reader_free(world.session.in);
	reply_free(world.session.out);
	stream_close(world.session.stream);
	(void)close(world.peer);
	runtime_run();
	log_capture(NULL, NULL);
	assert_int_equal(stats_global_get(STAT_UNROUTED_LOGIN_FAILURES), 1);
}

static void test_a_token_is_refused_after_the_delay_in_two_steps(void **state)
{
	(void)state;
	run_with(MECH_OAUTHBEARER, token_client);
}

static void test_a_client_that_does_not_answer(void **state)
{
	(void)state;
	run_with(MECH_OAUTHBEARER, silent_client);
}

static void test_a_password_is_refused_after_the_delay(void **state)
{
	(void)state;
	run_with(MECH_USER, password_client);
	run_with(MECH_PLAIN, password_client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_a_token_is_refused_after_the_delay_in_two_steps),
		fiber_test(test_a_client_that_does_not_answer),
		fiber_test(test_a_password_is_refused_after_the_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
