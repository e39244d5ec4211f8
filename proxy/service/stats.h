/*
 * stats - counters and times per tenant and per listener, in memory shared by all processes; what
 * /metrics shows.
 *
 * Only the master makes rows, so that no worker can die while making one; workers find them by name
 * and add. Every value here needs its line in proxy/admin/metric_names.c, which says what it means.
 */
#ifndef POPGATE_SERVICE_STATS_H
#define POPGATE_SERVICE_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

enum stat_tenant {
	STAT_LOGINS,
	STAT_LOGIN_FAILURES,
	STAT_LOGINS_TOO_SOON,     /* of the failures: refused by login_delay */
	STAT_LOGINS_CHANGED_IDS,  /* of the failures: refused by uidl.max_changed */
	STAT_LOGINS_QUOTA_WARNED, /* of the logins: the quota was used up to quota_warning */
	STAT_BACKEND_ERRORS,
	STAT_RETRIEVED_MESSAGES,
	STAT_RETRIEVED_OCTETS,
	STAT_DELETED_MESSAGES,
	STAT_EXPIRED_MESSAGES,
	STAT_TENANT_COUNT_
};
enum stat_listener {
	STAT_CONNECTIONS, /* those that got a session */
	STAT_REFUSED_CONNECTIONS,
	STAT_TLS_HANDSHAKE_FAILURES,
	STAT_TLS_1_0, /* handshakes by the version they agreed on; in the order of tls_version */
	STAT_TLS_1_1,
	STAT_TLS_1_2,
	STAT_TLS_1_3,
	STAT_LISTENER_COUNT_
};
enum stat_global {
	STAT_WORKER_DEATHS,
	STAT_RELOADS,
	STAT_RELOAD_FAILURES,
	STAT_UNROUTED_LOGIN_FAILURES, /* those that no tenant serves, or that never came so far */
	STAT_LOG_LINES_LOST,
	STAT_GLOBAL_COUNT_
};
/* What is timed, in nanoseconds. */
enum stat_time {
	STAT_LOGIN_TIME,     /* of a login that succeeded: password, store, listing */
	STAT_LISTING_TIME,   /* of its listing: the snapshot with its unique-ids */
	STAT_RETRIEVAL_TIME, /* of a RETR that succeeded, but for the waits on the client */
	STAT_TIME_COUNT_
};

/* Upper bounds of the classes that times are counted in, in seconds; one more class is open. */
#define STAT_BOUNDS 14
extern const double stat_bounds[STAT_BOUNDS];

struct stat_histogram {
	uint64_t counts[STAT_BOUNDS + 1]; /* per class */
	uint64_t ns;                      /* their sum */
};

/* Maps the counters and makes the rows of config; in the master, before the first fork. There is
 * room for tenants and listeners that a reload may add; beyond it they are counted together. */
void stats_map(const struct config *config);
/* Makes the rows that a new configuration lacks; in the master. Rows survive a reload. */
void stats_extend(const struct config *config);
/* The row of that name, else the one of those that have none. Looked up once per session, cheap to
 * add to. */
struct stats_tenant;
struct stats_listener;
struct stats_tenant *stats_tenant(const char *name);
struct stats_listener *stats_listener(const char *name);
void stats_tenant_add(struct stats_tenant *row, enum stat_tenant which, uint64_t n);
void stats_tenant_time(struct stats_tenant *row, enum stat_time which, uint64_t ns);
void stats_listener_add(struct stats_listener *row, enum stat_listener which, uint64_t n);
void stats_global_add(enum stat_global which, uint64_t n);
/* A login that succeeded, by the bit of its mechanism (enum auth_mechanism). */
void stats_mechanism_add(unsigned mechanism);
uint64_t stats_tenant_get(const struct stats_tenant *row, enum stat_tenant which);
struct stat_histogram stats_tenant_times(const struct stats_tenant *row, enum stat_time which);
uint64_t stats_listener_get(const struct stats_listener *row, enum stat_listener which);
uint64_t stats_global_get(enum stat_global which);
uint64_t stats_mechanism_get(unsigned mechanism);

/* For walks over the rows: places below …_places; NULL where there is none. A row keeps its place.
 */
size_t stats_tenant_places(void);
const struct stats_tenant *stats_tenant_at(size_t place);
size_t stats_tenant_place(const struct stats_tenant *row);
const char *stats_tenant_name(const struct stats_tenant *row);
size_t stats_listener_places(void);
const struct stats_listener *stats_listener_at(size_t place);
size_t stats_listener_place(const struct stats_listener *row);
const char *stats_listener_name(const struct stats_listener *row);

#endif
