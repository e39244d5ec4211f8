#include "proxy/login/sasl_gsasl.h"

#include <string.h>

#include "proxy/runtime/mem.h"

struct gsasl_state {
	Gsasl_session *session;
	struct sasl_exchange *exchange;
	sasl_gsasl_ask *ask;
	void *own; /* the mechanism's */
};

static int on_ask(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	const struct gsasl_state *state = session ? gsasl_session_hook_get(session) : NULL;

	(void)library;
	if (!state)
		return GSASL_NO_CALLBACK;
	return state->ask(state->exchange, session, property);
}

/* Once per process, on first use: after the fork. */
static struct err library_get(Gsasl **ret)
{
	static Gsasl *library;
	int status;

	if (!library) {
		if ((status = gsasl_init(&library)) != GSASL_OK) {
			library = NULL;
			return err_make(ERR_TEMP, "libgsasl: %s", gsasl_strerror(status));
		}
		gsasl_callback_set(library, on_ask);
	}
	*ret = library;
	return ok();
}

static struct err session_new(const char *name, Gsasl_session **ret)
{
	Gsasl *library = NULL;
	struct err e = library_get(&library);
	int status;

	if (!failed(e) && (status = gsasl_server_start(library, name, ret)) != GSASL_OK)
		e = err_make(ERR_TEMP, "libgsasl: %s: %s", name, gsasl_strerror(status));
	return e;
}

struct err sasl_gsasl_start(struct sasl_exchange *exchange, sasl_gsasl_ask *ask, void *own)
{
	struct gsasl_state *state;
	Gsasl_session *session;
	struct err e = session_new(exchange->mechanism->name, &session);

	if (failed(e)) {
		free(own);
		return e;
	}
	state = mem_zalloc(1, sizeof(*state));
	*state = (struct gsasl_state){ session, exchange, ask, own };
	gsasl_session_hook_set(session, state);
	exchange->state = state;
	return ok();
}

Gsasl_session *sasl_gsasl_session(const struct sasl_exchange *exchange)
{
	const struct gsasl_state *state = exchange->state;

	return state->session;
}

void *sasl_gsasl_own(const struct sasl_exchange *exchange)
{
	const struct gsasl_state *state = exchange->state;

	return state->own;
}

void sasl_gsasl_free(struct sasl_exchange *exchange)
{
	Gsasl_session *session = sasl_gsasl_session(exchange);
	/* libgsasl frees its copy without wiping it */
	char *password = (char *)(uintptr_t)gsasl_property_fast(session, GSASL_PASSWORD);

	if (password)
		explicit_bzero(password, strlen(password));
	gsasl_finish(session);
	free(sasl_gsasl_own(exchange));
	free(exchange->state);
}

fiber_fn struct err sasl_gsasl_step(struct sasl_exchange *exchange, const char *message, size_t n,
	struct buffer *out, int *ret_status)
{
	char *challenge = NULL;
	size_t length = 0;
	int status = gsasl_step(
		sasl_gsasl_session(exchange), message ? message : "", n, &challenge, &length);

	buffer_append(out, challenge, length);
	gsasl_free(challenge);
	*ret_status = status;
	if (status == GSASL_OK || status == GSASL_NEEDS_MORE ||
		status == GSASL_AUTHENTICATION_ERROR)
		return ok();
	return err_make(
		ERR_INVALID, "SASL %s: %s", exchange->mechanism->name, gsasl_strerror(status));
}
