/* streams under TLS: handshakes that fail, traffic, ends. */
#include "fibers.h"

#include <string.h>
#include <sys/socket.h>

#include "certificates.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"
#include "tls_ends.h"

static void test_both_ways(void **state)
{
	struct end server = { .context = server_of("server.pem", "server.key") };
	struct end client = { .context = client_of("ca.pem"), .server_name = "pop.example" };

	(void)state;
	run_ends(&server, &client);
	assert_exchanged(&server, &client);
	assert_true(stream_is_tls(server.stream) && stream_is_tls(client.stream));
	assert_string_equal(stream_tls_version(server.stream), "TLSv1.3");
	assert_string_equal(stream_tls_server_name(server.stream), "pop.example");
	assert_string_equal(stream_tls_server_name(client.stream), "");
	assert_int_equal(stream_octets_in(server.stream), 4);
	assert_int_equal(stream_octets_out(server.stream), 4);
	assert_int_equal(stream_octets_in(client.stream), 4);
	close_ends(&server, &client);
}

struct plain_text {
	const char *text, *detail;
};

static void speak_in_clear(void *arg)
{
	struct end *end = arg;

	end->exchange = stream_write(end->stream, end->server_name, strlen(end->server_name));
}

static void test_server_explains_plain_text(void **state)
{
	static const struct plain_text cases[] = {
		{ "CAPA\r\nUSER anybody\r\n", "spoke no TLS, but plain text" },
		{ "GET / HTTP/1.1\r\n\r\n", "spoke no TLS, but HTTP" },
		{ "CONNECT a:443 HTTP/1.1\r\n\r\n", "spoke no TLS, but HTTP" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct end server = { .context = server_of("server.pem", "server.key") };
		struct end client = { .server_name = cases[i].text };

		open_ends(&server, &client);
		(void)fiber_spawn("server", be_server, &server);
		run_fiber(speak_in_clear, &client);
		assert_err(server.handshake, ERR_PEER, "TLS handshake: ");
		assert_err(server.handshake, ERR_PEER, cases[i].detail);
		close_ends(&server, &client);
	}
}

static void test_client_explains_plain_text(void **state)
{
	struct end client = { .context = client_of("ca.pem"), .server_name = "pop.example" };
	struct end server = { .server_name = "* OK IMAP4rev1 ready\r\n" };

	(void)state;
	open_ends(&server, &client);
	(void)fiber_spawn("client", be_client, &client);
	run_fiber(speak_in_clear, &server);
	assert_err(client.handshake, ERR_PEER, "spoke no TLS, but plain text");
	close_ends(&server, &client);
}

static void accept_for_a_minute(void *arg)
{
	deadline(MINUTE);
	be_server(arg);
}

static void test_silent_peer(void **state)
{
	struct end server = { .context = server_of("server.pem", "server.key") }, client = { 0 };
	uint64_t minute = MINUTE;

	(void)state;
	open_ends(&server, &client);
	(void)fiber_spawn("server", accept_for_a_minute, &server);
	(void)fiber_spawn("clock", pass_time, &minute);
	runtime_run();
	assert_err(server.handshake, ERR_TIMEOUT, "the peer sent nothing");
	close_ends(&server, &client);
}

static void test_peer_closes_in_the_handshake(void **state)
{
	static const char *const beginnings[] = { "", "\x16\x03\x01", "\x16\x03\x01\x02" };

	(void)state;
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		struct end server = { .context = server_of("server.pem", "server.key") };
		struct end client = { 0 };

		open_ends(&server, &client);
		(void)send(stream_fd(client.stream), beginnings[i], strlen(beginnings[i]), 0);
		stream_close(steal(client.stream));
		run_fiber(be_server, &server);
		assert_err(server.handshake, ERR_PEER, "TLS handshake: connection closed");
		close_ends(&server, &client);
	}
}

static void cancel_in_handshake(void *arg)
{
	fiber_cancel(fiber_current());
	be_server(arg);
}

static void test_cancel_in_the_handshake(void **state)
{
	struct end server = { .context = server_of("server.pem", "server.key") }, client = { 0 };

	(void)state;
	open_ends(&server, &client);
	run_fiber(cancel_in_handshake, &server);
	assert_err(server.handshake, ERR_CANCELED, "TLS handshake: canceled");
	close_ends(&server, &client);
}

static void starttls_server(void *arg)
{
	struct end *end = arg;

	assert_ok(stream_read(end->stream, end->octets, sizeof(end->octets), &end->n));
	assert_memory_equal(end->octets, "STLS\r\n", 6);
	assert_ok(stream_write(end->stream, "+OK\r\n", 5));
	be_server(end);
}

static void starttls_client(void *arg)
{
	struct end *end = arg;

	assert_ok(stream_write(end->stream, "STLS\r\n", 6));
	assert_ok(stream_read(end->stream, end->octets, sizeof(end->octets), &end->n));
	assert_memory_equal(end->octets, "+OK\r\n", 5);
	be_client(end);
}

static void test_tls_after_plain_traffic(void **state)
{
	struct end server = { .context = server_of("server.pem", "server.key") };
	struct end client = { .context = client_of("ca.pem"), .server_name = "pop.example" };

	(void)state;
	open_ends(&server, &client);
	(void)fiber_spawn("server", starttls_server, &server);
	(void)fiber_spawn("client", starttls_client, &client);
	runtime_run();
	assert_exchanged(&server, &client);
	assert_int_equal(stream_octets_in(server.stream), 10);
	close_ends(&server, &client);
}

