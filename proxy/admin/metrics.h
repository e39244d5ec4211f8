/*
 * metrics - /metrics: OpenMetrics text 1.0.0, named by the conventions of Prometheus.
 */
#ifndef POPGATE_ADMIN_METRICS_H
#define POPGATE_ADMIN_METRICS_H

#include "proxy/admin/admin.h"

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

void metrics_write(struct buffer *out, const struct admin_gateway *gateway);

#endif
