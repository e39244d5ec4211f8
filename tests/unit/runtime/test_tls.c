/* tls and stream_tls: both ends over a socketpair. */
#include "fibers.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "certificates.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/stream.h"
#include "proxy/runtime/tls.h"
#include "proxy/runtime/wait.h"

#define MINUTE 60000
#define MIB    ((size_t)1 << 20)

/* One end of a connection, what it is to do, and what came of it. */
struct end {
	struct stream *stream;
	struct tls_context *context;
	const char *server_name;
	struct err handshake, exchange;
	char octets[8];
	size_t n;
};

static struct tls_context *server_of(const char *certificate, const char *key)
{
	struct tls_certificate files = { certificate_path(certificate), certificate_path(key) };
	struct tls_context *context = NULL;

	assert_ok(tls_server_new(&files, 1, TLS_V1_2, NULL, &context));
	return context;
}

static struct tls_context *client_of(const char *ca)
{
	struct tls_context *context = NULL;

	assert_ok(tls_client_new(ca ? certificate_path(ca) : NULL, true, NULL, NULL, &context));
	return context;
}

static void open_ends(struct end *server, struct end *client)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server->stream = stream_new(fds[0]);
	client->stream = stream_new(fds[1]);
}

static void close_ends(struct end *server, struct end *client)
{
	stream_close(server->stream);
	stream_close(client->stream);
	tls_context_free(server->context);
	tls_context_free(client->context);
}

/* Takes four octets and sends them back. */
static void be_server(void *arg)
{
	struct end *end = arg;

	end->handshake = stream_tls_accept(end->stream, end->context);
	if (failed(end->handshake)) {
		stream_close(steal(end->stream));
		return;
	}
	end->exchange = stream_read(end->stream, end->octets, sizeof(end->octets), &end->n);
	if (!failed(end->exchange) && end->n > 0)
		end->exchange = stream_write(end->stream, end->octets, end->n);
}

static void be_client(void *arg)
{
	struct end *end = arg;

	end->handshake = stream_tls_connect(end->stream, end->context, end->server_name);
	if (failed(end->handshake)) {
		stream_close(steal(end->stream));
		return;
	}
	end->exchange = stream_write(end->stream, "ping", 4);
	if (!failed(end->exchange))
		end->exchange = stream_read(end->stream, end->octets, 8, &end->n);
}

/* Opens both ends and runs them. */
static void run_ends(struct end *server, struct end *client)
{
	open_ends(server, client);
	(void)fiber_spawn("server", be_server, server);
	(void)fiber_spawn("client", be_client, client);
	runtime_run();
}

static void assert_exchanged(const struct end *server, const struct end *client)
{
	assert_ok(server->handshake);
	assert_ok(client->handshake);
	assert_ok(server->exchange);
	assert_ok(client->exchange);
	assert_int_equal(client->n, 4);
	assert_memory_equal(client->octets, "ping", 4);
}

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

struct verification {
	const char *certificate, *key, *ca, *server_name;
	const char *details[3]; /* none: it is accepted */
};

static const struct verification verifications[] = {
	{ "server.pem", "server.key", "ca.pem", "pop.example", { NULL } },
	{ "server.pem", "server.key", "ca.pem", "POP.Example", { NULL } },
	{ "server.pem", "server.key", "ca.pem", "a.wild.example", { NULL } },
	{ "server.pem", "server.key", "ca.pem", "127.0.0.1", { NULL } },
	{ "common.pem", "common.key", "ca.pem", "common.example", { NULL } },
	{ "server.pem", "server.key", "ca.pem", "other.example",
		{ "hostname mismatch; wanted other.example",
			"the certificate is for pop.example, *.wild.example", "Test CA" } },
	{ "server.pem", "server.key", "ca.pem", "a.b.wild.example", { "hostname mismatch" } },
	{ "server.pem", "server.key", "ca.pem", "127.0.0.2",
		{ "IP address mismatch; wanted 127.0.0.2" } },
	{ "server.pem", "server.key", "ca.pem", "::1", { "IP address mismatch" } },
	{ "common.pem", "common.key", "ca.pem", "other.example",
		{ "the certificate is for /CN=common.example" } },
	{ "expired.pem", "expired.key", "ca.pem", "expired.example",
		{ "certificate verify failed: certificate has expired" } },
	{ "stranger.pem", "stranger.key", "ca.pem", "pop.example",
		{ "unable to get local issuer certificate", "issued by Other CA" } },
	{ "alone.pem", "alone.key", "ca.pem", "pop.example",
		{ "certificate verify failed: self-signed certificate" } },
	{ "server.pem", "server.key", NULL, "pop.example", { "unable to get local issuer" } },
};

