#include "proxy/entry/entry.h"

#include "proxy/entry/authorize.h"
#include "proxy/login/login.h"

/* Looks at the credentials, with the same work whatever is wrong. A mechanism that the tenant does
 * not take looks like a wrong password. */
fiber_fn static struct err verify(const struct account *actor,
	const struct credentials *credentials, struct store_credentials *store)
{
	struct err e;

	if (actor && !(actor->tenant->auth.mechanisms & credentials->mechanism)) {
		(void)login_verify(NULL, credentials, store);
		return err_make(
			ERR_AUTH, "mechanism not allowed for tenant %s", actor->tenant->name);
	}
	e = login_verify(actor, credentials, store);
	if (!actor)
		return err_make(ERR_AUTH, "no tenant serves this login");
	return e;
}

/* Whose mail is to be opened: the actor's own, or another's. */
static struct err find_owner(
	const struct config *config, const struct entry_request *request, struct entry *entry)
{
	struct route_query query = request->query;

	entry->account = entry->actor;
	if (!asks_for_another(request->credentials))
		return ok();
	query.login = request->credentials->authorization;
	entry->account = route(config, &query, entry->arena, NULL, NULL);
	return authorize(entry->actor, entry->account);
}

fiber_fn static struct err open_store(const struct config *config,
	const struct entry_request *request, struct entry *entry, const struct tenant **ret_tenant)
{
	struct store_credentials store;
	struct err e;

	entry->actor = route(config, &request->query, entry->arena, NULL, NULL);
	if (entry->actor)
		*ret_tenant = entry->actor->tenant;
	if (failed(e = verify(entry->actor, request->credentials, &store)) ||
		failed(e = find_owner(config, request, entry)))
		return e;
	if (entry->account != entry->actor)
		store.actor = entry->actor;
	return backend_ops_of(entry->account->tenant)
		->open(entry->account, &store, &entry->backend);
}

fiber_fn struct err entry_authenticate(const struct config *config,
	const struct entry_request *request, struct entry *ret, const struct tenant **ret_tenant)
{
	struct entry entry = { .arena = arena_new() };
	const struct tenant *tenant = NULL;
	struct err e;

	e = open_store(config, request, &entry, &tenant);
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
