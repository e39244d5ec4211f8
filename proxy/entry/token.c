#include "proxy/entry/token.h"

#include <string.h>

#include "proxy/login/oauth.h"
#include "proxy/routing/delegate.h"

/* Whom the client names. */
struct named {
	const char *login;             /* "": nobody */
	const char *owner;             /* of a delegate's login; else NULL */
	const struct account *account; /* NULL: no tenant serves it */
};

static const struct account *account_of(const struct config *config,
	const struct entry_request *request, const char *login, struct arena *arena)
{
	struct route_query query = request->query;

	query.login = login;
	return route(config, &query, arena, NULL, NULL);
}

static struct named read_named(
	const struct config *config, const struct entry_request *request, struct arena *arena)
{
	struct delegate claim = { request->query.login, NULL };
	struct named named;

	(void)delegate_parse(&config->login_name, request->query.login, arena, &claim);
	named = (struct named){ claim.actor, claim.owner, NULL };
	if (*named.login)
		named.account = account_of(config, request, named.login, arena);
	return named;
}

static bool judges(const struct tenant *tenant, const struct credentials *credentials)
{
	return (tenant->auth.mechanisms & credentials->mechanism) &&
	       oauth_judges(&tenant->auth.oauth2);
}

/* The one tenant of this connection that judges such tokens; NULL: none, or several. */
static const struct tenant *only_judge(
	const struct config *config, const struct entry_request *request)
{
	const struct tenant *only = NULL;

	for (size_t i = 0; i < config->n_tenants; i++) {
		const struct tenant *tenant = &config->tenants[i];

		if (!judges(tenant, request->credentials) ||
			!route_reaches(tenant, &request->query))
			continue;
		if (only)
			return NULL;
		only = tenant;
	}
	return only;
}

static const struct tenant *judge_of(
	const struct config *config, const struct entry_request *request, const struct named *named)
{
	if (!*named->login)
		return only_judge(config, request);
	if (!named->account || !judges(named->account->tenant, request->credentials))
		return NULL;
	return named->account->tenant;
}

/* What the client named, as a login and whose mailbox it asks for; the token is that of actor. */
static struct err compare(
	const struct named *named, const struct account *actor, struct credentials *ret)
{
	bool own = named->account && strcmp(named->account->login, actor->login) == 0;

	if (named->owner && !own)
		return err_make(ERR_AUTH, "the token is that of %.80s", actor->login);
	if (own) { /* it may also say which folder */
		free(ret->login);
		ret->login = mem_strdup(named->login);
	}
	ret->authorization = mem_strdup(named->owner ? named->owner : own ? "" : named->login);
	return ok();
}

static fiber_fn struct err prove(const struct config *config, const struct entry_request *request,
	const struct named *named, const struct tenant *tenant, struct arena *arena,
	struct credentials *ret)
{
	const struct credentials *shown = request->credentials;
	const struct account *actor;
	struct err e = oauth_verify(&tenant->auth.oauth2, shown->secret, &ret->login);

	if (failed(e))
		return e;
	actor = account_of(config, request, ret->login, arena);
	if (!actor || actor->tenant != tenant)
		return err_make(ERR_AUTH,
			"the token is that of %.80s, whom tenant %s does not serve", ret->login,
			tenant->name);
	ret->kind = CREDENTIAL_PROVED;
	ret->mechanism = shown->mechanism;
	ret->secret = secret_copy(shown->secret);
	return compare(named, actor, ret);
}

fiber_fn struct err token_prove(const struct config *config, const struct entry_request *request,
	struct credentials *ret, const struct tenant **ret_tenant)
{
	cleanup(arena_cleanup) struct arena *arena = NULL;
	const struct tenant *tenant;
	struct credentials proved = { 0 };
	struct named named;
	struct err e;

	if (request->credentials->kind != CREDENTIAL_TOKEN)
		return ok();
	arena = arena_new();
	named = read_named(config, request, arena);
	tenant = judge_of(config, request, &named);
	if (!tenant)
		return ok();
	*ret_tenant = tenant;
	e = prove(config, request, &named, tenant, arena, &proved);
	if (failed(e))
		credentials_done(&proved);
	else
		*ret = proved;
	return e;
}
