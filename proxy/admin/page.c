#include "proxy/admin/page.h"

#include <time.h>

#include "proxy/admin/html.h"
#include "proxy/admin/page_tables.h"
#include "proxy/admin/plot.h"
#include "proxy/admin/ready.h"
#include "proxy/service/stats.h"

static void header(const struct page *page)
{
	const struct admin_gateway *gateway = page->gateway;
	const char *obstacle = ready_obstacle(gateway);
	struct buffer *out = page->out;

	html_raw(out, "<header><h1>popgate <span>");
	html_text(out, gateway->config->hostname);
	buffer_printf(out, "</span></h1><p class=\"state %s\">%s</p><p class=\"facts\">",
		!obstacle           ? "good"
		: gateway->draining ? "wait"
				    : "bad",
		!obstacle ? "serving" : obstacle);
	html_raw(out, "Up ");
	html_span(out, (uint64_t)(page->now - gateway->started));
	buffer_printf(out, " \xc2\xb7 configuration %u loaded ", gateway->generation);
	html_moment(out, gateway->loaded, page->now);
	if (gateway->reload_refused)
		html_raw(out, ", <span class=\"bad\">the latest reload was refused: the log says "
			      "why</span>");
	html_raw(out, " \xc2\xb7 as of ");
	html_moment(out, page->now, page->now);
	html_raw(out, " UTC</p></header>");
}

static void open_figure(struct buffer *out, const char *title)
{
	buffer_printf(out, "<div><dt>%s</dt><dd>", title);
}

static void close_figure(struct buffer *out)
{
	html_raw(out, "</dd></div>");
}

static void figures(const struct page *page, const struct sample *recent)
{
	const struct admin_gateway *gateway = page->gateway;
	struct buffer *out = page->out;

	html_raw(out, "<dl class=\"figures\">");
	open_figure(out, "Sessions");
	html_count(out, page->gauges.sessions);
	html_raw(out, "<small>of ");
	html_count(out, gateway->config->limits.sessions);
	html_raw(out, "</small>");
	close_figure(out);
	open_figure(out, "Logins per minute");
	html_count(out, recent->logins);
	if (recent->failures) {
		html_raw(out, "<small class=\"bad\">");
		html_count(out, recent->failures);
		html_raw(out, " failed</small>");
	}
	close_figure(out);
	open_figure(out, "Messages per minute");
	html_count(out, recent->messages);
	close_figure(out);
	open_figure(out, "Mail per minute");
	html_bytes(out, recent->octets);
	close_figure(out);
	open_figure(out, "Login takes");
	html_time(out, recent->login_median);
	html_raw(out, "<small>95\xe2\x80\xaf%: ");
	html_time(out, recent->login_95);
	html_raw(out, "</small>");
	close_figure(out);
	open_figure(out, "Workers");
	html_count(out, gateway->serving);
	buffer_printf(out, "<small>of %u</small>", gateway->wanted);
	close_figure(out);
	html_raw(out, "</dl>");
}

static double logins(const struct sample *s)
{
	return (double)s->logins;
}

static double failures(const struct sample *s)
{
	return (double)s->failures;
}

static double sessions(const struct sample *s)
{
	return (double)s->sessions;
}

static double messages(const struct sample *s)
{
	return (double)s->messages;
}

static double octets(const struct sample *s)
{
	return (double)s->octets;
}

static double login_median(const struct sample *s)
{
	return s->login_median;
}

static double login_95(const struct sample *s)
{
	return s->login_95;
}

static double retrieval_median(const struct sample *s)
{
	return s->retrieval_median;
}

static double retrieval_95(const struct sample *s)
{
	return s->retrieval_95;
}

static void show_count(struct buffer *out, double value)
{
	html_count(out, (uint64_t)value);
}

static void show_bytes(struct buffer *out, double value)
{
	html_bytes(out, (uint64_t)value);
}

static void plots(struct buffer *out, const struct sample *samples, size_t n)
{
	static const struct plot all[] = {
		{ "Logins", "succeeded", "failed", logins, failures, show_count, true, true },
		{ "Sessions", "", NULL, sessions, NULL, show_count, false, false },
		{ "Login time", "median", "95\xe2\x80\xaf%", login_median, login_95, html_time,
			false, false },
		{ "Messages", "", NULL, messages, NULL, show_count, false, false },
		{ "Mail sent", "", NULL, octets, NULL, show_bytes, false, false },
		{ "Retrieval time", "median", "95\xe2\x80\xaf%", retrieval_median, retrieval_95,
			html_time, false, false },
	};

	html_raw(out, "<div class=\"plots\">");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		plot_write(out, &all[i], samples, n);
	html_raw(out, "</div>");
}

/* As the tab of a browser shows it: trouble first. */
static void title(const struct page *page)
{
	const char *obstacle = ready_obstacle(page->gateway);

	if (obstacle)
		buffer_printf(page->out, "%s \xc2\xb7 ", obstacle);
	html_text(page->out, page->gateway->config->hostname);
	html_raw(page->out, " \xc2\xb7 popgate");
}

static void live(const struct page *page)
{
	struct sample *samples = arena_alloc(page->arena, SAMPLES * sizeof(*samples));
	size_t n = samples_get(samples);

	html_raw(page->out, "<main id=\"live\" data-title=\"");
	title(page);
	html_raw(page->out, "\">");
	header(page);
	/* The latest whole minute, where there is one. */
	figures(page, &samples[n > 1 ? n - 2 : 0]);
	plots(page->out, samples, n);
	page_tenants(page);
	html_raw(page->out, "<div class=\"pair\">");
	page_listeners(page);
	page_servers(page);
	page_workers(page);
	html_raw(page->out, "</div>");
	page_sessions(page);
	page_refusals(page);
	html_raw(page->out, "</main>");
}

void page_write(
	struct buffer *out, const struct admin_gateway *gateway, const char *nonce, bool may_close)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct page page = {
		.out = out,
		.gateway = gateway,
		.gauges = gauges_take(arena),
		.arena = arena,
		.now = (int64_t)time(NULL),
		.may_close = may_close,
	};

	html_raw(out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
		      "<meta name=\"robots\" content=\"noindex\">"
		      "<link rel=\"icon\" href=\"data:,\"><title>");
	title(&page);
	buffer_printf(out, "</title><style nonce=\"%s\">", nonce);
	html_raw(out, page_css);
	html_raw(out, "</style><noscript><meta http-equiv=\"refresh\" content=\"15\"></noscript>"
		      "</head><body>");
	live(&page);
	html_raw(out, "<footer><p class=\"lost\">The gateway does not answer; these figures are "
		      "old.</p><p>popgate " POPGATE_VERSION "</p>"
		      "<p><a href=\"/metrics\">metrics</a></p>"
		      "<p><a href=\"/api/sessions\">sessions as JSON</a></p>"
		      "<p><a href=\"/readyz\">readiness</a></p></footer>");
	buffer_printf(out, "<script nonce=\"%s\">", nonce);
	html_raw(out, page_js);
	html_raw(out, "</script></body></html>\n");
}
