#include "proxy/login/sasl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <gsasl.h>

#include "proxy/login/sasl_mechanism.h"
#ifdef POPGATE_GSSAPI
#include "proxy/runtime/gss.h"
#endif
#include "proxy/runtime/mem.h"

#define INPUT_MAX 65536 /* octets of base64 in one step */

/* In the order in which CAPA names them. */
static const struct sasl_mechanism *const mechanisms[] = {
	&sasl_plain,
	&sasl_login,
	&sasl_scram_plus,
	&sasl_scram,
	&sasl_external,
	&sasl_oauthbearer,
	&sasl_xoauth2,
#ifdef POPGATE_GSSAPI
	&sasl_gssapi,
	&sasl_ntlm,
#endif
	NULL,
};

struct sasl {
	struct sasl_exchange exchange;
	bool started, over;
	bool last; /* the mechanism is done, the client has to answer its last challenge */
	char *output;
};

void sasl_prepare(const struct config *config)
{
#ifdef POPGATE_GSSAPI
	bool ntlm = false, v1 = false;

	for (size_t i = 0; i < config->n_tenants; i++) {
		ntlm |= (config->tenants[i].auth.mechanisms & MECH_NTLM) != 0;
		v1 |= config->tenants[i].auth.ntlm_v1;
	}
	if (ntlm)
		gss_prepare_ntlm(v1);
#else
	(void)config;
#endif
}

unsigned sasl_usable(unsigned allowed, const struct sasl_peer *peer, bool passwords)
{
	unsigned usable = passwords ? allowed & MECH_USER : 0;

	for (const struct sasl_mechanism *const *m = mechanisms; *m; m++)
		if (((*m)->bit & allowed) != 0 && (passwords || !(*m)->plaintext) &&
			(!(*m)->usable || (*m)->usable(peer)))
			usable |= (*m)->bit;
	return usable;
}

unsigned sasl_mechanism(const char *name, unsigned allowed)
{
	for (const struct sasl_mechanism *const *m = mechanisms; *m; m++)
		if (((*m)->bit & allowed) != 0 && strcasecmp((*m)->name, name) == 0)
			return (*m)->bit;
	return 0;
}

const char *sasl_names(unsigned allowed, char *buffer, size_t n)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (const struct sasl_mechanism *const *m = mechanisms; *m; m++)
		if (((*m)->bit & allowed) != 0 && used < n)
			used += (size_t)snprintf(
				buffer + used, n - used, "%s%s", used > 0 ? " " : "", (*m)->name);
	return buffer;
}

struct err sasl_new(unsigned mechanism, const struct sasl_peer *peer, struct sasl **ret)
{
	const struct sasl_mechanism *const *m = mechanisms;
	struct sasl *sasl;
	struct err e;

	while (*m && (*m)->bit != mechanism)
		m++;
	if (!*m)
		return err_make(ERR_INVALID, "SASL: no such mechanism");
	sasl = mem_zalloc(1, sizeof(*sasl));
	sasl->exchange.mechanism = *m;
	sasl->exchange.peer = peer;
	if ((*m)->start && failed(e = (*m)->start(&sasl->exchange))) {
		free(sasl);
		return e;
	}
	*ret = sasl;
	return ok();
}

void sasl_free(struct sasl *sasl)
{
	if (!sasl)
		return;
	if (sasl->exchange.mechanism->free)
		sasl->exchange.mechanism->free(&sasl->exchange);
	gsasl_free(sasl->output);
	free(sasl);
}

struct err sasl_identities(
	struct sasl_exchange *exchange, const char *login, const char *authorization)
{
	if (login[0] == '\0')
		return err_make(ERR_INVALID, "SASL: empty login");
	if (strlen(login) > SASL_IDENTITY_MAX || strlen(authorization) > SASL_IDENTITY_MAX)
		return err_make(
			ERR_INVALID, "SASL: an identity of more than %d octets", SASL_IDENTITY_MAX);
	exchange->credentials->login = mem_strdup(login);
	exchange->credentials->authorization = mem_strdup(authorization);
	return ok();
}

struct err sasl_refuse(struct sasl_exchange *exchange, const char *login, const char *authorization,
	const char *why)
{
	struct err e = sasl_identities(exchange, login, authorization);

	if (failed(e))
		return e;
	exchange->credentials->kind = CREDENTIAL_REFUSED;
	exchange->credentials->why = mem_strdup(why);
	return ok();
}

static void wipe_and_free(char *data, size_t n)
{
	if (data)
		explicit_bzero(data, n);
	gsasl_free(data);
}

