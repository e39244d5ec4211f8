#include "tls_ends.h"

#include <string.h>
#include <sys/socket.h>

#include "certificates.h"
#include "fibers.h"
#include "proxy/runtime/mem.h"

struct tls_context *server_of(const char *certificate, const char *key)
{
	struct tls_certificate files = { certificate_path(certificate), certificate_path(key) };
	struct tls_context *context = NULL;

	assert_ok(tls_server_new(&files, 1, TLS_V1_2, NULL, &context));
	return context;
}

struct tls_context *client_of(const char *ca)
{
	struct tls_context *context = NULL;

	assert_ok(tls_client_new(ca ? certificate_path(ca) : NULL, true, NULL, NULL, &context));
	return context;
}

void open_ends(struct end *server, struct end *client)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server->stream = stream_new(fds[0]);
	client->stream = stream_new(fds[1]);
}

void close_ends(struct end *server, struct end *client)
{
	stream_close(server->stream);
	stream_close(client->stream);
	tls_context_free(server->context);
	tls_context_free(client->context);
}

void be_server(void *arg)
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

void be_client(void *arg)
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

void run_ends(struct end *server, struct end *client)
{
	open_ends(server, client);
	(void)fiber_spawn("server", be_server, server);
	(void)fiber_spawn("client", be_client, client);
	runtime_run();
}

void assert_exchanged(const struct end *server, const struct end *client)
{
	assert_ok(server->handshake);
	assert_ok(client->handshake);
	assert_ok(server->exchange);
	assert_ok(client->exchange);
	assert_int_equal(client->n, 4);
	assert_memory_equal(client->octets, "ping", 4);
}
