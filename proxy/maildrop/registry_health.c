#include "proxy/maildrop/registry_health.h"

#include <stdatomic.h>

#include "proxy/runtime/shared.h"

static struct health {
	_Atomic bool failing;
	_Atomic uint64_t failures;
} * health;

void registry_health_map(void)
{
	health = shared_map(sizeof(*health));
}

void registry_health_note(struct err e)
{
	bool failing = e.scope == ERR_TEMP || e.scope == ERR_PERM;

	if (!health || (failed(e) && !failing))
		return;
	if (failing)
		atomic_fetch_add(&health->failures, 1);
	atomic_store(&health->failing, failing);
}

fiber_fn void registry_health_probe(struct registry *registry)
{
	static const struct registry_maildrop nobody = { .tenant = "", .login = "" };
	uint64_t revision;
	struct err e = registry_revision(registry, &nobody, &revision);

	/* registry_revision has noted it. */
	(void)e;
}

bool registry_healthy(void)
{
	return !health || !atomic_load(&health->failing);
}

uint64_t registry_failures(void)
{
	return health ? atomic_load(&health->failures) : 0;
}