/* Base64 of RFC 4648 section 4 and nothing else: whatever is not exactly what encoding the result
 * gives (white space, missing or wrong padding, spare bits) is refused. */
static struct err decode(const char *input, struct secret **ret)
{
	char *data = NULL, *again = NULL;
	size_t n = 0, again_length = 0;
	bool strict;

	if (strlen(input) > INPUT_MAX)
		return err_make(ERR_INVALID, "SASL: a response of more than %d octets", INPUT_MAX);
	strict = gsasl_base64_from(input, strlen(input), &data, &n) == GSASL_OK &&
		 gsasl_base64_to(data, n, &again, &again_length) == GSASL_OK &&
		 strcmp(again, input) == 0;
	if (strict)
		*ret = secret_new(data, n); /* ends in the NUL that libgsasl looks for */
	wipe_and_free(again, again_length);
	wipe_and_free(data, n);
	return strict ? ok() : err_make(ERR_INVALID, "SASL: the response is not base64");
}

/* Keeps a challenge, in base64, as the output. */
static struct err put_output(struct sasl *sasl, const struct buffer *challenge)
{
	gsasl_free(sasl->output);
	sasl->output = NULL;
	if (gsasl_base64_to(challenge->data ? challenge->data + challenge->start : "",
		    buffer_used(challenge), &sasl->output, NULL) != GSASL_OK)
		return err_make(ERR_TEMP, "libgsasl: a challenge cannot be encoded");
	return ok();
}

/* Hands the mechanism one message. */
static fiber_fn struct err advance(
	struct sasl *sasl, const char *message, size_t n, struct buffer *challenge, bool *done)
{
	const struct sasl_mechanism *mechanism = sasl->exchange.mechanism;

	if (message && n == 0 && !mechanism->takes_empty)
		return err_make(ERR_INVALID, "SASL %s: an empty response", mechanism->name);
	return mechanism->step(&sasl->exchange, message, n, challenge, done);
}

/* The response to the last challenge, which said how it went. */
static struct err conclude(const struct sasl *sasl, const struct secret *message, bool *done)
{
	if (sasl->exchange.credentials->kind != CREDENTIAL_REFUSED && secret_length(message) > 0)
		return err_make(ERR_INVALID, "SASL %s: a response after the end",
			sasl->exchange.mechanism->name);
	*done = true;
	return ok();
}

/* One decoded response; NULL: there was no initial one. */
static fiber_fn struct err take(struct sasl *sasl, bool initial, const struct secret *message,
	struct buffer *challenge, bool *done)
{
	struct err e;

	if (sasl->last)
		return conclude(sasl, message, done);
	if (initial && sasl->exchange.mechanism->server_first) {
		e = advance(sasl, NULL, 0, challenge, done);
		if (failed(e) || !message)
			return e;
		buffer_consume(challenge, buffer_used(challenge));
	}
	if (!message)
		return ok();
	return advance(sasl, secret_data(message), secret_length(message), challenge, done);
}

static fiber_fn struct err step(struct sasl *sasl, const char *input, bool *done)
{
	bool initial = !sasl->started;
	bool empty = initial && strcmp(input, "=") == 0; /* RFC 5034 section 4 */
	cleanup(secret_cleanup) struct secret *message = NULL;
	cleanup(buffer_wipe) struct buffer challenge = { 0 };
	struct err e;

	sasl->started = true;
	if (!initial || *input)
		if (failed(e = decode(empty ? "" : input, &message)))
			return e;
	if (failed(e = take(sasl, initial, message, &challenge, done)))
		return e;
	sasl->last = *done && buffer_used(&challenge) > 0;
	if (sasl->last)
		*done = false;
	return put_output(sasl, &challenge);
}

fiber_fn struct err sasl_step(struct sasl *sasl, const char *input, const char **output,
	enum sasl_state *state, struct credentials *credentials)
{
	bool done = false;
	struct err e;

	if (sasl->over)
		return err_make(ERR_INVALID, "SASL: the exchange is over");
	sasl->exchange.credentials = credentials;
	credentials->mechanism = sasl->exchange.mechanism->bit;
	e = step(sasl, input, &done);
	sasl->over = failed(e) || done;
	if (failed(e))
		return e;
	*output = sasl->output;
	*state = done ? SASL_DONE : SASL_CONTINUE;
	return ok();
}

const char *sasl_failure(struct sasl *sasl)
{
	cleanup(buffer_done) struct buffer text = { 0 };

	if (!sasl->exchange.mechanism->failure)
		return NULL;
	sasl->exchange.mechanism->failure(&sasl->exchange, &text);
	return failed(put_output(sasl, &text)) ? NULL : sasl->output;
}
