#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/imap/peer.h"

/* Servers of one port at 127.0.0.1, .2 and .3; those without a listener refuse. */
static const char *addresses[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3" };

enum manner {
	DOWN,   /* nobody listens */
	REFUSE, /* greets with BYE */
	SILENT, /* never greets */
	GOOD,   /* greets, then says NO to the login */
};

struct server {
	enum manner manner;
	int listener;
	struct fiber *fiber; /* while it waits for a client */
	unsigned visits;
};
static struct server servers[3];
static uint16_t port;

static void listen_at(size_t i)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct server *server = &servers[i];
	socklen_t n = sizeof(at);
	int on = 1;

	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(server->listener >= 0);
	(void)setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(inet_pton(AF_INET, addresses[i], &at.sin_addr), 1);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(server->listener, 8), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&at, &n), 0);
	port = ntohs(at.sin_port);
}

fiber_fn static void receive(struct server *server, int fd)
{
	struct peer peer = { .stream = stream_new(fd) };

	peer.lines = line_reader_new(peer.stream);
	if (server->manner == REFUSE) {
		peer_send(&peer, "* BYE [INUSE] too many\r\n");
	} else if (server->manner == SILENT) {
		clock_advance(10000);
	} else {
		peer_greet(&peer);
		peer_command(&peer);
		peer_answer(&peer, "NO wrong");
	}
	peer_drain(&peer);
	line_reader_free(peer.lines);
	buffer_done(&peer.wire);
	free(peer.command);
}

fiber_fn static void serve(void *arg)
{
	struct server *server = arg;
	struct fd_wait *wait = fd_wait_new(server->listener);
	int fd;

	(void)fd_wait_for(wait, UV_READABLE).scope;
	fd_wait_free(wait);
	server->fiber = NULL;
	fd = accept(server->listener, NULL, NULL);
	if (fd >= 0) {
		server->visits++;
		receive(server, fd);
	}
}

fiber_fn static void visit(void *arg)
{
	struct world *w = arg;

	w->e = imap_backend.open(
		&w->account, &(struct store_credentials){ .password = w->password }, &w->backend);
	for (size_t i = 0; i < 3; i++)
		if (servers[i].fiber)
			fiber_cancel(servers[i].fiber);
}

/* One login, with servers of these manners; asserts how often each was visited. */
static void run(struct world *w, const enum manner manners[3], const unsigned visits[3])
{
	w->tenant.imap.servers = (struct string_list){ addresses, 3 };
	for (size_t i = 0; i < 3; i++) {
		servers[i] = (struct server){ .manner = manners[i], .listener = -1 };
		if (manners[i] != DOWN) {
			listen_at(i);
			servers[i].fiber = fiber_spawn("server", serve, &servers[i]);
		}
	}
	w->tenant.imap.port = port;
	fiber_spawn("client", visit, w);
	runtime_run();
	assert_int_equal(fiber_count(), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(servers[i].visits, visits[i]);
		if (servers[i].listener >= 0)
			(void)close(servers[i].listener);
	}
}

#define MANNERS(...) ((const enum manner[]){ __VA_ARGS__ })
#define VISITS(...)  ((const unsigned[]){ __VA_ARGS__ })

/* A port of its own, so that a test knows of no failures before it. */
static int connect_new(void **state)
{
	port = 0;
	return world_new(state);
}

static void tries_servers_in_order(void **state)
{
	struct world *w = *state;

	run(w, MANNERS(REFUSE, GOOD, GOOD), VISITS(1, 1, 0));
	assert_error(w, ERR_AUTH, "127.0.0.2");
}

static void tells_of_the_last_failure(void **state)
{
	struct world *w = *state;

	run(w, MANNERS(REFUSE, DOWN, REFUSE), VISITS(1, 0, 1));
	assert_error(w, ERR_IN_USE, "127.0.0.3: BYE [INUSE] too many");
}

static void gives_each_server_its_time(void **state)
{
	struct world *w = *state;

	run(w, MANNERS(SILENT, GOOD, DOWN), VISITS(1, 1, 0));
	assert_error(w, ERR_AUTH, "127.0.0.2");
	clock_advance(60000);
	run(w, MANNERS(REFUSE, REFUSE, SILENT), VISITS(1, 1, 1));
	assert_error(w, ERR_TEMP, "127.0.0.3: no connection within 10.0 s");
}

static void avoids_a_failed_server_for_a_minute(void **state)
{
	struct world *w = *state;

	run(w, MANNERS(REFUSE, GOOD, DOWN), VISITS(1, 1, 0));
	run(w, MANNERS(GOOD, GOOD, DOWN), VISITS(0, 1, 0));
	clock_advance(60000);
	run(w, MANNERS(GOOD, GOOD, DOWN), VISITS(1, 0, 0));
}

static void tries_even_those_that_it_avoids(void **state)
{
	struct world *w = *state;

	run(w, MANNERS(REFUSE, REFUSE, REFUSE), VISITS(1, 1, 1));
	run(w, MANNERS(REFUSE, GOOD, GOOD), VISITS(1, 1, 0));
	assert_error(w, ERR_AUTH, "127.0.0.2");
	/* One that answers is trusted again at once. */
	run(w, MANNERS(GOOD, GOOD, GOOD), VISITS(0, 1, 0));
}

static void a_wrong_password_is_no_failure_of_the_server(void **state)
{
	struct world *w = *state;

	run(w, MANNERS(GOOD, GOOD, GOOD), VISITS(1, 0, 0));
	run(w, MANNERS(GOOD, GOOD, GOOD), VISITS(1, 0, 0));
	assert_error(w, ERR_AUTH, "127.0.0.1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, connect_new, world_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tries_servers_in_order),
		TEST(tells_of_the_last_failure),
		TEST(gives_each_server_its_time),
		TEST(avoids_a_failed_server_for_a_minute),
		TEST(tries_even_those_that_it_avoids),
		TEST(a_wrong_password_is_no_failure_of_the_server),
	};

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}
