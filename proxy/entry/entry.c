#include "proxy/entry/entry.h"

#include <string.h>

#include "proxy/login/login.h"

/* The tenant may not take this mechanism, and nobody acts for another: both look like a wrong
 * password, after the same work. */
static bool is_allowed(const struct account *account, const struct credentials *credentials)
{
	if (!(account->tenant->auth.mechanisms & credentials->mechanism))
		return false;
	return !*credentials->authorization ||
	       strcmp(credentials->authorization, credentials->login) == 0;
}

fiber_fn static struct err open_store(const struct credentials *credentials, struct entry *entry,
	const struct tenant **ret_tenant)
{
	const struct account *account = entry->account;
	struct store_credentials store;
	struct err e;

	if (account)
		*ret_tenant = account->tenant;
	if (account && !is_allowed(account, credentials)) {
		(void)login_verify(NULL, credentials, &store);
		return err_make(ERR_AUTH,
			"mechanism or authorization identity not allowed for tenant %s",
			account->tenant->name);
	}
	e = login_verify(account, credentials, &store);
	if (!account)
		return err_make(ERR_AUTH, "no tenant serves this login");
	if (failed(e))
		return e;
	return backend_ops_of(account->tenant)->open(account, &store, &entry->backend);
}

fiber_fn struct err entry_authenticate(const struct config *config,
	const struct entry_request *request, struct entry *ret, const struct tenant **ret_tenant)
{
	struct entry entry = { .arena = arena_new() };
	const struct tenant *tenant = NULL;
	struct err e;

	entry.account = route(config, &request->query, entry.arena, NULL, NULL);
	e = open_store(request->credentials, &entry, &tenant);
	if (ret_tenant)
		*ret_tenant = tenant;
	if (failed(e))
		arena_free(entry.arena);
	else
		*ret = entry;
	return e;
}

fiber_fn struct err entry_list(struct entry *entry, struct registry *registry)
{
	return maildrop_open(entry->account, entry->backend, registry, entry->arena, &entry->drop);
}

fiber_fn void entry_close(struct entry *entry)
{
	if (entry->backend)
		entry->backend->ops->close(entry->backend);
	arena_free(entry->arena);
	*entry = (struct entry){ 0 };
}
