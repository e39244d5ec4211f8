#include "proxy/admin/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/server_health.h"
#include "proxy/admin/gauges.h"
#include "proxy/admin/metric_names.h"
#include "proxy/admin/ready.h"
#include "proxy/maildrop/registry_health.h"

static void family(
	struct buffer *out, const char *name, const char *type, const char *unit, const char *help)
{
	buffer_printf(out, "# TYPE %s %s\n", name, type);
	if (*unit)
		buffer_printf(out, "# UNIT %s %s\n", name, unit);
	buffer_printf(out, "# HELP %s %s\n", name, help);
}

static void put_escaped(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buffer_append(out, "\\", 1);
		if (*text == '\n')
			buffer_append(out, "\\n", 2);
		else
			buffer_append(out, text, 1);
	}
}

/* name{label="value" without the closing brace, for more labels. */
static void open_labels(struct buffer *out, const char *name, const char *suffix, const char *label,
	const char *value)
{
	buffer_printf(out, "%s%s{%s=\"", name, suffix, label);
	put_escaped(out, value);
	buffer_append(out, "\"", 1);
}

static void sample(struct buffer *out, const char *name, const char *suffix, const char *label,
	const char *value, uint64_t n)
{
	open_labels(out, name, suffix, label, value);
	buffer_printf(out, "} %" PRIu64 "\n", n);
}

static void single(
	struct buffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
	family(out, name, type, "", help);
	buffer_printf(out, "%s%s %" PRIu64 "\n", name, strcmp(type, "counter") == 0 ? "_total" : "",
		value);
}

/* Tenants */

static void tenant_counter(struct buffer *out, enum stat_tenant which)
{
	const struct metric_name *metric = &tenant_metrics[which];

	family(out, metric->name, "counter", metric->unit, metric->help);
	for (size_t i = 0; i < stats_tenant_places(); i++) {
		const struct stats_tenant *row = stats_tenant_at(i);

		if (row)
			sample(out, metric->name, "_total", "tenant", stats_tenant_name(row),
				stats_tenant_get(row, which));
	}
}

static void histogram(struct buffer *out, const char *name, const char *tenant,
	const struct stat_histogram *times)
{
	uint64_t count = 0;

	for (size_t i = 0; i < STAT_BOUNDS; i++) {
		double bound = stat_bounds[i];

		count += times->counts[i];
		open_labels(out, name, "_bucket", "tenant", tenant);
		/* A float by its look, as the format wants it. */
		buffer_printf(out, ",le=\"%g%s\"} %" PRIu64 "\n", bound,
			bound == (double)(int64_t)bound ? ".0" : "", count);
	}
	count += times->counts[STAT_BOUNDS];
	open_labels(out, name, "_bucket", "tenant", tenant);
	buffer_printf(out, ",le=\"+Inf\"} %" PRIu64 "\n", count);
	sample(out, name, "_count", "tenant", tenant, count);
	open_labels(out, name, "_sum", "tenant", tenant);
	buffer_printf(out, "} %.9f\n", (double)times->ns / 1e9);
}

static void tenant_histogram(struct buffer *out, enum stat_time which)
{
	const struct metric_name *metric = &time_metrics[which];

	family(out, metric->name, "histogram", metric->unit, metric->help);
	for (size_t i = 0; i < stats_tenant_places(); i++) {
		const struct stats_tenant *row = stats_tenant_at(i);
		struct stat_histogram times;

		if (!row)
			continue;
		times = stats_tenant_times(row, which);
		histogram(out, metric->name, stats_tenant_name(row), &times);
	}
}

static void tenant_sessions(struct buffer *out, const struct gauges *gauges)
{
	family(out, "popgate_tenant_sessions", "gauge", "",
		"Sessions that are logged in, or logging in with a proved name.");
	for (size_t i = 0; i < stats_tenant_places(); i++) {
		const struct stats_tenant *row = stats_tenant_at(i);

		if (row)
			sample(out, "popgate_tenant_sessions", "", "tenant", stats_tenant_name(row),
				gauges->tenants[i]);
	}
}

/* Listeners */

static void listener_counter(struct buffer *out, enum stat_listener which)
{
	const struct metric_name *metric = &listener_metrics[which];

	family(out, metric->name, "counter", metric->unit, metric->help);
	for (size_t i = 0; i < stats_listener_places(); i++) {
		const struct stats_listener *row = stats_listener_at(i);

		if (row)
			sample(out, metric->name, "_total", "listener", stats_listener_name(row),
				stats_listener_get(row, which));
	}
}

static void handshakes(struct buffer *out)
{
	static const char *const versions[] = { "1.0", "1.1", "1.2", "1.3" };
	static const char name[] = "popgate_tls_handshakes";

	family(out, name, "counter", "", "TLS handshakes with clients that succeeded, by version.");
	for (size_t i = 0; i < stats_listener_places(); i++) {
		const struct stats_listener *row = stats_listener_at(i);

		for (unsigned v = 0; row && v < 4; v++) {
			open_labels(out, name, "_total", "listener", stats_listener_name(row));
			buffer_printf(out, ",version=\"%s\"} %" PRIu64 "\n", versions[v],
				stats_listener_get(row, STAT_TLS_1_0 + v));
		}
	}
}

static void listener_sessions(struct buffer *out, const struct gauges *gauges)
{
	family(out, "popgate_listener_sessions", "gauge", "", "Sessions, logged in or not.");
	for (size_t i = 0; i < stats_listener_places(); i++) {
		const struct stats_listener *row = stats_listener_at(i);

		if (row)
			sample(out, "popgate_listener_sessions", "", "listener",
				stats_listener_name(row), gauges->listeners[i]);
	}
}

