/*
 * NTLM as MS-OXPOP3 section 2.2.1 frames it: NEGOTIATE, CHALLENGE, AUTHENTICATE. The password, or
 * its NT hash, stands in a tenant's users file, which gss-ntlmssp reads.
 *
 * NTLMv2 alone is taken where the tenant does not say otherwise. What gss-ntlmssp takes holds for
 * the whole process, so older responses to other tenants never get to it.
 */
#include <string.h>

#include "proxy/login/ntlm_message.h"
#include "proxy/login/proved.h"
#include "proxy/login/sasl_gss.h"
#include "proxy/runtime/mem.h"

struct state {
	struct gss *gss;
	char *service; /* "pop@host": the host's name is in the challenge */
	bool challenged, versionless;
	struct sasl_gss_binding binding;
};

static struct err start(struct sasl_exchange *exchange)
{
	struct state *state = mem_zalloc(1, sizeof(*state));

	state->gss = gss_new();
	state->service = mem_printf("pop@%s", exchange->peer->config->hostname);
	sasl_gss_binding(exchange->peer, &state->binding);
	exchange->state = state;
	return ok();
}

static void finish(struct sasl_exchange *exchange)
{
	struct state *state = exchange->state;

	gss_free(state->gss);
	free(state->service);
	free(state);
}

static fiber_fn struct err accept_by(struct state *state, const char *users_file,
	const char *message, size_t n, struct buffer *out, bool *done)
{
	struct gss_acceptor acceptor = {
		.kind = GSS_NTLM,
		.service = state->service,
		.file = users_file,
		.versionless = state->versionless,
		.binding = state->binding.data,
		.n_binding = state->binding.n,
	};

	return sasl_gss_accept(state->gss, &acceptor, message, n, out, done);
}

static fiber_fn struct err challenge(
	struct state *state, const char *message, size_t n, struct buffer *out)
{
	static const char nothing[NTLM_NEGOTIATE_SIZE] = { 0 };
	cleanup(buffer_done) struct buffer whole = { 0 };
	bool established = false;
	struct err e;

	if (!ntlm_is(message, n, NTLM_NEGOTIATE) || n < NTLM_NEGOTIATE_LEAST)
		return err_make(ERR_INVALID, "NTLM: not a NEGOTIATE message");
	state->challenged = true;
	state->versionless = !ntlm_has_version(message, n);
	buffer_append(&whole, message, n);
	/* Old clients leave fields at its end out, which gss-ntlmssp insists on. */
	if (n < sizeof(nothing))
		buffer_append(&whole, nothing, sizeof(nothing) - n);
	e = accept_by(state, "", buffer_data(&whole), buffer_used(&whole), out, &established);
	if (failed(e))
		return e;
	return established ? err_make(ERR_INVALID, "NTLM: no challenge") : ok();
}

/* What gss-ntlmssp has proved, less a domain. */
static const char *user_of(const char *peer)
{
	const char *slash = strrchr(peer, '\\');

	return slash ? slash + 1 : peer;
}

static fiber_fn struct err prove(struct sasl_exchange *exchange, const struct ntlm_claim *claim,
	const char *login, const struct tenant *tenant, const char *message, size_t n)
{
	struct state *state = exchange->state;
	cleanup(buffer_done) struct buffer nothing = { 0 };
	bool established = false;
	struct err e;

	e = accept_by(state, tenant->auth.ntlm_users_file, message, n, &nothing, &established);
	if (failed(e))
		return err_context(e, "%s", tenant->auth.ntlm_users_file);
	/* It reads the message by itself: both must have read the same name. */
	if (!established || strcmp(user_of(gss_peer(state->gss)), claim->user) != 0)
		return err_make(ERR_AUTH, "NTLM: the message has two meanings");
	exchange->credentials->kind = CREDENTIAL_PROVED;
	return sasl_identities(exchange, login, "");
}

/* It is worth no more than a password in clear. */
static bool takes_v1(const struct sasl_peer *peer, const struct tenant *tenant)
{
	return tenant->auth.ntlm_v1 &&
	       (peer->listener->plaintext_login || stream_is_tls(peer->stream));
}

static fiber_fn struct err authenticate(
	struct sasl_exchange *exchange, const char *message, size_t n, bool *done)
{
	cleanup(free_cleanup) char *user = NULL, *login = NULL;
	struct ntlm_claim claim;
	const struct tenant *tenant;
	struct err e = ntlm_read_authenticate(message, n, &claim);

	if (failed(e))
		return e;
	user = claim.user;
	tenant = proved_tenant(
		exchange->peer, MECH_NTLM, NULL, &(struct proved_name){ .user = user }, &login);
	if (!tenant)
		e = err_make(ERR_AUTH, "NTLM: no tenant takes the name %s", user);
	else if (!claim.v2 && !takes_v1(exchange->peer, tenant))
		e = err_make(ERR_AUTH, "NTLM: a response older than NTLMv2");
	else
		e = prove(exchange, &claim, login, tenant, message, n);
	if (failed(e))
		return sasl_gss_refuse(exchange, login ? login : user, e, done);
	*done = true;
	return ok();
}

static fiber_fn struct err step(struct sasl_exchange *exchange, const char *message, size_t n,
	struct buffer *out, bool *done)
{
	struct state *state = exchange->state;

	if (state->challenged)
		return authenticate(exchange, message, n, done);
	return challenge(state, message, n, out);
}

static bool usable(const struct sasl_peer *peer)
{
	return proved_next(peer, MECH_NTLM, NULL) != NULL;
}

const struct sasl_mechanism sasl_ntlm = {
	.bit = MECH_NTLM,
	.name = "NTLM",
	.takes_empty = true,
	.usable = usable,
	.start = start,
	.step = step,
	.free = finish,
};