static void test_verification(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(verifications) / sizeof(verifications[0]); i++) {
		const struct verification *v = &verifications[i];
		struct end server = { .context = server_of(v->certificate, v->key) };
		struct end client = { .context = client_of(v->ca), .server_name = v->server_name };

		run_ends(&server, &client);
		if (!v->details[0])
			assert_exchanged(&server, &client);
		for (size_t k = 0; k < 3 && v->details[k]; k++)
			assert_err(client.handshake, ERR_PEER, v->details[k]);
		if (v->details[0])
			assert_err(server.handshake, ERR_PEER, "alert");
		close_ends(&server, &client);
	}
}

static void test_no_verification(void **state)
{
	struct end server = { .context = server_of("alone.pem", "alone.key") };
	struct end client = { .server_name = "any.example" };

	(void)state;
	assert_ok(tls_client_new(NULL, false, NULL, NULL, &client.context));
	run_ends(&server, &client);
	assert_exchanged(&server, &client);
	assert_string_equal(stream_tls_server_name(server.stream), "any.example");
	close_ends(&server, &client);
}

static void test_no_name_to_verify(void **state)
{
	const char *const names[] = { NULL, "" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tls_context *context = client_of("ca.pem");
		struct ssl_st *ssl = NULL;
		struct err e = tls_new_ssl(context, names[i], &ssl);

		assert_err(e, ERR_INVALID, "no server name");
		assert_null(ssl);
		tls_context_free(context);
	}
}