/* IMAP servers */

static uint64_t server_connects(const struct server_view *server)
{
	return server->connects;
}

static uint64_t server_reuses(const struct server_view *server)
{
	return server->reuses;
}

static uint64_t server_failures(const struct server_view *server)
{
	return server->failures;
}

static uint64_t server_up(const struct server_view *server)
{
	return server->avoided_until == 0;
}

static void server_values(struct buffer *out, const char *name, const char *type, const char *help,
	uint64_t (*value)(const struct server_view *server))
{
	struct server_view server;

	family(out, name, type, "", help);
	for (size_t i = 0; i < server_health_places(); i++)
		if (server_health_at(i, &server))
			sample(out, name, strcmp(type, "counter") == 0 ? "_total" : "", "server",
				server.name, value(&server));
}

static void servers(struct buffer *out)
{
	static const char latest[] = "popgate_server_connect_seconds";
	struct server_view server;

	server_values(out, "popgate_server_connects", "counter",
		"Connections made to the IMAP server, TLS and greeting included.", server_connects);
	server_values(out, "popgate_server_reuses", "counter",
		"Logins by a connection that an earlier session left (imap.keep_warm).",
		server_reuses);
	server_values(out, "popgate_server_connect_failures", "counter",
		"Connections to the IMAP server that failed.", server_failures);
	server_values(out, "popgate_server_up", "gauge",
		"0 while some worker avoids the IMAP server since a connection failed.", server_up);
	family(out, latest, "gauge", "seconds",
		"How long the latest connection to the IMAP server took to make.");
	for (size_t i = 0; i < server_health_places(); i++)
		if (server_health_at(i, &server) && server.connected_at) {
			open_labels(out, latest, "", "server", server.name);
			buffer_printf(out, "} %.3f\n", (double)server.took / 1e3);
		}
}

/* The gateway itself */

static void mechanisms(struct buffer *out)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { { MECH_USER, "USER" }, { MECH_PLAIN, "PLAIN" }, { MECH_LOGIN, "LOGIN" },
		{ MECH_SCRAM_SHA_256, "SCRAM-SHA-256" },
		{ MECH_SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS" }, { MECH_GSSAPI, "GSSAPI" },
		{ MECH_NTLM, "NTLM" }, { MECH_XOAUTH2, "XOAUTH2" },
		{ MECH_OAUTHBEARER, "OAUTHBEARER" }, { MECH_EXTERNAL, "EXTERNAL" } };
	static const char name[] = "popgate_mechanism_logins";

	family(out, name, "counter", "", "Logins that succeeded, by mechanism.");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		sample(out, name, "_total", "mechanism", names[i].name,
			stats_mechanism_get(names[i].bit));
}

static void build(struct buffer *out)
{
	family(out, "popgate_build", "info", "", "Which popgate this is.");
	buffer_printf(out, "popgate_build_info{version=\"%s\"} 1\n", POPGATE_VERSION);
}

static void times_of_day(struct buffer *out, const struct admin_gateway *gateway)
{
	family(out, "popgate_start_time_seconds", "gauge", "seconds",
		"When the gateway started, since 1970.");
	buffer_printf(out, "popgate_start_time_seconds %" PRId64 "\n", gateway->started);
	family(out, "popgate_config_load_time_seconds", "gauge", "seconds",
		"When the configuration in effect was loaded, since 1970.");
	buffer_printf(out, "popgate_config_load_time_seconds %" PRId64 "\n", gateway->loaded);
}

static void processes(struct buffer *out, const struct admin_gateway *gateway)
{
	single(out, "popgate_ready", "gauge", "1 where /readyz says so.", !ready_obstacle(gateway));
	single(out, "popgate_workers", "gauge", "Workers of the present generation that serve.",
		gateway->serving);
	single(out, "popgate_workers_wanted", "gauge", "How many of them there should be.",
		gateway->wanted);
	single(out, "popgate_worker_processes", "gauge",
		"All worker processes, those that only finish their sessions too.",
		gateway->n_workers);
	single(out, "popgate_config_generation", "gauge",
		"1 at the start, one more with every reload that took effect.",
		gateway->generation);
	single(out, "popgate_config_last_reload_successful", "gauge",
		"0 after a reload that was refused.", !gateway->reload_refused);
	for (unsigned i = 0; i < STAT_GLOBAL_COUNT_; i++)
		single(out, global_metrics[i].name, "counter", global_metrics[i].help,
			stats_global_get(i));
	single(out, "popgate_registry_up", "gauge",
		"0 while the latest call to the registry failed.", registry_healthy());
	single(out, "popgate_registry_failures", "counter", "Calls to the registry that failed.",
		registry_failures());
}

void metrics_write(struct buffer *out, const struct admin_gateway *gateway)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct gauges gauges = gauges_take(arena);

	build(out);
	times_of_day(out, gateway);
	processes(out, gateway);
	single(out, "popgate_sessions", "gauge", "Sessions, logged in or not.", gauges.sessions);
	single(out, "popgate_sessions_limit", "gauge", "What limits.sessions allows.",
		gateway->config->limits.sessions);
	for (unsigned i = 0; i < STAT_TLS_1_0; i++)
		listener_counter(out, i);
	handshakes(out);
	listener_sessions(out, &gauges);
	for (unsigned i = 0; i < STAT_TENANT_COUNT_; i++)
		tenant_counter(out, i);
	tenant_sessions(out, &gauges);
	for (unsigned i = 0; i < STAT_TIME_COUNT_; i++)
		tenant_histogram(out, i);
	mechanisms(out);
	servers(out);
	buffer_append(out, "# EOF\n", 6);
}
