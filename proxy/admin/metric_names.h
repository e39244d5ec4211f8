/*
 * metric_names - what every value of stats.h is called in /metrics, and what it means. A value that
 * has no line in metric_names.c does not build.
 */
#ifndef POPGATE_ADMIN_METRIC_NAMES_H
#define POPGATE_ADMIN_METRIC_NAMES_H

#include "proxy/service/stats.h"

struct metric_name {
	const char *name; /* of the family: no "_total" */
	const char *unit; /* "seconds", "bytes" or "" */
	const char *help; /* one sentence */
};

extern const struct metric_name tenant_metrics[STAT_TENANT_COUNT_];
extern const struct metric_name time_metrics[STAT_TIME_COUNT_];
/* Of the handshakes, only the failed ones: those that succeeded are one family with the label
 * version. */
extern const struct metric_name listener_metrics[STAT_TLS_1_0];
extern const struct metric_name global_metrics[STAT_GLOBAL_COUNT_];

#endif