static void write_mib(void *arg)
{
	struct end *end = arg;
	char *data cleanup(free_cleanup) = mem_alloc(MIB);

	for (size_t i = 0; i < MIB; i++)
		data[i] = pattern(i);
	assert_ok(stream_tls_accept(end->stream, end->context));
	assert_ok(stream_write(end->stream, data, MIB));
	stream_close(steal(end->stream));
}

static void read_mib_slowly(void *arg)
{
	struct end *end = arg;
	char piece[777];
	size_t total = 0, n;

	assert_ok(stream_tls_connect(end->stream, end->context, end->server_name));
	do {
		assert_ok(stream_read(end->stream, piece, sizeof(piece), &n));
		for (size_t i = 0; i < n; i++)
			assert_int_equal(piece[i], pattern(total + i));
		total += n;
		if (total % 5 == 0)
			assert_ok(wait_turn());
	} while (n > 0);
	assert_int_equal(total, MIB);
}

static void test_writer_waits_for_a_slow_reader(void **state)
{
	struct end server = { .context = server_of("server.pem", "server.key") };
	struct end client = { .context = client_of("ca.pem"), .server_name = "pop.example" };

	(void)state;
	open_ends(&server, &client);
	(void)fiber_spawn("server", write_mib, &server);
	(void)fiber_spawn("client", read_mib_slowly, &client);
	runtime_run();
	close_ends(&server, &client);
}

/* After the handshake: what TLS holds decrypted counts as readable, cancel fails a ready read, an
 * end without close_notify is an end, and writing then is an error. */
static void check_server_end(void *arg)
{
	struct end *end = arg;
	struct err e;

	assert_ok(stream_tls_accept(end->stream, end->context));
	while (!stream_readable(end->stream))
		assert_ok(wait_turn());
	assert_ok(stream_read(end->stream, end->octets, 1, &end->n));
	assert_true(stream_readable(end->stream));
	assert_ok(stream_read(end->stream, end->octets, 8, &end->n));
	assert_int_equal(end->n, 3);
	assert_false(stream_readable(end->stream));
	assert_ok(stream_read(end->stream, end->octets, 8, &end->n));
	assert_int_equal(end->n, 0);
	do {
		e = stream_write(end->stream, "x", 1);
	} while (!failed(e));
	assert_err(e, ERR_PEER, "TLS write: Broken pipe");
	fiber_cancel(fiber_current());
	e = stream_read(end->stream, end->octets, 8, &end->n);
	assert_err(e, ERR_CANCELED, "read: canceled");
}

static void vanish_after_ping(void *arg)
{
	struct end *end = arg;

	assert_ok(stream_tls_connect(end->stream, end->context, end->server_name));
	assert_ok(stream_write(end->stream, "ping", 4));
	/* Not stream_close: no close_notify. */
	(void)shutdown(stream_fd(end->stream), SHUT_RDWR);
}

static void test_end_of_a_connection(void **state)
{
	struct end server = { .context = server_of("server.pem", "server.key") };
	struct end client = { .context = client_of("ca.pem"), .server_name = "pop.example" };

	(void)state;
	open_ends(&server, &client);
	(void)fiber_spawn("server", check_server_end, &server);
	(void)fiber_spawn("client", vanish_after_ping, &client);
	runtime_run();
	close_ends(&server, &client);
}

static void linger_after_reply(void *arg)
{
	struct end *end = arg;

	be_server(end);
	/* The client takes the reply before, so that what is to come is a read of its own. */
	for (int i = 0; i < 4; i++)
		assert_ok(wait_turn());
	stream_linger(end->stream);
}

static void read_to_the_end(void *arg)
{
	struct end *end = arg;
	char record = 0;

	be_client(end);
	/* The record itself: a stream takes a bare end for the same. */
	while (recv(stream_fd(end->stream), &record, 1, MSG_PEEK) < 0)
		assert_ok(wait_turn());
	assert_int_equal(record, 23);
	assert_ok(stream_read(end->stream, end->octets + 4, 4, &end->n));
	assert_int_equal(end->n, 0);
	end->n = 4;
	stream_close(steal(end->stream));
}

static void test_linger_sends_close_notify(void **state)
{
	struct end server = { .context = server_of("server.pem", "server.key") };
	struct end client = { .context = client_of("ca.pem"), .server_name = "pop.example" };

	(void)state;
	open_ends(&server, &client);
	(void)fiber_spawn("server", linger_after_reply, &server);
	(void)fiber_spawn("client", read_to_the_end, &client);
	runtime_run();
	assert_exchanged(&server, &client);
	close_ends(&server, &client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_both_ways),
		fiber_test(test_server_explains_plain_text),
		fiber_test(test_client_explains_plain_text),
		fiber_test(test_silent_peer),
		fiber_test(test_peer_closes_in_the_handshake),
		fiber_test(test_cancel_in_the_handshake),
		fiber_test(test_tls_after_plain_traffic),
		fiber_test(test_writer_waits_for_a_slow_reader),
		fiber_test(test_end_of_a_connection),
		fiber_test(test_linger_sends_close_notify),
	};

	return cmocka_run_group_tests(tests, certificates_setup, certificates_teardown);
}
