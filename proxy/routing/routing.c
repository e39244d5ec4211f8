#include "proxy/routing/routing.h"

#include <string.h>

#include "config/address.h"
#include "config/template.h"
#include "proxy/routing/login_name.h"

/* How many values of a criterion an explanation names. */
#define EXPLAIN_MAX 8

struct attempt {
	const struct route_query *query;
	const struct login_name *name;
	struct arena *arena;
	route_explain *explain; /* may be NULL */
	void *arg;
};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void explain_list(const struct attempt *attempt, const struct tenant *tenant,
	const char *criterion, const char *value, const struct string_list *list)
{
	struct buffer text = { 0 };

	if (!attempt->explain)
		return;
	if (*value)
		buffer_printf(&text, "%s: %s is none of ", criterion, value);
	else
		buffer_printf(&text, "%s: not known here, must be one of ", criterion);
	for (size_t i = 0; i < list->n && i < EXPLAIN_MAX; i++)
		buffer_printf(&text, "%s%s", i > 0 ? ", " : "", list->items[i]);
	if (list->n > EXPLAIN_MAX)
		buffer_printf(&text, " and %zu more", list->n - EXPLAIN_MAX);
	buffer_append(&text, "", 1);
	attempt->explain(tenant, text.data + text.start, attempt->arg);
	buffer_done(&text);
}

static void explain_networks(const struct attempt *attempt, const struct tenant *tenant)
{
	const struct network_list *list = &tenant->match.addresses;
	const char **texts;

	if (!attempt->explain)
		return;
	texts = arena_alloc(attempt->arena, list->n * sizeof(texts[0]));
	for (size_t i = 0; i < list->n; i++)
		texts[i] = network_text(&list->items[i], arena_alloc(attempt->arena, NETWORK_TEXT));
	explain_list(attempt, tenant, "addresses", or_empty(attempt->query->address),
		&(struct string_list){ texts, list->n });
}

static bool equal(const char *pattern, const char *value)
{
	return strcmp(pattern, value) == 0;
}

/* One criterion of names: not given, or one of them fits. */
static bool fits(const struct attempt *attempt, const struct tenant *tenant, const char *criterion,
	const struct string_list *list, bool (*fit)(const char *pattern, const char *value),
	const char *value)
{
	value = or_empty(value);
	for (size_t i = 0; i < list->n; i++) {
		if (fit(list->items[i], value))
			return true;
	}
	if (list->n > 0)
		explain_list(attempt, tenant, criterion, value, list);
	return list->n == 0;
}

static bool address_fits(const struct attempt *attempt, const struct tenant *tenant)
{
	if (tenant->match.addresses.n == 0 ||
		network_list_contains(&tenant->match.addresses, or_empty(attempt->query->address)))
		return true;
	explain_networks(attempt, tenant);
	return false;
}

static bool connection_fits(const struct attempt *attempt, const struct tenant *tenant)
{
	return fits(attempt, tenant, "server_names", &tenant->match.server_names, domain_fits,
		       attempt->query->server_name) &&
	       fits(attempt, tenant, "listeners", &tenant->match.listeners, equal,
		       attempt->query->listener) &&
	       address_fits(attempt, tenant);
}

static bool tenant_fits(const struct attempt *attempt, const struct tenant *tenant)
{
	return fits(attempt, tenant, "domains", &tenant->match.domains, domain_fits,
		       attempt->name->domain) &&
	       connection_fits(attempt, tenant);
}

bool route_reaches(const struct tenant *tenant, const struct route_query *query)
{
	return connection_fits(&(struct attempt){ .query = query }, tenant);
}

static const char *unusable(const struct tenant *tenant, const struct login_name *name)
{
	if (tenant->store != STORE_MAILDIR)
		return NULL;
	return login_name_unsafe_in_path(name, template_uses(tenant->maildir.path, "domain"));
}

static struct account *account_new(const struct attempt *attempt, const struct tenant *tenant)
{
	struct account *account = arena_zalloc(attempt->arena, 1, sizeof(*account));
	const struct login_name *name = attempt->name;

	account->tenant = tenant;
	account->login = name->login;
	account->user = name->user;
	account->domain = name->domain;
	account->folder = *name->folder ? name->folder : tenant->maildrop.folder;
	account->client_address = arena_strdup(attempt->arena, or_empty(attempt->query->address));
	return account;
}

struct account *route(const struct config *config, const struct route_query *query,
	struct arena *arena, route_explain *explain, void *arg)
{
	struct login_name name;
	struct attempt attempt = { query, &name, arena, explain, arg };
	const char *wrong;

	wrong = login_name_parse(&config->login_name, or_empty(query->login), arena, &name);
	if (wrong) {
		if (explain)
			explain(NULL, wrong, arg);
		return NULL;
	}
	for (size_t i = 0; i < config->n_tenants; i++) {
		const struct tenant *tenant = &config->tenants[i];

		if (!tenant_fits(&attempt, tenant))
			continue;
		wrong = unusable(tenant, &name);
		if (!wrong)
			return account_new(&attempt, tenant);
		if (explain)
			explain(tenant, wrong, arg);
		return NULL;
	}
	return NULL;
}

bool route_leads_to(
	const struct config *config, const struct route_query *query, const struct tenant *tenant)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct login_name name;
	struct attempt attempt = { .query = query, .name = &name, .arena = arena };

	if (login_name_parse(&config->login_name, or_empty(query->login), arena, &name) ||
		!tenant_fits(&attempt, tenant) || unusable(tenant, &name))
		return false;
	for (size_t i = 0; i < tenant->index; i++)
		if (tenant_fits(&attempt, &config->tenants[i]))
			return false;
	return true;
}
