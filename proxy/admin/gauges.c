#include "proxy/admin/gauges.h"

#include "proxy/service/session_table.h"
#include "proxy/service/stats.h"

static void count(const struct session_view *view, void *arg)
{
	struct gauges *gauges = arg;

	gauges->sessions++;
	if (view->tenant[0])
		gauges->tenants[stats_tenant_place(stats_tenant(view->tenant))]++;
	if (view->listener[0])
		gauges->listeners[stats_listener_place(stats_listener(view->listener))]++;
}

struct gauges gauges_take(struct arena *arena)
{
	struct gauges gauges = {
		.tenants = arena_zalloc(arena, stats_tenant_places(), sizeof(uint64_t)),
		.listeners = arena_zalloc(arena, stats_listener_places(), sizeof(uint64_t)),
	};

	session_table_each(count, &gauges);
	return gauges;
}
