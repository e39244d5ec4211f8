/* The tables of what the operator set up: tenants, IMAP servers, listeners, workers. */
#include "backends/server_health.h"
#include "proxy/admin/html.h"
#include "proxy/admin/page_cells.h"
#include "proxy/admin/samples.h"
#include "proxy/service/session_table.h"
#include "proxy/service/stats.h"

#define ROWS_SHOWN 200

/* Tenants */

static void tenant_row(const struct page *page, const struct tenant *tenant)
{
	const struct stats_tenant *row = stats_tenant(tenant->name);
	struct stat_histogram times = stats_tenant_times(row, STAT_LOGIN_TIME);
	struct buffer *out = page->out;

	html_raw(out, "<tr>");
	text_cell(out, "name", tenant->name);
	state_cell(out, "muted minor", tenant->store == STORE_IMAP ? "IMAP" : "Maildir");
	count_cell(out, "", page->gauges.tenants[stats_tenant_place(row)]);
	count_cell(out, "", stats_tenant_get(row, STAT_LOGINS));
	alarm_cell(out, "", stats_tenant_get(row, STAT_LOGIN_FAILURES));
	time_cell(out, "minor", histogram_quantile(&times, 0.5));
	time_cell(out, "", histogram_quantile(&times, 0.95));
	count_cell(out, "minor", stats_tenant_get(row, STAT_RETRIEVED_MESSAGES));
	bytes_cell(out, "minor", stats_tenant_get(row, STAT_RETRIEVED_OCTETS));
	count_cell(out, "minor",
		stats_tenant_get(row, STAT_DELETED_MESSAGES) +
			stats_tenant_get(row, STAT_EXPIRED_MESSAGES));
	alarm_cell(out, "", stats_tenant_get(row, STAT_BACKEND_ERRORS));
	html_raw(out, "</tr>");
}

void page_tenants(const struct page *page)
{
	static const struct column columns[] = { { "Tenant", "" }, { "Store", "minor" },
		{ "Sessions", "num" }, { "Logins", "num" }, { "Failed", "num" },
		{ "Login, median", "num minor" }, { "95\xe2\x80\xaf%", "num" },
		{ "Messages", "num minor" }, { "Sent", "num minor" }, { "Removed", "num minor" },
		{ "Errors", "num" } };
	const struct config *config = page->gateway->config;
	size_t shown = config->n_tenants < ROWS_SHOWN ? config->n_tenants : ROWS_SHOWN;

	open_section(page->out, "Tenants");
	if (shown < config->n_tenants)
		buffer_printf(page->out, " <small>the first %zu of %zu</small>", shown,
			config->n_tenants);
	end_heading(page->out);
	OPEN_TABLE(page->out, columns);
	for (size_t i = 0; i < shown; i++)
		tenant_row(page, &config->tenants[i]);
	close_table(page->out);
	html_raw(page->out, "</section>");
}

/* Mail servers */

static void server_state(const struct page *page, const struct server_view *server)
{
	struct buffer *out = page->out;

	if (server->avoided_until) {
		html_raw(out, "<td class=\"bad\">avoided, ");
		html_span(out, page_age(page, 2 * page->now - server->avoided_until));
		html_raw(out, " more</td>");
	} else if (server->fail_at > server->connected_at) {
		html_raw(out, "<td class=\"wait\">failed ");
		html_moment(out, server->fail_at, page->now);
		html_raw(out, "</td>");
	} else if (server->connected_at) {
		state_cell(out, "good", "reachable");
	} else {
		state_cell(out, "muted", "not asked yet");
	}
}

static void server_row(const struct page *page, const struct server_view *server)
{
	struct buffer *out = page->out;

	html_raw(out, "<tr>");
	text_cell(out, "name", server->name);
	server_state(page, server);
	time_cell(out, "",
		server->connected_at ? (double)(server->took ? server->took : 1) / 1e3 : 0);
	count_cell(out, "minor", server->connects);
	alarm_cell(out, "", server->failures);
	html_raw(out, "</tr>");
}