static void test_certificate_follows_the_server_name(void **state)
{
	/* The client accepts only a certificate for the name it asks for. */
	static const struct {
		const char *server_name;
		bool accepted;
	} cases[] = {
		{ "pop.example", true },
		{ "second.example", true },
		{ "SECOND.example", true },
		{ "x.wild.example", true },
		{ "common.example", true },
		{ "unknown.example", false },
		{ "127.0.0.1", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tls_certificate files[] = {
			{ certificate_path("server.pem"), certificate_path("server.key") },
			{ certificate_path("second.pem"), certificate_path("second.key") },
			{ certificate_path("common.pem"), certificate_path("common.key") },
		};
		struct end server = { 0 };
		struct end client = { .server_name = cases[i].server_name };

		assert_ok(tls_server_new(files, 3, TLS_V1_2, NULL, &server.context));
		client.context = client_of("ca.pem");
		run_ends(&server, &client);
		assert_int_equal(!failed(client.handshake), cases[i].accepted);
		if (!cases[i].accepted)
			assert_err(
				client.handshake, ERR_PEER, "the certificate is for pop.example");
		close_ends(&server, &client);
	}
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

static void let_a_minute_pass(void *arg)
{
	(void)arg;
	assert_ok(wait_turn());
	clock_advance(MINUTE);
}

static void test_silent_peer(void **state)
{
	struct end server = { .context = server_of("server.pem", "server.key") }, client = { 0 };

	(void)state;
	open_ends(&server, &client);
	(void)fiber_spawn("server", accept_for_a_minute, &server);
	(void)fiber_spawn("clock", let_a_minute_pass, NULL);
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

static char pattern(size_t i)
{
	return (char)((i * 31) ^ (i >> 8));
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

/* Our server with a client of OpenSSL's own, which can do what ours does not. */
static struct err run_foreign_client(struct tls_context *server_context, SSL *ssl)
{
	struct end server = { .context = server_context }, client = { 0 };
	char octets[8];

	open_ends(&server, &client);
	(void)SSL_set_fd(ssl, stream_fd(client.stream));
	SSL_set_connect_state(ssl);
	(void)fiber_spawn("server", be_server, &server);
	while (fiber_count() > 0) {
		if (SSL_do_handshake(ssl) == 1)
			(void)SSL_write(ssl, "ping", 4);
		(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	}
	if (SSL_is_init_finished(ssl))
		assert_int_equal(SSL_read(ssl, octets, sizeof(octets)), 4);
	/* Else OpenSSL takes the session for a broken one. */
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	server.context = NULL;
	close_ends(&server, &client);
	return server.handshake;
}

static SSL_CTX *foreign_client(int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_security_level(context, 0);
	(void)SSL_CTX_set_min_proto_version(context, version);
	(void)SSL_CTX_set_max_proto_version(context, version);
	return context;
}

static struct err handshake_with_version(struct tls_context *server_context, int version)
{
	SSL_CTX *context = foreign_client(version);
	SSL *ssl = SSL_new(context);
	struct err e = run_foreign_client(server_context, ssl);

	SSL_free(ssl);
	SSL_CTX_free(context);
	tls_context_free(server_context);
	return e;
}

static void test_sessions_resume(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tls_context *server = server_of("server.pem", "server.key");
		SSL_CTX *context = foreign_client(versions[i]);
		SSL *first = SSL_new(context), *second = SSL_new(context);

		assert_ok(run_foreign_client(server, first));
		assert_false(SSL_session_reused(first));
		(void)SSL_set_session(second, SSL_get0_session(first));
		assert_ok(run_foreign_client(server, second));
		assert_true(SSL_session_reused(second));
		SSL_free(first);
		SSL_free(second);
		SSL_CTX_free(context);
		tls_context_free(server);
	}
}

static void test_minimum_version(void **state)
{
	static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION,
		TLS1_3_VERSION };

	(void)state;
	for (enum tls_version minimum = TLS_V1_0; minimum <= TLS_V1_3; minimum++) {
		for (size_t i = 0; i < 4; i++) {
			struct tls_certificate files = { certificate_path("server.pem"),
				certificate_path("server.key") };
			struct tls_context *context = NULL;
			struct err e;

			assert_ok(tls_server_new(&files, 1, minimum, NULL, &context));
			e = handshake_with_version(context, versions[i]);
			if (i >= (size_t)minimum)
				assert_ok(e);
			else
				assert_err(e, ERR_PEER, "unsupported protocol");
		}
	}
}

static void test_client_certificates(void **state)
{
	static const struct {
		const char *certificate, *key, *detail;
	} cases[] = {
		{ NULL, NULL, NULL },
		{ "client.pem", "client.key", NULL },
		{ "stranger.pem", "stranger.key", "unable to get local issuer certificate" },
		{ "alone.pem", "alone.key", "self-signed certificate" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_certificate files = { certificate_path("server.pem"),
			certificate_path("server.key") };
		struct end server = { 0 }, client = { .server_name = "pop.example" };
		const char *certificate = cases[i].certificate, *key = cases[i].key;

		assert_ok(tls_server_new(
			&files, 1, TLS_V1_2, certificate_path("ca.pem"), &server.context));
		assert_ok(tls_client_new(certificate_path("ca.pem"), true,
			certificate ? certificate_path(certificate) : "",
			key ? certificate_path(key) : "", &client.context));
		run_ends(&server, &client);
		if (cases[i].detail)
			assert_err(server.handshake, ERR_PEER, cases[i].detail);
		else
			assert_exchanged(&server, &client);
		close_ends(&server, &client);
	}
}

static void test_files_are_checked(void **state)
{
	static const struct {
		const char *certificate, *key, *file, *detail;
	} cases[] = {
		{ "none.pem", "server.key", "none.pem", "No such file or directory" },
		{ "server.pem", "none.key", "none.key", "No such file or directory" },
		{ "server.key", "server.key", "server.key", "no PEM certificate in it" },
		{ "server.pem", "server.pem", "server.pem", "no PEM private key in it" },
		{ "server.pem", "second.key", "second.key", "the key does not fit" },
		{ "server.pem", "encrypted.key", "encrypted.key", "the key is under a passphrase" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_certificate files[] = {
			{ certificate_path("second.pem"), certificate_path("second.key") },
			{ certificate_path(cases[i].certificate), certificate_path(cases[i].key) },
		};
		struct tls_context *context = NULL;
		struct err e = tls_server_new(files, 2, TLS_V1_2, "", &context);

		assert_err(e, ERR_INVALID, certificate_path(cases[i].file));
		assert_err(e, ERR_INVALID, cases[i].detail);
		e = tls_client_new("", true, files[1].certificate, files[1].key, &context);
		assert_err(e, ERR_INVALID, cases[i].detail);
		assert_null(context);
	}
}

static void test_authorities_are_checked(void **state)
{
	struct tls_certificate files = { certificate_path("server.pem"),
		certificate_path("server.key") };
	struct tls_context *context = NULL;
	struct err e;

	(void)state;
	e = tls_client_new(certificate_path("none.pem"), true, NULL, NULL, &context);
	assert_err(e, ERR_INVALID, "none.pem: No such file");
	e = tls_client_new(certificate_path("ca.key"), true, NULL, NULL, &context);
	assert_err(e, ERR_INVALID, "ca.key: ");
	e = tls_server_new(&files, 1, TLS_V1_2, certificate_path("ca.key"), &context);
	assert_err(e, ERR_INVALID, "ca.key: ");
	e = tls_server_new(&files, 0, TLS_V1_2, NULL, &context);
	assert_err(e, ERR_INVALID, "needs a certificate");
	assert_null(context);
	tls_context_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_both_ways),
		fiber_test(test_verification),
		fiber_test(test_no_verification),
		fiber_test(test_no_name_to_verify),
		fiber_test(test_certificate_follows_the_server_name),
		fiber_test(test_server_explains_plain_text),
		fiber_test(test_client_explains_plain_text),
		fiber_test(test_silent_peer),
		fiber_test(test_peer_closes_in_the_handshake),
		fiber_test(test_cancel_in_the_handshake),
		fiber_test(test_tls_after_plain_traffic),
		fiber_test(test_writer_waits_for_a_slow_reader),
		fiber_test(test_end_of_a_connection),
		fiber_test(test_linger_sends_close_notify),
		fiber_test(test_sessions_resume),
		fiber_test(test_minimum_version),
		fiber_test(test_client_certificates),
		fiber_test(test_files_are_checked),
		fiber_test(test_authorities_are_checked),
	};

	return cmocka_run_group_tests(tests, certificates_setup, certificates_teardown);
}
