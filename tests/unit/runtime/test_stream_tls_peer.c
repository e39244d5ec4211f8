/* stream_tls_peer: what both ends of a TLS connection know of it, and whom the client shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "certificates.h"
#include "fibers.h"
#include "tls_ends.h"

struct binding {
	unsigned char octets[STREAM_BINDING_MAX];
	size_t n;
};

static struct binding binding_of(const struct end *end, enum stream_binding type)
{
	struct binding b = { .n = 0 };

	b.n = stream_tls_binding(end->stream, type, b.octets);
	return b;
}

/* A connection whose server asks for certificates of ca.pem; the client shows NAME.pem, or none. */
static void connect_as(const char *name, struct end *server, struct end *client)
{
	struct tls_certificate files = { certificate_path("server.pem"),
		certificate_path("server.key") };
	char certificate[64] = "", key[64] = "";

	if (name) {
		(void)snprintf(certificate, sizeof(certificate), "%s.pem", name);
		(void)snprintf(key, sizeof(key), "%s.key", name);
	}
	assert_ok(
		tls_server_new(&files, 1, TLS_V1_2, certificate_path("ca.pem"), &server->context));
	assert_ok(tls_client_new(certificate_path("ca.pem"), true,
		name ? certificate_path(certificate) : NULL, name ? certificate_path(key) : NULL,
		&client->context));
	client->server_name = "pop.example";
	run_ends(server, client);
}

static void test_both_ends_have_one_binding(void **state)
{
	struct end server = { .n = 0 }, client = { .n = 0 };
	struct binding a, b;

	(void)state;
	connect_as(NULL, &server, &client);
	assert_exchanged(&server, &client);
	assert_string_equal(stream_tls_version(server.stream), "TLSv1.3");
	a = binding_of(&server, STREAM_TLS_EXPORTER);
	b = binding_of(&client, STREAM_TLS_EXPORTER);
	assert_int_equal(a.n, 32);
	assert_int_equal(b.n, 32);
	assert_memory_equal(a.octets, b.octets, 32);
	/* tls-unique is not defined there (RFC 8446 appendix C.5) */
	assert_int_equal(binding_of(&server, STREAM_TLS_UNIQUE).n, 0);
	close_ends(&server, &client);
}

/* Of the certificate: the same for both ends, and on every connection. */
static void test_binding_of_the_server(void **state)
{
	struct end server[2] = { { .n = 0 }, { .n = 0 } }, client[2] = { { .n = 0 }, { .n = 0 } };
	struct binding a, b;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		connect_as(NULL, &server[i], &client[i]);
		assert_exchanged(&server[i], &client[i]);
	}
	a = binding_of(&server[0], STREAM_TLS_SERVER_END_POINT);
	assert_int_equal(a.n, 32);
	b = binding_of(&client[0], STREAM_TLS_SERVER_END_POINT);
	assert_int_equal(b.n, 32);
	assert_memory_equal(a.octets, b.octets, 32);
	b = binding_of(&server[1], STREAM_TLS_SERVER_END_POINT);
	assert_memory_equal(a.octets, b.octets, 32);
	for (size_t i = 0; i < 2; i++)
		close_ends(&server[i], &client[i]);
}

static void test_two_connections_have_two(void **state)
{
	struct end server[2] = { { .n = 0 }, { .n = 0 } }, client[2] = { { .n = 0 }, { .n = 0 } };
	struct binding a, b;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		connect_as(NULL, &server[i], &client[i]);
	a = binding_of(&server[0], STREAM_TLS_EXPORTER);
	b = binding_of(&server[1], STREAM_TLS_EXPORTER);
	assert_memory_not_equal(a.octets, b.octets, 32);
	for (size_t i = 0; i < 2; i++)
		close_ends(&server[i], &client[i]);
}

static void test_connection_in_clear_has_nothing(void **state)
{
	char name[STREAM_PEER_NAME_MAX];
	struct end server = { .n = 0 }, client = { .n = 0 };

	(void)state;
	open_ends(&server, &client);
	assert_int_equal(binding_of(&server, STREAM_TLS_EXPORTER).n, 0);
	assert_int_equal(binding_of(&server, STREAM_TLS_UNIQUE).n, 0);
	assert_int_equal(binding_of(&server, STREAM_TLS_SERVER_END_POINT).n, 0);
	assert_false(stream_tls_peer_name(server.stream, STREAM_PEER_EMAIL, name));
	assert_false(stream_tls_peer_name(server.stream, STREAM_PEER_COMMON_NAME, name));
	close_ends(&server, &client);
}

/* email, common_name: NULL where there is none to be found. */
static void assert_names(const char *certificate, const char *email, const char *common_name)
{
	struct end server = { .n = 0 }, client = { .n = 0 };
	char name[STREAM_PEER_NAME_MAX];

	connect_as(certificate, &server, &client);
	assert_exchanged(&server, &client);
	assert_int_equal(
		stream_tls_peer_name(server.stream, STREAM_PEER_EMAIL, name), email != NULL);
	if (email)
		assert_string_equal(name, email);
	assert_int_equal(stream_tls_peer_name(server.stream, STREAM_PEER_COMMON_NAME, name),
		common_name != NULL);
	if (common_name)
		assert_string_equal(name, common_name);
	close_ends(&server, &client);
}

static void test_names_in_certificates(void **state)
{
	(void)state;
	assert_names(NULL, NULL, NULL);
	assert_names("client", NULL, "client.example");
	assert_names("common", NULL, "common.example");
	assert_names("person", "ann@local.example", "J\xc3\xb6rg");
	assert_names("odd-person", NULL, NULL);
}

static void test_certificate_of_a_stranger_ends_the_handshake(void **state)
{
	struct end server = { .n = 0 }, client = { .n = 0 };

	(void)state;
	connect_as("stranger", &server, &client);
	assert_int_equal(server.handshake.scope, ERR_PEER);
	assert_non_null(strstr(server.handshake.detail, "certificate verify failed"));
	close_ends(&server, &client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fiber_test(test_both_ends_have_one_binding),
		fiber_test(test_binding_of_the_server),
		fiber_test(test_two_connections_have_two),
		fiber_test(test_connection_in_clear_has_nothing),
		fiber_test(test_names_in_certificates),
		fiber_test(test_certificate_of_a_stranger_ends_the_handshake),
	};

	return cmocka_run_group_tests_name(
		"stream_tls_peer", tests, certificates_setup, certificates_teardown);
}
