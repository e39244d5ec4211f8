/*
 * stats - counters per tenant and per listener, in memory shared by all processes; what /metrics
 * will show.
 *
 * Only the master makes rows, so that no worker can die while making one; workers find them by name
 * and add. Names are told apart by their first 127 octets.
 */
#ifndef POPGATE_SERVICE_STATS_H
#define POPGATE_SERVICE_STATS_H

#include <stdint.h>

#include "config/config.h"

enum stat_tenant {
	STAT_LOGINS,
	STAT_LOGIN_FAILURES,
	STAT_LOGINS_TOO_SOON,     /* of the failures: refused by login_delay */
	STAT_LOGINS_QUOTA_WARNED, /* of the logins: the quota was used up to quota_warning */
	STAT_BACKEND_ERRORS,
	STAT_RETRIEVED_MESSAGES,
	STAT_RETRIEVED_OCTETS,
	STAT_DELETED_MESSAGES,
	STAT_EXPIRED_MESSAGES,
	STAT_TENANT_COUNT_
};
enum stat_listener {
	STAT_CONNECTIONS,
	STAT_REFUSED_CONNECTIONS,
	STAT_TLS_HANDSHAKE_FAILURES,
	STAT_LISTENER_COUNT_
};
enum stat_global { STAT_WORKER_DEATHS, STAT_RELOADS, STAT_RELOAD_FAILURES, STAT_GLOBAL_COUNT_ };

/* Maps the counters and makes the rows of config; in the master, before the first fork. There is
 * room for tenants and listeners that a reload may add; beyond it they are counted together under
 * "other". */
void stats_map(const struct config *config);
/* Makes the rows that a new configuration lacks; in the master. Rows survive a reload. */
void stats_extend(const struct config *config);
/* The row of that name, else that of "other". Looked up once per session, cheap to add to. */
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
