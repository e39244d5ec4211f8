/* registry - chooses the store and passes calls on to it. */
#include "proxy/maildrop/registry.h"

#include "proxy/maildrop/registry_health.h"

/* The first listing of a maildrop of a million messages holds the write lock for seconds. */
#define BUSY_TIMEOUT 10000

struct err registry_open(const struct config *config, struct registry **ret)
{
	switch (config->state_kind) {
	case STATE_SQLITE:
		return registry_sqlite_open(config->state, BUSY_TIMEOUT, ret);
	case STATE_POSTGRESQL:
		return err_make(ERR_PERM, "state: this version has no postgresql store");
	case STATE_NONE:
		break;
	}
	*ret = NULL;
	return ok();
}

void registry_close(struct registry *registry)
{
	if (registry)
		registry->ops->close(registry);
}

fiber_fn struct err registry_load(struct registry *registry,
	const struct registry_maildrop *maildrop, registry_visit *visit, void *arg)
{
	struct err e = registry->ops->load(registry, maildrop, visit, arg);

	registry_health_note(e);
	return e;
}

/* A plan that refuses says nothing about the store. */
struct watched {
	registry_visit *visit;
	registry_plan *plan;
	void *arg;
	bool refused;
};

static void watched_visit(const struct registry_entry *entry, void *arg)
{
	const struct watched *watched = arg;

	watched->visit(entry, watched->arg);
}

static struct err watched_plan(struct registry_writer *writer, void *arg)
{
	struct watched *watched = arg;
	struct err e = watched->plan(writer, watched->arg);

	watched->refused = failed(e);
	return e;
}

fiber_fn struct err registry_change(struct registry *registry,
	const struct registry_maildrop *maildrop, registry_visit *visit, registry_plan *plan,
	void *arg)
{
	struct watched watched = { visit, plan, arg, false };
	struct err e = registry->ops->change(
		registry, maildrop, visit ? watched_visit : NULL, watched_plan, &watched);

	if (!watched.refused)
		registry_health_note(e);
	return e;
}