void page_servers(const struct page *page)
{
	static const struct column columns[] = { { "Server", "" }, { "State", "" },
		{ "Connects in", "num" }, { "Connects", "num minor" }, { "Failures", "num" } };
	struct server_view server;
	bool any = false;

	for (size_t i = 0; i < server_health_places(); i++) {
		if (!server_health_at(i, &server))
			continue;
		if (!any) {
			open_section(page->out, "IMAP servers");
			end_heading(page->out);
			OPEN_TABLE(page->out, columns);
		}
		any = true;
		server_row(page, &server);
	}
	if (!any)
		return;
	close_table(page->out);
	html_raw(page->out, "</section>");
}

/* Listeners */

static const char *tls_name(enum tls_mode mode)
{
	return mode == TLS_NONE ? "none" : mode == TLS_STARTTLS ? "STLS" : "implicit";
}

static void addresses_cell(const struct page *page, size_t listener)
{
	bool any = false;

	html_raw(page->out, "<td class=\"address\">");
	for (size_t i = 0; i < page->gateway->n_addresses; i++) {
		if (page->gateway->addresses[i].listener != listener)
			continue;
		if (any)
			html_raw(page->out, ", ");
		html_text(page->out, page->gateway->addresses[i].text);
		any = true;
	}
	html_raw(page->out, "</td>");
}

void page_listeners(const struct page *page)
{
	static const struct column columns[] = { { "Listener", "" }, { "Address", "" },
		{ "TLS", "minor" }, { "Sessions", "num" }, { "Connections", "num minor" },
		{ "Refused", "num" }, { "TLS failed", "num minor" } };
	const struct config *config = page->gateway->config;
	struct buffer *out = page->out;

	open_section(out, "Listeners");
	end_heading(out);
	OPEN_TABLE(out, columns);
	for (size_t i = 0; i < config->n_listeners; i++) {
		const struct listener_config *listener = &config->listeners[i];
		const struct stats_listener *row = stats_listener(listener->name);

		html_raw(out, "<tr>");
		text_cell(out, "name", listener->name);
		addresses_cell(page, i);
		state_cell(out, "minor muted", tls_name(listener->tls));
		count_cell(out, "", page->gauges.listeners[stats_listener_place(row)]);
		count_cell(out, "minor", stats_listener_get(row, STAT_CONNECTIONS));
		alarm_cell(out, "", stats_listener_get(row, STAT_REFUSED_CONNECTIONS));
		alarm_cell(out, "minor", stats_listener_get(row, STAT_TLS_HANDSHAKE_FAILURES));
		html_raw(out, "</tr>");
	}
	close_table(out);
	html_raw(out, "</section>");
}

/* Workers */

struct tally {
	pid_t pid;
	uint64_t n;
};

static void tally(const struct session_view *view, void *arg)
{
	struct tally *count = arg;

	count->n += view->worker == count->pid;
}

static void worker_row(const struct page *page, const struct admin_worker *worker)
{
	static const char *const names[] = { "starting", "serving", "finishing" };
	static const char *const classes[] = { "wait", "good", "wait" };
	struct tally count = { worker->pid, 0 };
	struct buffer *out = page->out;

	session_table_each(tally, &count);
	html_raw(out, "<tr>");
	buffer_printf(out, "<td class=\"name\">%d</td>", (int)worker->pid);
	state_cell(out, classes[worker->state], names[worker->state]);
	count_cell(out, "", worker->generation);
	count_cell(out, "", count.n);
	span_cell(out, "", worker->age / 1000);
	html_raw(out, "</tr>");
}

void page_workers(const struct page *page)
{
	static const struct column columns[] = { { "Process", "" }, { "State", "" },
		{ "Generation", "num" }, { "Sessions", "num" }, { "Age", "num" } };

	open_section(page->out, "Workers");
	end_heading(page->out);
	OPEN_TABLE(page->out, columns);
	for (size_t i = 0; i < page->gateway->n_workers; i++)
		worker_row(page, &page->gateway->workers[i]);
	close_table(page->out);
	html_raw(page->out, "</section>");
}
