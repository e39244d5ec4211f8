/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677): both sides prove that they know the
 * password, and -PLUS that they talk over the same TLS connection.
 */
#include <stdio.h>
#include <string.h>

#include "proxy/login/sasl_gsasl.h"
#include "proxy/login/scram_lookup.h"
#include "proxy/runtime/mem.h"

struct scram {
	bool known;         /* the keys are the login's */
	struct err failure; /* why there are no keys */
};

static int set_base64(
	Gsasl_session *session, Gsasl_property property, const unsigned char *data, size_t n)
{
	char *text = NULL;
	int status = gsasl_base64_to((const char *)data, n, &text, NULL);

	if (status == GSASL_OK)
		status = gsasl_property_set(session, property, text);
	gsasl_free(text);
	return status;
}

/* Also asked for by the mechanism without -PLUS, when the client says that it would have bound the
 * channel had the server offered it: if we did, somebody took it out of the list (RFC 5802 section
 * 6). */
static int give_binding(const struct sasl_exchange *exchange, Gsasl_session *session,
	Gsasl_property property, enum stream_binding type)
{
	unsigned char binding[STREAM_BINDING_MAX];
	size_t n = 0;

	if (exchange->peer->offered & MECH_SCRAM_SHA_256_PLUS)
		n = stream_tls_binding(exchange->peer->stream, type, binding);
	return n > 0 ? set_base64(session, property, binding, n) : GSASL_NO_CALLBACK;
}

static fiber_fn int give_keys(struct sasl_exchange *exchange, Gsasl_session *session)
{
	struct scram *scram = sasl_gsasl_own(exchange);
	struct route_query query = exchange->peer->query;
	struct scram_keys keys = { 0 };
	char iterations[16];

	query.login = gsasl_property_fast(session, GSASL_AUTHID);
	if (strlen(query.login) > SASL_IDENTITY_MAX) {
		scram->failure = err_make(
			ERR_INVALID, "SASL: an identity of more than %d octets", SASL_IDENTITY_MAX);
		return GSASL_NO_CALLBACK;
	}
	scram->failure = scram_lookup(exchange->peer->config, &query, &keys, &scram->known);
	if (failed(scram->failure))
		return GSASL_NO_CALLBACK;
	(void)snprintf(iterations, sizeof(iterations), "%u", keys.iterations);
	if (gsasl_property_set(session, GSASL_SCRAM_ITER, iterations) != GSASL_OK ||
		set_base64(session, GSASL_SCRAM_SALT, keys.salt, keys.salt_length) != GSASL_OK ||
		set_base64(session, GSASL_SCRAM_STOREDKEY, keys.stored_key, SCRAM_KEY) !=
			GSASL_OK ||
		set_base64(session, GSASL_SCRAM_SERVERKEY, keys.server_key, SCRAM_KEY) != GSASL_OK)
		scram->failure = err_make(ERR_TEMP, "libgsasl: out of memory");
	explicit_bzero(&keys, sizeof(keys));
	return GSASL_OK;
}

static fiber_fn int give(
	struct sasl_exchange *exchange, Gsasl_session *session, Gsasl_property property)
{
	switch (property) {
	case GSASL_CB_TLS_EXPORTER:
		return give_binding(exchange, session, property, STREAM_TLS_EXPORTER);
	case GSASL_CB_TLS_UNIQUE:
		return give_binding(exchange, session, property, STREAM_TLS_UNIQUE);
	case GSASL_SCRAM_ITER:
		return give_keys(exchange, session);
	default:
		return GSASL_NO_CALLBACK;
	}
}

static struct err start(struct sasl_exchange *exchange)
{
	struct scram *scram = mem_zalloc(1, sizeof(*scram));

	scram->failure = ok();
	return sasl_gsasl_start(exchange, give, scram);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* The client's proof was looked at. */
static struct err conclude(struct sasl_exchange *exchange, bool right)
{
	Gsasl_session *session = sasl_gsasl_session(exchange);
	const struct scram *scram = sasl_gsasl_own(exchange);
	const char *login = gsasl_property_fast(session, GSASL_AUTHID);
	const char *authorization = or_empty(gsasl_property_fast(session, GSASL_AUTHZID));

	if (!right || !scram->known)
		return sasl_refuse(exchange, login, authorization,
			scram->known ? "wrong password or channel binding"
				     : "no SCRAM keys of this login");
	exchange->credentials->kind = CREDENTIAL_PROVED;
	return sasl_identities(exchange, login, authorization);
}

static fiber_fn struct err step(struct sasl_exchange *exchange, const char *message, size_t n,
	struct buffer *out, bool *done)
{
	Gsasl_session *session = sasl_gsasl_session(exchange);
	const struct scram *scram = sasl_gsasl_own(exchange);
	bool first = !gsasl_property_fast(session, GSASL_AUTHID);
	struct err e;
	int status;

	/* libgsasl would take an empty binding for one */
	if (first && message[0] == 'p' && exchange->mechanism != &sasl_scram_plus)
		return err_make(ERR_INVALID, "SASL SCRAM: a channel binding without -PLUS");
	e = sasl_gsasl_step(exchange, message, n, out, &status);
	if (failed(scram->failure))
		return scram->failure;
	if (failed(e))
		return e;
	if (first && status == GSASL_AUTHENTICATION_ERROR)
		return err_make(ERR_AUTH,
			"SASL %s: no channel binding, or somebody hides that it "
			"is offered",
			exchange->mechanism->name);
	*done = status != GSASL_NEEDS_MORE;
	return *done ? conclude(exchange, status == GSASL_OK) : ok();
}

static bool can_bind(const struct sasl_peer *peer)
{
	unsigned char binding[STREAM_BINDING_MAX];

	return stream_tls_binding(peer->stream, STREAM_TLS_EXPORTER, binding) > 0 ||
	       stream_tls_binding(peer->stream, STREAM_TLS_UNIQUE, binding) > 0;
}

const struct sasl_mechanism sasl_scram = {
	.bit = MECH_SCRAM_SHA_256,
	.name = "SCRAM-SHA-256",
	.start = start,
	.step = step,
	.free = sasl_gsasl_free,
};

const struct sasl_mechanism sasl_scram_plus = {
	.bit = MECH_SCRAM_SHA_256_PLUS,
	.name = "SCRAM-SHA-256-PLUS",
	.usable = can_bind,
	.start = start,
	.step = step,
	.free = sasl_gsasl_free,
};
