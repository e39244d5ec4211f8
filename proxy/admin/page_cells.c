#include "proxy/admin/page_cells.h"

#include "proxy/admin/html.h"

void open_table(struct buffer *out, const struct column *columns, size_t n)
{
	html_raw(out, "<div class=\"scroll\"><table><thead><tr>");
	for (size_t i = 0; i < n; i++)
		buffer_printf(out, "<th scope=\"col\" class=\"%s\">%s</th>", columns[i].class,
			columns[i].title);
	html_raw(out, "</tr></thead><tbody>");
}

void close_table(struct buffer *out)
{
	html_raw(out, "</tbody></table></div>");
}

void open_section(struct buffer *out, const char *title)
{
	buffer_printf(out, "<section><h2>%s", title);
}

void end_heading(struct buffer *out)
{
	html_raw(out, "</h2>");
}

void text_cell(struct buffer *out, const char *class, const char *text)
{
	buffer_printf(out, "<td class=\"%s\"><bdi>", class);
	html_text(out, text);
	html_raw(out, "</bdi></td>");
}

void count_cell(struct buffer *out, const char *class, uint64_t n)
{
	buffer_printf(out, "<td class=\"num %s%s\">", class, n ? "" : " zero");
	html_count(out, n);
	html_raw(out, "</td>");
}

void alarm_cell(struct buffer *out, const char *class, uint64_t n)
{
	buffer_printf(out, "<td class=\"num %s %s\">", class, n ? "bad" : "zero");
	html_count(out, n);
	html_raw(out, "</td>");
}

void bytes_cell(struct buffer *out, const char *class, uint64_t n)
{
	buffer_printf(out, "<td class=\"num %s%s\">", class, n ? "" : " zero");
	html_bytes(out, n);
	html_raw(out, "</td>");
}

void span_cell(struct buffer *out, const char *class, uint64_t seconds)
{
	buffer_printf(out, "<td class=\"num %s\">", class);
	html_span(out, seconds);
	html_raw(out, "</td>");
}

void time_cell(struct buffer *out, const char *class, double seconds)
{
	buffer_printf(out, "<td class=\"num %s%s\">", class, seconds > 0 ? "" : " zero");
	html_time(out, seconds);
	html_raw(out, "</td>");
}

void moment_cell(struct buffer *out, const char *class, int64_t at, int64_t now)
{
	buffer_printf(out, "<td class=\"%s\">", class);
	if (at)
		html_moment(out, at, now);
	html_raw(out, "</td>");
}

void state_cell(struct buffer *out, const char *class, const char *text)
{
	buffer_printf(out, "<td class=\"%s\">%s</td>", class, text);
}

uint64_t page_age(const struct page *page, int64_t since)
{
	return page->now > since ? (uint64_t)(page->now - since) : 0;
}
