#include "proxy/login/sasl_gsasl.h"

#include <string.h>

#include "proxy/runtime/mem.h"

struct gsasl_state {
	Gsasl_session *session;
	struct sasl_exchange *exchange;
	sasl_gsasl_ask *ask;
};

static int on_ask(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	const struct gsasl_state *state = session ? gsasl_session_hook_get(session) : NULL;

	(void)library;
	if (!state || !state->ask)
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

struct err sasl_gsasl_start(struct sasl_exchange *exchange, sasl_gsasl_ask *ask)
{
	const char *name = exchange->mechanism->name;
	struct gsasl_state *state;
	Gsasl_session *session;
	Gsasl *library = NULL;
	struct err e;
	int status;

	if (failed(e = library_get(&library)))
		return e;
	if ((status = gsasl_server_start(library, name, &session)) != GSASL_OK)
		return err_make(ERR_TEMP, "libgsasl: %s: %s", name, gsasl_strerror(status));
	state = mem_zalloc(1, sizeof(*state));
	*state = (struct gsasl_state){ session, exchange, ask };
	gsasl_session_hook_set(session, state);
	exchange->state = state;
	return ok();
}

Gsasl_session *sasl_gsasl_session(const struct sasl_exchange *exchange)
{
	const struct gsasl_state *state = exchange->state;

	return state->session;
}

void sasl_gsasl_free(struct sasl_exchange *exchange)
{
	Gsasl_session *session = sasl_gsasl_session(exchange);
	/* libgsasl frees its copy without wiping it */
	char *password = (char *)(uintptr_t)gsasl_property_fast(session, GSASL_PASSWORD);

	if (password)
		explicit_bzero(password, strlen(password));
	gsasl_finish(session);
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
