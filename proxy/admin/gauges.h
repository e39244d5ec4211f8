/*
 * gauges - how many sessions there are now, by tenant and listener: counted in the table of
 * sessions when asked.
 */
#ifndef POPGATE_ADMIN_GAUGES_H
#define POPGATE_ADMIN_GAUGES_H

#include <stdint.h>

#include "proxy/runtime/mem.h"

struct gauges {
	uint64_t sessions;
	uint64_t *tenants;   /* per place of stats_tenant_at */
	uint64_t *listeners; /* per place of stats_listener_at */
};

struct gauges gauges_take(struct arena *arena);

#endif
