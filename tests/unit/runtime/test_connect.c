/* stream_connect: names, addresses in turn, deadlines. The resolver is this file's own. */
#include "fibers.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/stream.h"
#include "proxy/runtime/wait.h"
#include "sockets.h"

/* What NAME.example resolves to: one list for all, in this order. A thread of the pool reads it. */
static struct {
	uint16_t ports[3]; /* of 127.0.0.1; 0: no more */
	sem_t *hold;       /* NULL, or what the answer waits for */
} resolver;

static struct addrinfo *answer(size_t i)
{
	struct addrinfo *info;
	struct sockaddr_in *in;

	if (i == 3 || resolver.ports[i] == 0)
		return NULL;
	info = mem_zalloc(1, sizeof(*info) + sizeof(*in));
	in = (struct sockaddr_in *)(void *)(info + 1);
	in->sin_family = AF_INET;
	in->sin_port = htons(resolver.ports[i]);
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	info->ai_family = AF_INET;
	info->ai_socktype = SOCK_STREAM;
	info->ai_addr = (struct sockaddr *)in;
	info->ai_addrlen = sizeof(*in);
	info->ai_next = answer(i + 1);
	return info;
}

/* In place of the C library's, for libuv too. */
int getaddrinfo(const char *restrict host, const char *restrict service,
	const struct addrinfo *restrict hint, struct addrinfo **restrict ret)
{
	struct in_addr address;

	(void)service;
	if (inet_pton(AF_INET, host, &address) != 1) {
		if (hint->ai_flags & AI_NUMERICHOST || !strstr(host, ".example"))
			return EAI_NONAME;
		if (resolver.hold)
			(void)sem_wait(resolver.hold);
	}
	*ret = answer(0);
	return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
	while (info) {
		struct addrinfo *next = info->ai_next;

		free(info);
		info = next;
	}
}

struct dial {
	const char *host;
	uint64_t milliseconds; /* 0: no deadline */
	struct err e;
	struct stream *stream;
};

static void dial(void *arg)
{
	struct dial *d = arg;

	deadline(d->milliseconds ? d->milliseconds : UINT64_MAX);
	d->e = stream_connect(d->host, 993, &d->stream);
}

static int setup(void **state)
{
	memset(&resolver, 0, sizeof(resolver));
	return loop_setup(state);
}

static void test_literal_and_name(void **state)
{
	const char *const hosts[] = { "127.0.0.1", "imap.example" };
	int listener = listen_on_loopback(&resolver.ports[0]);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct dial d = { .host = hosts[i] };
		char octet;
		int peer;

		run_fiber(dial, &d);
		assert_ok(d.e);
		peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		assert_int_equal(send(stream_fd(d.stream), "y", 1, 0), 1);
		assert_int_equal(recv(peer, &octet, 1, MSG_WAITALL), 1);
		assert_false(stream_is_tls(d.stream));
		assert_string_equal(stream_tls_version(d.stream), "");
		assert_string_equal(stream_tls_server_name(d.stream), "");
		stream_close(d.stream);
		(void)close(peer);
	}
	(void)close(listener);
}

static void test_refused(void **state)
{
	struct dial d = { .host = "imap.example" };

	(void)state;
	(void)close(listen_on_loopback(&resolver.ports[0]));
	run_fiber(dial, &d);
	assert_err(d.e, ERR_PEER, "imap.example port 993: 127.0.0.1: connect: Connection refused");
	assert_null(d.stream);
}

static void test_unknown_names(void **state)
{
	const char *const hosts[] = { "nowhere.invalid", "two words", "" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct dial d = { .host = hosts[i] };

		run_fiber(dial, &d);
		assert_err(d.e, ERR_PEER, hosts[i]);
		assert_err(d.e, ERR_PEER, "port 993: name lookup: ");
	}
}

static void test_addresses_in_turn(void **state)
{
	struct dial d = { .host = "imap.example" };
	int listener;

	(void)state;
	(void)close(listen_on_loopback(&resolver.ports[0]));
	(void)close(listen_on_loopback(&resolver.ports[1]));
	listener = listen_on_loopback(&resolver.ports[2]);
	run_fiber(dial, &d);
	assert_ok(d.e);
	stream_close(d.stream);
	(void)close(listener);
}

