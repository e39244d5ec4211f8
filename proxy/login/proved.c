#include "proxy/login/proved.h"

#include <ctype.h>
#include <string.h>

#include "proxy/runtime/mem.h"

const char *proved_file(const struct tenant *tenant, unsigned mechanism)
{
	return mechanism == MECH_NTLM ? tenant->auth.ntlm_users_file : tenant->auth.keytab_file;
}

const struct tenant *proved_next(
	const struct sasl_peer *peer, unsigned mechanism, const struct tenant *after)
{
	const struct config *config = peer->config;

	for (size_t i = after ? after->index + 1 : 0; i < config->n_tenants; i++) {
		const struct tenant *tenant = &config->tenants[i];

		if ((tenant->auth.mechanisms & mechanism) && *proved_file(tenant, mechanism) &&
			route_reaches(tenant, &peer->query))
			return tenant;
	}
	return NULL;
}

/* Characters by which login_name rules or delegate logins would make another user of it. */
static bool is_plain(const struct config *config, const char *user)
{
	const char *separator = config->login_name.folder_separator;

	return *user && !strpbrk(user, "/\\") && !(*separator && strpbrk(user, separator));
}

static bool is_own_realm(const struct tenant *tenant, const struct proved_name *name)
{
	const struct string_list *realms = &tenant->auth.realms;

	for (size_t i = 0; i < realms->n; i++)
		if (strcmp(realms->items[i], name->realm) == 0)
			return true;
	return realms->n == 0 && *name->realm && strcmp(name->own_realm, name->realm) == 0;
}

/* The login as which tenant reads the name; NULL: as none. */
static char *login_in(
	const struct config *config, const struct tenant *tenant, const struct proved_name *name)
{
	const char *domain = tenant->auth.login_domain;
	char *login;

	if (!is_plain(config, name->user))
		return NULL;
	if (!name->realm && strchr(name->user, '@'))
		return mem_strdup(name->user);
	if (!name->realm)
		return mem_printf("%s%s%s", name->user, *domain ? "@" : "", domain);
	if (strchr(name->user, '@') || !is_own_realm(tenant, name))
		return NULL;
	if (*domain)
		return mem_printf("%s@%s", name->user, domain);
	login = mem_printf("%s@%s", name->user, name->realm);
	for (char *c = login + strlen(name->user); *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return login;
}

const struct tenant *proved_tenant(const struct sasl_peer *peer, unsigned mechanism,
	const char *file, const struct proved_name *name, char **ret_login)
{
	const struct tenant *tenant = NULL;
	struct route_query query = peer->query;

	while ((tenant = proved_next(peer, mechanism, tenant))) {
		cleanup(free_cleanup) char *login = NULL;

		if (file && strcmp(proved_file(tenant, mechanism), file) != 0)
			continue;
		login = login_in(peer->config, tenant, name);
		query.login = login;
		if (login && route_leads_to(peer->config, &query, tenant)) {
			*ret_login = steal(login);
			return tenant;
		}
	}
	return NULL;
}
