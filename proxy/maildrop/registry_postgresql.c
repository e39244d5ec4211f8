/*
 * registry_postgresql - the registry in PostgreSQL, shared by any number of gateways.
 *
 * A change takes two round trips: the first claims the maildrop's row, which tells whether its
 * revision is still the expected one and locks it; the second writes everything and commits. What
 * came before that commit may be repeated, when the connection broke or the server asks for it.
 */
#include <string.h>

#include "proxy/maildrop/postgresql_pool.h"
#include "proxy/maildrop/postgresql_rows.h"
#include "proxy/maildrop/registry.h"
#include "proxy/runtime/mem.h"

#define ATTEMPTS    8
#define FIRST_PAUSE 5 /* ms before a repetition; it doubles */

struct postgresql_registry {
	struct registry registry;
	struct postgresql_pool *pool;
};

/* A call, as it is made on a connection: those of its members that it needs. */
struct call {
	fiber_fn struct err (*run)(struct postgresql *connection, struct call *call);
	const struct registry_maildrop *maildrop;
	struct arena *arena;
	struct registry_record *record;
	const struct registry_change *change;
	uint64_t revision; /* the result, where it is one */
	const char *tenant, *login;
	struct registry_maildrop *next;
	struct postgresql_expire expire;
	bool committing;
};

static bool may_repeat(const struct postgresql *connection, const struct call *call)
{
	return connection->conflict ||
	       (connection->broken && !connection->silent && !call->committing);
}

fiber_fn static struct err make(struct registry *base, struct call *call)
{
	struct postgresql_registry *registry = (struct postgresql_registry *)base;
	uint64_t pause = FIRST_PAUSE;

	for (int i = 1;; i++, pause *= 2) {
		struct postgresql *connection;
		struct err e = postgresql_take(registry->pool, &connection);
		bool again;

		if (failed(e))
			return e;
		call->committing = false;
		e = call->run(connection, call);
		again = failed(e) && i < ATTEMPTS && may_repeat(connection, call);
		if (failed(e) && connection->broken && call->committing)
			e = err_context(e, "lost at the commit");
		postgresql_give(connection);
		if (!again)
			return e;
		if (failed(e = wait_sleep(pause)))
			return err_context(e, "registry postgresql");
	}
}

fiber_fn static struct err run_revision(struct postgresql *connection, struct call *call)
{
	return postgresql_revision(connection, call->maildrop, &call->revision);
}

fiber_fn static struct err registry_postgresql_revision(
	struct registry *registry, const struct registry_maildrop *maildrop, uint64_t *ret)
{
	struct call call = { .run = run_revision, .maildrop = maildrop };
	struct err e;

	if (failed(e = make(registry, &call)))
		return e;
	*ret = call.revision;
	return ok();
}

fiber_fn static struct err run_load(struct postgresql *connection, struct call *call)
{
	return postgresql_load(connection, call->maildrop, call->arena, call->record);
}

fiber_fn static struct err registry_postgresql_load(struct registry *registry,
	const struct registry_maildrop *maildrop, struct arena *arena, struct registry_record *ret)
{
	struct call call = { .run = run_load, .maildrop = maildrop, .arena = arena, .record = ret };

	return make(registry, &call);
}

fiber_fn static struct err run_change(struct postgresql *connection, struct call *call)
{
	return postgresql_change(
		connection, call->maildrop, call->change, &call->committing, &call->revision);
}

fiber_fn static struct err registry_postgresql_change(struct registry *registry,
	const struct registry_maildrop *maildrop, const struct registry_change *change,
	uint64_t *ret_revision)
{
	struct call call = { .run = run_change, .maildrop = maildrop, .change = change };
	struct err e;

	if (failed(e = make(registry, &call)))
		return e;
	*ret_revision = call.revision;
	return ok();
}

fiber_fn static struct err run_next(struct postgresql *connection, struct call *call)
{
	return postgresql_next(connection, call->tenant, call->login, call->arena, call->next);
}

fiber_fn static struct err registry_postgresql_next(struct registry *registry, const char *tenant,
	const char *login, struct arena *arena, struct registry_maildrop *ret)
{
	struct call call = {
		.run = run_next, .tenant = tenant, .login = login, .arena = arena, .next = ret
	};

	return make(registry, &call);
}

fiber_fn static struct err run_expire(struct postgresql *connection, struct call *call)
{
	return postgresql_expire(connection, &call->expire, &call->committing);
}

/* Through all maildrops, some at a time, until max are gone. */
fiber_fn static struct err registry_postgresql_expire(
	struct registry *registry, int64_t seen_before, size_t max, size_t *ret_n)
{
	struct call call = {
		.run = run_expire,
		.expire = { .seen_before = seen_before, .max = max },
	};
	struct err e;

	while (!call.expire.over && call.expire.n < max)
		if (failed(e = make(registry, &call)))
			return e;
	*ret_n = call.expire.n;
	return ok();
}

/* A server's files are its administrator's affair. */
fiber_fn static struct err registry_postgresql_check(
	struct registry *registry, registry_report *report, void *arg)
{
	(void)registry;
	(void)report;
	(void)arg;
	return ok();
}

static void registry_postgresql_close(struct registry *base)
{
	struct postgresql_registry *registry = (struct postgresql_registry *)base;

	postgresql_pool_free(registry->pool);
	free(registry);
}

static const struct registry_ops postgresql_ops = {
	.name = "postgresql",
	.revision = registry_postgresql_revision,
	.load = registry_postgresql_load,
	.change = registry_postgresql_change,
	.next = registry_postgresql_next,
	.expire = registry_postgresql_expire,
	.check = registry_postgresql_check,
	.close = registry_postgresql_close,
};

struct err registry_postgresql_open(
	const char *conninfo, uint64_t command_timeout, struct registry **ret)
{
	struct postgresql_registry *registry;
	struct postgresql_target *target;
	struct postgresql_pool *pool;
	struct err e;

	if (failed(e = postgresql_target_new(conninfo, &target)) ||
		failed(e = postgresql_pool_new(target, command_timeout, &pool)))
		return e;
	registry = mem_zalloc(1, sizeof(*registry));
	registry->registry.ops = &postgresql_ops;
	registry->pool = pool;
	*ret = &registry->registry;
	return ok();
}
