#include "proxy/admin/metric_names.h"

#include <assert.h>

/* clang-format off */
#define TENANT_ROWS \
	ROW(STAT_LOGINS, "popgate_logins", "", \
		"Logins that succeeded: the maildrop was open and listed.") \
	ROW(STAT_LOGIN_FAILURES, "popgate_login_failures", "", \
		"Logins that failed, for whatever reason.") \
	ROW(STAT_LOGINS_TOO_SOON, "popgate_logins_too_soon", "", \
		"Of the failed logins, those refused by maildrop.login_delay.") \
	ROW(STAT_LOGINS_CHANGED_IDS, "popgate_logins_changed_ids", "", \
		"Of the failed logins, those refused by uidl.max_changed.") \
	ROW(STAT_LOGINS_QUOTA_WARNED, "popgate_logins_quota_warned", "", \
		"Logins whose mailbox was filled up to maildrop.quota_warning.") \
	ROW(STAT_BACKEND_ERRORS, "popgate_store_errors", "", \
		"Logins, messages and updates that failed for the mail store or the registry.") \
	ROW(STAT_RETRIEVED_MESSAGES, "popgate_retrieved_messages", "", \
		"Messages that clients got whole by RETR.") \
	ROW(STAT_RETRIEVED_OCTETS, "popgate_retrieved_bytes", "bytes", \
		"Octets of those messages, as sent.") \
	ROW(STAT_DELETED_MESSAGES, "popgate_deleted_messages", "", \
		"Messages that clients marked and QUIT removed.") \
	ROW(STAT_EXPIRED_MESSAGES, "popgate_expired_messages", "", \
		"Messages that QUIT removed for maildrop.expire_after.")
#define TIME_ROWS \
	ROW(STAT_LOGIN_TIME, "popgate_login_duration_seconds", "seconds", \
		"From the password to the open maildrop, of logins that succeeded.") \
	ROW(STAT_LISTING_TIME, "popgate_listing_duration_seconds", "seconds", \
		"Of those logins, the listing of the mailbox and its unique-ids.") \
	ROW(STAT_RETRIEVAL_TIME, "popgate_retrieval_duration_seconds", "seconds", \
		"RETR from command to end, without the waits for the client to take it.")
#define LISTENER_ROWS \
	ROW(STAT_CONNECTIONS, "popgate_connections", "", \
		"Connections that got a session.") \
	ROW(STAT_REFUSED_CONNECTIONS, "popgate_refused_connections", "", \
		"Connections turned away: a limit was reached, or the PROXY header was missing.") \
	ROW(STAT_TLS_HANDSHAKE_FAILURES, "popgate_tls_handshake_failures", "", \
		"TLS handshakes with clients that failed.")
#define GLOBAL_ROWS \
	ROW(STAT_WORKER_DEATHS, "popgate_worker_deaths", "", \
		"Workers that died unasked and were replaced.") \
	ROW(STAT_RELOADS, "popgate_reloads", "", \
		"Reloads of the configuration that took effect.") \
	ROW(STAT_RELOAD_FAILURES, "popgate_reload_failures", "", \
		"Reloads that were refused and changed nothing.") \
	ROW(STAT_UNROUTED_LOGIN_FAILURES, "popgate_unrouted_login_failures", "", \
		"Failed logins that belong to no tenant: unknown names, throttled addresses.") \
	ROW(STAT_LOG_LINES_LOST, "popgate_lost_log_lines", "", \
		"Log lines dropped because whoever keeps the log could not take them.")
/* clang-format on */

#define ROW(which, name, unit, help) [which] = { name, unit, help },
const struct metric_name tenant_metrics[STAT_TENANT_COUNT_] = { TENANT_ROWS };
const struct metric_name time_metrics[STAT_TIME_COUNT_] = { TIME_ROWS };
const struct metric_name listener_metrics[STAT_TLS_1_0] = { LISTENER_ROWS };
const struct metric_name global_metrics[STAT_GLOBAL_COUNT_] = { GLOBAL_ROWS };
#undef ROW

/* Every value has its row. */
#define ROW(which, name, unit, help) which##_ROW,
enum { TENANT_ROWS TENANT_ROW_COUNT };
enum { TIME_ROWS TIME_ROW_COUNT };
enum { LISTENER_ROWS LISTENER_ROW_COUNT };
enum { GLOBAL_ROWS GLOBAL_ROW_COUNT };
#undef ROW
static_assert((int)TENANT_ROW_COUNT == STAT_TENANT_COUNT_, "a value of stat_tenant has no row");
static_assert((int)TIME_ROW_COUNT == STAT_TIME_COUNT_, "a value of stat_time has no row");
static_assert((int)LISTENER_ROW_COUNT == STAT_TLS_1_0, "a value of stat_listener has no row");
static_assert((int)GLOBAL_ROW_COUNT == STAT_GLOBAL_COUNT_, "a value of stat_global has no row");
