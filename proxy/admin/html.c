#include "proxy/admin/html.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proxy/runtime/utf8.h"

/* A space that neither breaks nor is as wide as one. */
#define THIN "\xe2\x80\xaf"

void html_raw(struct buffer *out, const char *html)
{
	buffer_append(out, html, strlen(html));
}

static const char *entity(uint32_t c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void html_text(struct buffer *out, const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n;) {
		uint32_t c = 0;
		size_t length = utf8_decode(text + i, n - i, &c);

		if (length == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f))
			html_raw(out, "\xef\xbf\xbd");
		else if (entity(c))
			html_raw(out, entity(c));
		else
			buffer_append(out, text + i, length);
		i += length ? length : 1;
	}
}

void html_count(struct buffer *out, uint64_t n)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			html_raw(out, THIN);
		buffer_append(out, digits + i, 1);
	}
}

void html_bytes(struct buffer *out, uint64_t n)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double value = (double)n;
	size_t unit = 0;

	while (value >= 999.5 && unit < sizeof(units) / sizeof(units[0]) - 1) {
		value /= 1000;
		unit++;
	}
	buffer_printf(out, "%.*f" THIN "%s", unit > 0 && value < 9.95 ? 1 : 0, value, units[unit]);
}

void html_span(struct buffer *out, uint64_t seconds)
{
	uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

	if (days > 0)
		buffer_printf(out, "%" PRIu64 THIN "d %" PRIu64 THIN "h", days, hours % 24);
	else if (hours > 0)
		buffer_printf(out, "%" PRIu64 THIN "h %" PRIu64 THIN "min", hours, minutes % 60);
	else if (minutes > 0)
		buffer_printf(out, "%" PRIu64 THIN "min %" PRIu64 THIN "s", minutes, seconds % 60);
	else
		buffer_printf(out, "%" PRIu64 THIN "s", seconds);
}

void html_time(struct buffer *out, double seconds)
{
	double ms = seconds * 1000;

	if (seconds <= 0)
		html_raw(out, "\xe2\x80\x93");
	else if (ms < 9.95)
		buffer_printf(out, "%.1f" THIN "ms", ms);
	else if (ms < 999.5)
		buffer_printf(out, "%.0f" THIN "ms", ms);
	else
		buffer_printf(out, "%.1f" THIN "s", seconds);
}

void html_moment(struct buffer *out, int64_t at, int64_t now)
{
	time_t moment = (time_t)at;
	struct tm tm;
	char full[32], shown[32];

	if (!gmtime_r(&moment, &tm))
		return;
	(void)strftime(full, sizeof(full), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)strftime(
		shown, sizeof(shown), at / 86400 == now / 86400 ? "%H:%M:%S" : "%d %b %H:%M", &tm);
	buffer_printf(out, "<time datetime=\"%s\">%s</time>", full, shown);
}
