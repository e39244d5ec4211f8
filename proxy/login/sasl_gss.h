/*
 * sasl_gss - what the mechanisms that stand on GSSAPI share. Internal to proxy/login.
 */
#ifndef POPGATE_LOGIN_SASL_GSS_H
#define POPGATE_LOGIN_SASL_GSS_H

#include "proxy/login/sasl_mechanism.h"
#include "proxy/runtime/gss.h"

/* The name of a channel binding and its octets (RFC 5929), as GSSAPI takes them; n 0: no TLS. */
struct sasl_gss_binding {
	char data[32 + STREAM_BINDING_MAX];
	size_t n;
};

/* tls-server-end-point: the only one that clients of these mechanisms give. */
void sasl_gss_binding(const struct sasl_peer *peer, struct sasl_gss_binding *ret);

/* As gss_accept_token, in its share of the thread pool. */
fiber_fn struct err sasl_gss_accept(struct gss *gss, const struct gss_acceptor *acceptor,
	const char *token, size_t n, struct buffer *out, bool *done);

/* Ends the exchange when e is ERR_AUTH, as with a wrong password of login; other errors it gives
 * back. */
struct err sasl_gss_refuse(
	struct sasl_exchange *exchange, const char *login, struct err e, bool *done);

#endif
