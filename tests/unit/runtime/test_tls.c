/* TLS contexts: who is believed, which certificate is shown, what files may hold. */
#include "fibers.h"

#include <string.h>

#include <openssl/ssl.h>

#include "certificates.h"
#include "tls_ends.h"

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

/* Our server with a client of OpenSSL's own, which can do what ours does not. */
static struct err run_foreign_client(struct tls_context *server_context, SSL *ssl)
{
	struct end server = { .context = server_context }, client = { 0 };
	char octets[8];
	bool said = false;

	open_ends(&server, &client);
	(void)SSL_set_fd(ssl, stream_fd(client.stream));
	SSL_set_connect_state(ssl);
	(void)fiber_spawn("server", be_server, &server);
	while (fiber_count() > 0) {
		if (!said && SSL_do_handshake(ssl) == 1)
			said = SSL_write(ssl, "ping", 4) == 4;
		(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	}
	if (said)
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

/* Our client with a server of OpenSSL's own, which tells what it was offered. */
static struct err run_foreign_server(
	struct tls_context *client_context, const char *name, SSL_CTX *server_context)
{
	struct end client = { .context = client_context, .server_name = name }, server = { 0 };
	SSL *ssl = SSL_new(server_context);
	char octets[8];
	bool heard = false;

	open_ends(&server, &client);
	(void)SSL_set_fd(ssl, stream_fd(server.stream));
	SSL_set_accept_state(ssl);
	(void)fiber_spawn("client", be_client, &client);
	while (fiber_count() > 0) {
		if (!heard && SSL_do_handshake(ssl) == 1)
			heard = SSL_read(ssl, octets, 4) == 4 && SSL_write(ssl, octets, 4) == 4;
		(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
	}
	client.context = NULL;
	close_ends(&server, &client);
	SSL_free(ssl);
	return client.handshake;
}

static SSL_CTX *foreign_server(const char *certificate, const char *key, int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	assert_int_equal(
		SSL_CTX_use_certificate_chain_file(context, certificate_path(certificate)), 1);
	assert_int_equal(
		SSL_CTX_use_PrivateKey_file(context, certificate_path(key), SSL_FILETYPE_PEM), 1);
	(void)SSL_CTX_set_max_proto_version(context, version);
	return context;
}

/* The second handshake with a server is short; one with another name, and one with a server that
 * knows nothing of the first, are whole, with all that is verified in them. */
static void test_client_resumes(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tls_context *client = client_of("ca.pem");
		SSL_CTX *server = foreign_server("server.pem", "server.key", versions[i]);
		SSL_CTX *stranger = foreign_server("stranger.pem", "stranger.key", versions[i]);

		assert_ok(run_foreign_server(client, "pop.example", server));
		assert_int_equal(SSL_CTX_sess_hits(server), 0);
		assert_ok(run_foreign_server(client, "pop.example", server));
		assert_int_equal(SSL_CTX_sess_hits(server), 1);
		assert_ok(run_foreign_server(client, "127.0.0.1", server));
		assert_int_equal(SSL_CTX_sess_hits(server), 1);
		assert_err(run_foreign_server(client, "second.example", server), ERR_PEER,
			"the certificate is for pop.example");
		assert_err(run_foreign_server(client, "pop.example", stranger), ERR_PEER, "");
		assert_ok(run_foreign_server(client, "pop.example", server));
		SSL_CTX_free(stranger);
		SSL_CTX_free(server);
		tls_context_free(client);
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
		fiber_test(test_verification),
		fiber_test(test_no_verification),
		fiber_test(test_no_name_to_verify),
		fiber_test(test_certificate_follows_the_server_name),
		fiber_test(test_sessions_resume),
		fiber_test(test_client_resumes),
		fiber_test(test_minimum_version),
		fiber_test(test_client_certificates),
		fiber_test(test_files_are_checked),
		fiber_test(test_authorities_are_checked),
	};

	return cmocka_run_group_tests(tests, certificates_setup, certificates_teardown);
}
