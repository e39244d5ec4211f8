/*
 * EXTERNAL (RFC 4422 appendix A): the client's certificate, verified in the TLS handshake, says who
 * it is; the message is the authorization identity.
 */
#include <string.h>

#include "proxy/login/sasl_gsasl.h"

/* The login in the client's certificate, as the listener wants it. */
static bool certificate_login(const struct sasl_peer *peer, char ret[STREAM_PEER_NAME_MAX])
{
	const struct stream *stream = peer->stream;

	switch (peer->listener->certificate_login) {
	case CERTIFICATE_EMAIL:
		return stream_tls_peer_name(stream, STREAM_PEER_EMAIL, ret);
	case CERTIFICATE_CN:
		return stream_tls_peer_name(stream, STREAM_PEER_COMMON_NAME, ret);
	case CERTIFICATE_EMAIL_OR_CN:
		break;
	}
	return stream_tls_peer_name(stream, STREAM_PEER_EMAIL, ret) ||
	       stream_tls_peer_name(stream, STREAM_PEER_COMMON_NAME, ret);
}

static bool has_certificate(const struct sasl_peer *peer)
{
	char login[STREAM_PEER_NAME_MAX];

	return certificate_login(peer, login);
}

/* Whether that authorization identity may be used is not for the mechanism to say. */
static int accept_any(
	struct sasl_exchange *exchange, Gsasl_session *session, Gsasl_property property)
{
	(void)exchange;
	(void)session;
	return property == GSASL_VALIDATE_EXTERNAL ? GSASL_OK : GSASL_NO_CALLBACK;
}

static struct err start(struct sasl_exchange *exchange)
{
	return sasl_gsasl_start(exchange, accept_any, NULL);
}

static fiber_fn struct err step(struct sasl_exchange *exchange, const char *message, size_t n,
	struct buffer *out, bool *done)
{
	char login[STREAM_PEER_NAME_MAX];
	struct err e;
	int status;

	if (failed(e = sasl_gsasl_step(exchange, message, n, out, &status)))
		return e;
	if (!certificate_login(exchange->peer, login))
		return err_make(ERR_AUTH, "SASL EXTERNAL: no login in the client's certificate");
	*done = true;
	exchange->credentials->kind = CREDENTIAL_PROVED;
	/* libgsasl has found no NUL in it */
	return sasl_identities(exchange, login, message);
}

const struct sasl_mechanism sasl_external = {
	.bit = MECH_EXTERNAL,
	.name = "EXTERNAL",
	.takes_empty = true,
	.usable = has_certificate,
	.start = start,
	.step = step,
	.free = sasl_gsasl_free,
};