static void test_deadline(void **state)
{
	struct dial d = { .host = "127.0.0.1", .milliseconds = MINUTE };
	int listener = listen_on_loopback(&resolver.ports[0]), filler[QUEUE_FILL];
	uint64_t minute = MINUTE;

	(void)state;
	fill_queue(listener, resolver.ports[0], filler);
	(void)fiber_spawn("clock", pass_time, &minute);
	run_fiber(dial, &d);
	assert_err(d.e, ERR_TIMEOUT, "127.0.0.1 port 993: 127.0.0.1: connect: timed out");
	for (int i = 0; i < QUEUE_FILL; i++)
		(void)close(filler[i]);
	(void)close(listener);
}

/* The first address does not answer: after its half of the minute the second has its turn. */
static void test_silent_address_leaves_time_for_the_next(void **state)
{
	struct dial d = { .host = "127.0.0.1", .milliseconds = MINUTE };
	int silent = listen_on_loopback(&resolver.ports[0]), filler[QUEUE_FILL];
	int listener = listen_on_loopback(&resolver.ports[1]);
	uint64_t half = MINUTE / 2;

	(void)state;
	fill_queue(silent, resolver.ports[0], filler);
	(void)fiber_spawn("clock", pass_time, &half);
	run_fiber(dial, &d);
	assert_ok(d.e);
	stream_close(d.stream);
	for (int i = 0; i < QUEUE_FILL; i++)
		(void)close(filler[i]);
	(void)close(silent);
	(void)close(listener);
}

static void dial_canceled(void *arg)
{
	fiber_cancel(fiber_current());
	dial(arg);
}

static void test_canceled_before(void **state)
{
	struct dial d = { .host = "imap.example" };

	(void)state;
	run_fiber(dial_canceled, &d);
	assert_err(d.e, ERR_CANCELED, "imap.example port 993: canceled");
}

/* The resolver's answer, good or bad, comes when nobody waits any more. */
static void test_abandoned_resolver(void **state)
{
	const char *const hosts[] = { "imap.example", "nowhere.invalid" };
	sem_t hold;

	(void)state;
	(void)sem_init(&hold, 0, 0);
	resolver.hold = &hold;
	resolver.ports[0] = 9;
	for (size_t i = 0; i < 2; i++) {
		struct dial d = { .host = hosts[i] };
		struct fiber *fiber = fiber_spawn("dialer", dial, &d);

		(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
		fiber_cancel(fiber);
		(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
		assert_int_equal(fiber_count(), 0);
		assert_err(d.e, ERR_CANCELED, "port 993: name lookup: canceled");
		(void)sem_post(&hold);
		runtime_run();
	}
	(void)sem_destroy(&hold);
}

static void test_slow_resolver(void **state)
{
	struct dial d = { .host = "imap.example", .milliseconds = MINUTE };
	uint64_t minute = MINUTE;
	sem_t hold;

	(void)state;
	(void)sem_init(&hold, 0, 0);
	resolver.hold = &hold;
	(void)fiber_spawn("dialer", dial, &d);
	(void)fiber_spawn("clock", pass_time, &minute);
	while (fiber_count() > 0)
		(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	assert_err(d.e, ERR_TIMEOUT, "imap.example port 993: name lookup: timed out");
	(void)sem_post(&hold);
	runtime_run();
	(void)sem_destroy(&hold);
}

#define connect_test(fn) cmocka_unit_test_setup_teardown(fn, setup, loop_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		connect_test(test_literal_and_name),
		connect_test(test_refused),
		connect_test(test_unknown_names),
		connect_test(test_addresses_in_turn),
		connect_test(test_deadline),
		connect_test(test_silent_address_leaves_time_for_the_next),
		connect_test(test_canceled_before),
		connect_test(test_abandoned_resolver),
		connect_test(test_slow_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
