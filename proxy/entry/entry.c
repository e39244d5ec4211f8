#include "proxy/entry/entry.h"

#include <assert.h>
#include <string.h>

#include "proxy/entry/authorize.h"
#include "proxy/entry/token.h"
#include "proxy/login/login.h"
#include "proxy/routing/delegate.h"

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
	/* Not even what the source of passwords had to say. */
	if (!actor && credentials->kind != CREDENTIAL_REFUSED)
		return err_make(ERR_AUTH, "no tenant serves this login");
	return e;
}

/* Who logs in, and whose mailbox is meant: by the authorization identity, or by the form of the
 * login; NULL for his own. */
static struct delegate read_claim(
	const struct config *config, const struct entry_request *request, struct arena *arena)
{
	struct delegate claim = { request->query.login, NULL };

	if (asks_for_another(request->credentials))
		claim.owner = request->credentials->authorization;
	else
		(void)delegate_parse(&config->login_name, request->query.login, arena, &claim);
	return claim;
}

bool entry_for_another(const struct config *config, const struct entry_request *request)
{
	struct arena *arena = arena_new();
	bool another = read_claim(config, request, arena).owner != NULL;

	arena_free(arena);
	return another;
}

/* The owner's mailbox as a folder that the actor sees in his own tree; the server's ACL decides. */
static const struct account *shared_folder(
	const struct account *actor, const struct account *owner, struct arena *arena)
{
	struct account *account = arena_alloc(arena, sizeof(*account));
	const char *const pairs[] = { "login", owner->login, "user", owner->user, "domain",
		owner->domain, NULL };

	*account = *actor;
	account->folder = template_fill(arena, actor->tenant->imap.delegate_folder, pairs);
	return account;
}

/* Whose mail is to be opened: the actor's own, or another's. */
static struct err find_mailbox(const struct config *config, const struct entry_request *request,
	const char *owner_login, struct entry *entry)
{
	const struct account *actor = entry->actor, *owner;
	struct route_query query = request->query;

	entry->account = actor;
	if (!owner_login)
		return ok();
	query.login = owner_login;
	owner = route(config, &query, entry->arena, NULL, NULL);
	if (owner && owner->tenant == actor->tenant && actor->tenant->store == STORE_IMAP &&
		*actor->tenant->imap.delegate_folder) {
		entry->account = shared_folder(actor, owner, entry->arena);
		return ok();
	}
	entry->account = owner;
	return authorize(actor, owner);
}

static const struct account *asking_quota(const struct account *account, struct arena *arena)
{
	struct account *asking = arena_alloc(arena, sizeof(*asking));

	*asking = *account;
	asking->ask_quota = true;
	return asking;
}

fiber_fn static struct err open_store(const struct config *config,
	const struct entry_request *request, struct entry *entry, const struct tenant **ret_tenant)
{
	struct delegate claim = read_claim(config, request, entry->arena);
	struct route_query query = request->query;
	struct store_credentials store;
	struct err e;

	query.login = claim.actor;
	entry->actor = route(config, &query, entry->arena, NULL, NULL);
	if (entry->actor)
		*ret_tenant = entry->actor->tenant;
	if (failed(e = verify(entry->actor, request->credentials, &store)))
		return e;
	assert(entry->actor); /* credentials of nobody's are never right */
	if (failed(e = find_mailbox(config, request, claim.owner, entry)))
		return e;
	assert(entry->account); /* a mailbox of nobody's is never allowed */
	if (strcmp(entry->account->login, entry->actor->login) != 0)
		store.actor = entry->actor;
	if (request->ask_quota)
		entry->account = asking_quota(entry->account, entry->arena);
	return backend_ops_of(entry->account->tenant)
		->open(entry->account, &store, &entry->backend);
}

fiber_fn struct err entry_authenticate(const struct config *config,
	const struct entry_request *request, struct entry *ret, const struct tenant **ret_tenant)
{
	cleanup(credentials_done) struct credentials proved = { 0 };
	struct entry_request own = *request;
	struct entry entry = { .arena = arena_new() };
	const struct tenant *tenant = NULL;
	struct err e = token_prove(config, request, &proved, &tenant);

	if (proved.login) {
		own.credentials = &proved;
		own.query.login = proved.login;
	}
	if (!failed(e))
		e = open_store(config, &own, &entry, &tenant);
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
	return maildrop_open(entry->account, entry->backend, registry, entry->arena,
		&entry->opening, &entry->drop);
}

void entry_rest(struct entry *entry)
{
	struct backend *backend = entry->backend;

	if (backend && backend->ops->rest)
		backend->ops->rest(backend);
}

fiber_fn void entry_close(struct entry *entry)
{
	if (entry->backend)
		entry->backend->ops->close(entry->backend);
	maildrop_close(entry->drop);
	arena_free(entry->arena);
	*entry = (struct entry){ 0 };
}
