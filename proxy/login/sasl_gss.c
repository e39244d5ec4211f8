#include "proxy/login/sasl_gss.h"

#include <string.h>

#include "proxy/runtime/pool.h"
#include "proxy/runtime/wait.h"

void sasl_gss_binding(const struct sasl_peer *peer, struct sasl_gss_binding *ret)
{
	static const char prefix[] = "tls-server-end-point:";
	unsigned char digest[STREAM_BINDING_MAX];
	size_t n = stream_tls_binding(peer->stream, STREAM_TLS_SERVER_END_POINT, digest);

	ret->n = 0;
	if (n == 0)
		return;
	memcpy(ret->data, prefix, sizeof(prefix) - 1);
	memcpy(ret->data + sizeof(prefix) - 1, digest, n);
	ret->n = sizeof(prefix) - 1 + n;
}

fiber_fn struct err sasl_gss_accept(struct gss *gss, const struct gss_acceptor *acceptor,
	const char *token, size_t n, struct buffer *out, bool *done)
{
	static struct gate gate;
	static bool ready;
	struct err e;

	if (!ready) {
		gate_init(&gate, pool_places(2));
		ready = true;
	}
	if (failed(e = gate_enter(&gate)))
		return e;
	e = gss_accept_token(gss, acceptor, token, n, out, done);
	gate_leave(&gate);
	return e;
}

struct err sasl_gss_refuse(
	struct sasl_exchange *exchange, const char *login, struct err e, bool *done)
{
	if (e.scope != ERR_AUTH)
		return e;
	*done = true;
	return sasl_refuse(exchange, login, "", e.detail);
}
