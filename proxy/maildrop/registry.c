/* registry - chooses the store and passes calls on to it. */
#include "proxy/maildrop/registry.h"

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
	return registry->ops->load(registry, maildrop, visit, arg);
}

fiber_fn struct err registry_change(struct registry *registry,
	const struct registry_maildrop *maildrop, registry_visit *visit, registry_plan *plan,
	void *arg)
{
	return registry->ops->change(registry, maildrop, visit, plan, arg);
}
