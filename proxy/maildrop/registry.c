/* registry - chooses the store and passes calls on to it. */
#include "proxy/maildrop/registry.h"

#include <time.h>

#include "proxy/maildrop/registry_health.h"
#include "proxy/runtime/wait.h"

/* The first listing of a maildrop of a million messages holds the write lock for seconds. */
#define BUSY_TIMEOUT 10000 /* ms */

/* For a connection, and for a server's next sign of life. */
#define COMMAND_TIMEOUT 10000 /* ms */

#define LOSSES_FREE 3 /* cost no wait */
#define LOSSES_MAX  40
#define DOUBLINGS   6 /* of the longest wait, from 1 ms */

static struct err open_postgresql(const char *uri, struct registry **ret)
{
#ifdef POPGATE_POSTGRESQL
	return registry_postgresql_open(uri, COMMAND_TIMEOUT, ret);
#else
	(void)uri;
	(void)ret;
	return err_make(ERR_PERM, "this popgate was built without PostgreSQL");
#endif
}

struct err registry_open(const struct config *config, struct registry **ret)
{
	switch (config->state_kind) {
	case STATE_SQLITE:
		return registry_sqlite_open(config->state, BUSY_TIMEOUT, ret);
	case STATE_POSTGRESQL:
		return open_postgresql(config->state, ret);
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

uint64_t registry_clock(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

fiber_fn struct err registry_step_back(unsigned losses)
{
	uint64_t longest = UINT64_C(1) << (losses < DOUBLINGS ? losses : DOUBLINGS);

	if (losses >= LOSSES_MAX)
		return err_make(
			ERR_TEMP, "registry: others have written %u times meanwhile", losses);
	if (losses <= LOSSES_FREE)
		return ok();
	return wait_sleep(1 + uv_hrtime() / 1000 % longest);
}

/* What the store answered, for those who watch over it. */
static struct err noted(struct err e)
{
	registry_health_note(e);
	return e;
}

fiber_fn struct err registry_revision(
	struct registry *registry, const struct registry_maildrop *maildrop, uint64_t *ret)
{
	if (registry->ops->recall && registry->ops->recall(registry, maildrop, ret))
		return ok();
	return noted(registry->ops->revision(registry, maildrop, ret));
}

fiber_fn struct err registry_load(struct registry *registry,
	const struct registry_maildrop *maildrop, struct arena *arena, struct registry_record *ret)
{
	return noted(registry->ops->load(registry, maildrop, arena, ret));
}

fiber_fn struct err registry_change(struct registry *registry,
	const struct registry_maildrop *maildrop, const struct registry_change *change,
	uint64_t *ret_revision)
{
	return noted(registry->ops->change(registry, maildrop, change, ret_revision));
}

fiber_fn struct err registry_next(struct registry *registry, const char *tenant, const char *login,
	struct arena *arena, struct registry_maildrop *ret)
{
	return registry->ops->next(registry, tenant, login, arena, ret);
}

fiber_fn struct err registry_expire(
	struct registry *registry, int64_t seen_before, size_t max, size_t *ret_n)
{
	return registry->ops->expire(registry, seen_before, max, ret_n);
}
