/*
 * tls_ends - both ends of a TLS connection over a socketpair, each to be run in a fiber.
 */
#ifndef TESTS_UNIT_RUNTIME_TLS_ENDS_H
#define TESTS_UNIT_RUNTIME_TLS_ENDS_H

#include "proxy/runtime/stream.h"
#include "proxy/runtime/tls.h"

/* One end of a connection, what it is to do, and what came of it. */
struct end {
	struct stream *stream;
	struct tls_context *context;
	const char *server_name;
	struct err handshake, exchange;
	char octets[8];
	size_t n;
};

/* Contexts of files of certificates.h; ca NULL: the system's authorities. */
struct tls_context *server_of(const char *certificate, const char *key);
struct tls_context *client_of(const char *ca);

void open_ends(struct end *server, struct end *client);
/* With their contexts. */
void close_ends(struct end *server, struct end *client);

/* For fibers; arg: the end. After the handshake the client sends "ping", which the server sends
 * back. A failed handshake closes the stream. */
void be_server(void *arg);
void be_client(void *arg);

/* Opens both ends and runs them. */
void run_ends(struct end *server, struct end *client);
/* All of it went well. */
void assert_exchanged(const struct end *server, const struct end *client);

#endif
