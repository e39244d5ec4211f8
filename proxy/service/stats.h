/*
 * stats - counters per tenant and per listener, in memory shared by all processes; what /metrics
 * will show. Names follow Prometheus: popgate_<name>_total and so on; the table is in stats.c.
 */
#ifndef POPGATE_SERVICE_STATS_H
#define POPGATE_SERVICE_STATS_H

#include <stdint.h>

#include "config/config.h"

enum stat_tenant {
	STAT_LOGINS,
	STAT_LOGIN_FAILURES,
	STAT_BACKEND_ERRORS,
	STAT_RETRIEVED_MESSAGES,
	STAT_RETRIEVED_OCTETS,
	STAT_DELETED_MESSAGES,
	STAT_TENANT_COUNT_
};
enum stat_listener {
	STAT_CONNECTIONS,
	STAT_REFUSED_CONNECTIONS,
	STAT_TLS_HANDSHAKE_FAILURES,
	STAT_LISTENER_COUNT_
};
enum stat_global { STAT_WORKER_DEATHS, STAT_RELOADS, STAT_RELOAD_FAILURES, STAT_GLOBAL_COUNT_ };

/* Maps the counters; in the master, before the first fork. Room for tenants and listeners that a
 * reload may add; beyond it they are counted together under "other". */
void stats_map(const struct config *config);
/* Rows by name survive a reload. Looked up once per session, cheap to add to. */
struct stats_tenant;
struct stats_listener;
struct stats_tenant *stats_tenant(const char *name);
struct stats_listener *stats_listener(const char *name);
void stats_tenant_add(struct stats_tenant *row, enum stat_tenant which, uint64_t n);
void stats_listener_add(struct stats_listener *row, enum stat_listener which, uint64_t n);
void stats_global_add(enum stat_global which, uint64_t n);
uint64_t stats_tenant_get(const struct stats_tenant *row, enum stat_tenant which);
uint64_t stats_listener_get(const struct stats_listener *row, enum stat_listener which);
uint64_t stats_global_get(enum stat_global which);

#endif
