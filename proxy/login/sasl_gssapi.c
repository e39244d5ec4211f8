/*
 * GSSAPI (RFC 4752): the client shows a Kerberos ticket for pop/…, whose key is in a tenant's
 * keytab. No security layer: TLS is for that.
 *
 * The RFC knows no channel binding; a client that gives one all the same (Windows, with extended
 * protection) has it checked against the certificate.
 */
#include <string.h>
#include <strings.h>

#include "proxy/login/proved.h"
#include "proxy/login/sasl_gss.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/pool.h"
#include "proxy/runtime/utf8.h"

#define NO_LAYER 1 /* the bit of RFC 4752 section 3.3 */

enum stage {
	STAGE_TOKENS, /* the client's tokens */
	STAGE_OFFER,  /* it has had the last one of ours, and says nothing to it */
	STAGE_CHOICE, /* it chooses a layer and says whom it wants to act as */
};

struct state {
	enum stage stage;
	struct gss *gss;
	const char *keytab; /* the one that took the first token */
	struct sasl_gss_binding binding;
};

static struct err start(struct sasl_exchange *exchange)
{
	struct state *state = mem_zalloc(1, sizeof(*state));

	state->gss = gss_new();
	sasl_gss_binding(exchange->peer, &state->binding);
	exchange->state = state;
	return ok();
}

static void finish(struct sasl_exchange *exchange)
{
	struct state *state = exchange->state;

	gss_free(state->gss);
	free(state);
}

static fiber_fn struct err accept_by(struct state *state, const char *keytab, const char *message,
	size_t n, struct buffer *out, bool *done)
{
	struct gss_acceptor acceptor = {
		.kind = GSS_KERBEROS,
		.service = "pop",
		.file = keytab,
		.binding = state->binding.data,
		.n_binding = state->binding.n,
	};

	return sasl_gss_accept(state->gss, &acceptor, message, n, out, done);
}

/* Whether a tenant before this one has the same keytab. */
static bool was_tried(const struct sasl_peer *peer, const struct tenant *tenant)
{
	const struct tenant *earlier = NULL;

	while ((earlier = proved_next(peer, MECH_GSSAPI, earlier)) != tenant)
		if (strcmp(earlier->auth.keytab_file, tenant->auth.keytab_file) == 0)
			return true;
	return false;
}

/* The first token says by its key which keytab is meant; GSSAPI does not tell us, so all are tried.
 * A token that fails leaves nothing behind. */
static fiber_fn struct err accept_first(struct sasl_exchange *exchange, const char *message,
	size_t n, struct buffer *out, bool *done)
{
	struct state *state = exchange->state;
	const struct tenant *tenant = NULL;
	struct err e = err_make(ERR_AUTH, "no tenant with a keytab"), first = ok();

	while ((tenant = proved_next(exchange->peer, MECH_GSSAPI, tenant))) {
		if (was_tried(exchange->peer, tenant))
			continue;
		state->keytab = tenant->auth.keytab_file;
		e = accept_by(state, state->keytab, message, n, out, done);
		if (!failed(e))
			return e;
		/* A keytab that cannot be read might have been the right one. */
		if (first.scope == ERR_OK || (first.scope == ERR_AUTH && e.scope != ERR_AUTH))
			first = err_context(e, "keytab %s", state->keytab);
	}
	return failed(first) ? first : e;
}

static fiber_fn struct err offer(struct state *state, struct buffer *out)
{
	static const char layers[4] = { NO_LAYER, 0, 0, 0 };

	state->stage = STAGE_CHOICE;
	return gss_wrap_message(state->gss, layers, sizeof(layers), out);
}

static fiber_fn struct err take_token(
	struct sasl_exchange *exchange, const char *message, size_t n, struct buffer *out)
{
	struct state *state = exchange->state;
	bool established = false;
	struct err e;

	if (n == 0)
		return err_make(ERR_INVALID, "GSSAPI: an empty token");
	e = state->keytab ? accept_by(state, state->keytab, message, n, out, &established)
			  : accept_first(exchange, message, n, out, &established);
	if (failed(e) || !established)
		return e;
	if (buffer_used(out) == 0)
		return offer(state, out);
	state->stage = STAGE_OFFER;
	return ok();
}

/* Whom the client wants to act as: nobody but itself, when it names itself in any of the ways. */
static const char *authorization(
	const char *asked, const struct proved_name *name, const char *peer, const char *login)
{
	bool itself = strcmp(asked, name->user) == 0 || strcmp(asked, peer) == 0 ||
		      strcasecmp(asked, login) == 0;

	return itself ? "" : asked;
}

/* The principal has proved itself. asked: whom it wants to act as, or "". */
static struct err let_in(struct sasl_exchange *exchange, const char *asked, bool *done)
{
	struct state *state = exchange->state;
	const char *peer = gss_peer(state->gss), *own = strrchr(gss_own_name(state->gss), '@');
	cleanup(free_cleanup) char *user = mem_strdup(peer), *login = NULL;
	char *at = strrchr(user, '@');
	struct proved_name name = { user, at ? at + 1 : "", own ? own + 1 : "" };
	struct err e;

	if (at)
		*at = '\0';
	if (!proved_tenant(exchange->peer, MECH_GSSAPI, state->keytab, &name, &login))
		return sasl_gss_refuse(exchange, peer,
			err_make(ERR_AUTH, "no tenant takes the principal %s", peer), done);
	e = sasl_identities(exchange, login, authorization(asked, &name, peer, login));
	if (failed(e))
		return e;
	exchange->credentials->kind = CREDENTIAL_PROVED;
	exchange->credentials->delegated = gss_take_delegated(state->gss);
	*done = true;
	return ok();
}

static fiber_fn struct err take_choice(
	struct sasl_exchange *exchange, const char *message, size_t n, bool *done)
{
	struct state *state = exchange->state;
	cleanup(buffer_done) struct buffer plain = { 0 };
	struct err e = gss_unwrap_message(state->gss, message, n, &plain);
	const char *data = plain.data + plain.start;
	size_t used = buffer_used(&plain);

	if (failed(e))
		return err_context(e, "GSSAPI");
	if (used < 4 || data[0] != NO_LAYER)
		return err_make(ERR_INVALID, "GSSAPI: a security layer that was not offered");
	/* fetchmail ends it with a NUL */
	if (used > 4 && data[used - 1] == '\0')
		used--;
	if (memchr(data + 4, '\0', used - 4) || !utf8_valid(data + 4, used - 4))
		return err_make(ERR_INVALID, "GSSAPI: the authorization identity is no text");
	buffer_append(&plain, "", 1);
	return let_in(exchange, plain.data + plain.start + 4, done);
}

static fiber_fn struct err step(struct sasl_exchange *exchange, const char *message, size_t n,
	struct buffer *out, bool *done)
{
	struct state *state = exchange->state;

	switch (state->stage) {
	case STAGE_TOKENS:
		return take_token(exchange, message, n, out);
	case STAGE_OFFER:
		if (n > 0)
			return err_make(ERR_INVALID, "GSSAPI: a token too many");
		return offer(state, out);
	case STAGE_CHOICE:
		break;
	}
	return take_choice(exchange, message, n, done);
}

static bool usable(const struct sasl_peer *peer)
{
	return proved_next(peer, MECH_GSSAPI, NULL) != NULL;
}

const struct sasl_mechanism sasl_gssapi = {
	.bit = MECH_GSSAPI,
	.name = "GSSAPI",
	.takes_empty = true,
	.usable = usable,
	.start = start,
	.step = step,
	.free = finish,
};
