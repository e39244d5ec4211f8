#include "proxy/admin/page_tables.h"

#include <string.h>

#include "backends/server_health.h"
#include "proxy/admin/html.h"
#include "proxy/admin/samples.h"
#include "proxy/admin/sessions.h"
#include "proxy/service/refusals.h"
#include "proxy/service/stats.h"

/* Rows of the page; /api/sessions has all sessions. */
#define SESSIONS_SHOWN 200
#define REFUSALS_SHOWN 25
#define ROWS_SHOWN     200

/* A column: its heading, and its class in every row. */
struct column {
	const char *title, *class;
};

static void open_table(struct buffer *out, const struct column *columns, size_t n)
{
	html_raw(out, "<div class=\"scroll\"><table><thead><tr>");
	for (size_t i = 0; i < n; i++)
		buffer_printf(out, "<th scope=\"col\" class=\"%s\">%s</th>", columns[i].class,
			columns[i].title);
	html_raw(out, "</tr></thead><tbody>");
}

static void close_table(struct buffer *out)
{
	html_raw(out, "</tbody></table></div>");
}

#define OPEN_TABLE(out, columns)                                                                   \
	open_table((out), (columns), sizeof(columns) / sizeof((columns)[0]))

static void open_section(struct buffer *out, const char *title)
{
	buffer_printf(out, "<section><h2>%s", title);
}

static void end_heading(struct buffer *out)
{
	html_raw(out, "</h2>");
}

static void text_cell(struct buffer *out, const char *class, const char *text)
{
	buffer_printf(out, "<td class=\"%s\"><bdi>", class);
	html_text(out, text);
	html_raw(out, "</bdi></td>");
}

static void count_cell(struct buffer *out, const char *class, uint64_t n)
{
	buffer_printf(out, "<td class=\"num %s%s\">", class, n ? "" : " zero");
	html_count(out, n);
	html_raw(out, "</td>");
}

/* A count that is no good news. */
static void alarm_cell(struct buffer *out, const char *class, uint64_t n)
{
	buffer_printf(out, "<td class=\"num %s %s\">", class, n ? "bad" : "zero");
	html_count(out, n);
	html_raw(out, "</td>");
}

static void bytes_cell(struct buffer *out, const char *class, uint64_t n)
{
	buffer_printf(out, "<td class=\"num %s%s\">", class, n ? "" : " zero");
	html_bytes(out, n);
	html_raw(out, "</td>");
}

static void span_cell(struct buffer *out, const char *class, uint64_t seconds)
{
	buffer_printf(out, "<td class=\"num %s\">", class);
	html_span(out, seconds);
	html_raw(out, "</td>");
}

static void time_cell(struct buffer *out, const char *class, double seconds)
{
	buffer_printf(out, "<td class=\"num %s%s\">", class, seconds > 0 ? "" : " zero");
	html_time(out, seconds);
	html_raw(out, "</td>");
}

static void moment_cell(struct buffer *out, const char *class, int64_t at, int64_t now)
{
	buffer_printf(out, "<td class=\"%s\">", class);
	if (at)
		html_moment(out, at, now);
	html_raw(out, "</td>");
}

static void state_cell(struct buffer *out, const char *class, const char *text)
{
	buffer_printf(out, "<td class=\"%s\">%s</td>", class, text);
}

static uint64_t age(const struct page *page, int64_t since)
{
	return page->now > since ? (uint64_t)(page->now - since) : 0;
}

/* Sessions */

static void close_button(struct buffer *out, const char *id)
{
	html_raw(out, "<td class=\"num\"><form method=\"post\" action=\"/api/sessions/");
	html_text(out, id);
	html_raw(out, "/close\"><button>Close</button></form></td>");
}

static void session_row(const struct page *page, const struct session_view *view)
{
	struct buffer *out = page->out;

	html_raw(out, "<tr>");
	text_cell(out, "name", *view->login ? view->login : "\xe2\x80\x93");
	text_cell(out, "address", view->address);
	text_cell(out, "minor", view->tenant);
	text_cell(out, "minor", view->listener);
	state_cell(out, view->state == SESSION_OPEN ? "good" : "muted",
		session_state_name(view->state));
	span_cell(out, "", age(page, view->started));
	bytes_cell(out, "minor", view->octets_in);
	bytes_cell(out, "", view->octets_out);
	if (page->may_close)
		close_button(out, view->id);
	html_raw(out, "</tr>");
}

void page_sessions(const struct page *page)
{
	static const struct column columns[] = { { "Login", "" }, { "Address", "" },
		{ "Tenant", "minor" }, { "Listener", "minor" }, { "State", "" }, { "Age", "num" },
		{ "Received", "num minor" }, { "Sent", "num" }, { "", "num" } };
	struct buffer *out = page->out;
	size_t n, shown;
	const struct session_view *views = sessions_list(page->arena, &n);

	shown = n < SESSIONS_SHOWN ? n : SESSIONS_SHOWN;
	open_section(out, "Sessions");
	if (shown < n) {
		buffer_printf(out, " <small>the newest %zu of ", shown);
		html_count(out, n);
		html_raw(out, "</small>");
	}
	end_heading(out);
	if (n == 0) {
		html_raw(out, "<p class=\"none\">Nobody is connected.</p></section>");
		return;
	}
	open_table(out, columns, sizeof(columns) / sizeof(columns[0]) - !page->may_close);
	for (size_t i = 0; i < shown; i++)
		session_row(page, &views[n - 1 - i]);
	close_table(out);
	html_raw(out, "</section>");
}

/* Refusals */

static const char *refusal_name(enum refusal_kind kind)
{
	switch (kind) {
	case REFUSED_CONNECTION:
		return "connection";
	case REFUSED_TLS:
		return "TLS";
	case REFUSED_LOGIN:
		return "login";
	}
	return "";
}

static void refusal_row(const struct page *page, const struct refusal_view *view)
{
	struct buffer *out = page->out;

	html_raw(out, "<tr>");
	moment_cell(out, "", view->at, page->now);
	state_cell(out, "minor muted", refusal_name(view->what));
	text_cell(out, "name", *view->login ? view->login : "\xe2\x80\x93");
	text_cell(out, "address", view->address);
	text_cell(out, "minor", view->tenant);
	text_cell(out, "wrap", view->reason);
	html_raw(out, "</tr>");
}

void page_refusals(const struct page *page)
{
	static const struct column columns[] = { { "Time", "" }, { "Refused", "minor" },
		{ "Login", "" }, { "Address", "" }, { "Tenant", "minor" }, { "Reason", "" } };
	struct refusal_view *views = arena_alloc(page->arena, REFUSALS_SHOWN * sizeof(*views));
	size_t n = refusals_latest(views, REFUSALS_SHOWN);

	open_section(page->out, "Recent refusals");
	end_heading(page->out);
	if (n == 0) {
		html_raw(page->out,
			"<p class=\"none\">Nobody was turned away since the start.</p></section>");
		return;
	}
	OPEN_TABLE(page->out, columns);
	for (size_t i = 0; i < n; i++)
		refusal_row(page, &views[i]);
	close_table(page->out);
	html_raw(page->out, "</section>");
}

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
		html_span(out, age(page, 2 * page->now - server->avoided_until));
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
