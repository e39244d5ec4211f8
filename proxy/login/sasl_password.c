/*
 * PLAIN (RFC 4616) and LOGIN: the client shows its password, which somebody else checks.
 */
#include <string.h>

#include "proxy/login/sasl_gsasl.h"
#include "proxy/runtime/mem.h"

/* The credentials are collected, not judged. */
static int accept_any(
	struct sasl_exchange *exchange, Gsasl_session *session, Gsasl_property property)
{
	(void)exchange;
	(void)session;
	return property == GSASL_VALIDATE_SIMPLE ? GSASL_OK : GSASL_NO_CALLBACK;
}

static struct err start(struct sasl_exchange *exchange)
{
	return sasl_gsasl_start(exchange, accept_any, NULL);
}

/* The password is taken as it was sent, not as SASLprep changed it: PASS gives it so, and the
 * hashes and IMAP servers that it is compared with were never prepared. */
static struct err collect(
	struct sasl_exchange *exchange, const char *authorization, const char *password, size_t n)
{
	const char *login = gsasl_property_fast(sasl_gsasl_session(exchange), GSASL_AUTHID);
	struct err e;

	/* RFC 4616 section 2: authcid and passwd have at least one octet */
	if (!login || n == 0)
		return err_make(ERR_INVALID, "SASL: empty login or password");
	if (failed(e = sasl_identities(exchange, login, authorization)))
		return e;
	exchange->credentials->kind = CREDENTIAL_PASSWORD;
	exchange->credentials->secret = secret_new(password, n);
	return ok();
}

static fiber_fn struct err step_plain(struct sasl_exchange *exchange, const char *message, size_t n,
	struct buffer *out, bool *done)
{
	Gsasl_session *session = sasl_gsasl_session(exchange);
	const char *password, *authorization;
	struct err e;
	int status;

	if (failed(e = sasl_gsasl_step(exchange, message, n, out, &status)))
		return e;
	/* libgsasl has found the message to be authzid NUL authcid NUL passwd, and gives the login
	 * where there is no authzid */
	password = (const char *)memrchr(message, '\0', n) + 1;
	authorization = message[0] == '\0' ? "" : gsasl_property_fast(session, GSASL_AUTHZID);
	*done = true;
	return collect(exchange, authorization, password, (size_t)(message + n - password));
}

/* Exchange and Dovecot prompt so; libgsasl's "User Name" is what the draft says, and clients that
 * look at the text know the former only. */
static const char *prompt_after(const char *message)
{
	return message ? "Password:" : "Username:";
}

static fiber_fn struct err step_login(struct sasl_exchange *exchange, const char *message, size_t n,
	struct buffer *out, bool *done)
{
	struct err e;
	int status;

	if (failed(e = sasl_gsasl_step(exchange, message, n, out, &status)))
		return e;
	*done = status == GSASL_OK;
	if (*done)
		return collect(exchange, "", message, n);
	buffer_consume(out, buffer_used(out));
	buffer_printf(out, "%s", prompt_after(message));
	return ok();
}

const struct sasl_mechanism sasl_plain = {
	.bit = MECH_PLAIN,
	.name = "PLAIN",
	.plaintext = true,
	.start = start,
	.step = step_plain,
	.free = sasl_gsasl_free,
};

const struct sasl_mechanism sasl_login = {
	.bit = MECH_LOGIN,
	.name = "LOGIN",
	.plaintext = true,
	.server_first = true,
	.start = start,
	.step = step_login,
	.free = sasl_gsasl_free,
};
