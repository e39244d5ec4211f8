/* The tables of people: who is connected, and who was turned away. */
#include "proxy/admin/html.h"
#include "proxy/admin/page_cells.h"
#include "proxy/admin/sessions.h"
#include "proxy/service/refusals.h"

/* Rows of the page; /api/sessions has all sessions. */
#define SESSIONS_SHOWN 200
#define REFUSALS_SHOWN 25

/* Sessions */

static void close_button(struct buffer *out, const struct session_view *view)
{
	html_raw(out, "<td class=\"num\"><form method=\"post\" action=\"/api/sessions/");
	html_text(out, view->id);
	html_raw(out, "/close\"><button aria-label=\"Close the session of ");
	html_text(out, *view->login ? view->login : view->address);
	html_raw(out, "\">Close</button></form></td>");
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
	span_cell(out, "", page_age(page, view->started));
	bytes_cell(out, "minor", view->octets_in);
	bytes_cell(out, "", view->octets_out);
	if (page->may_close)
		close_button(out, view);
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
