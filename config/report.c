#include "config/report.h"

#include <stdarg.h>
#include <string.h>

struct report {
	enum config_severity severity;
	struct place at;
	size_t sequence;
	char *text;
};

#define SHORT_MAX 60

static void push(
	struct reports *reports, enum config_severity severity, struct place at, char *text)
{
	if (reports->n == reports->room) {
		reports->room = reports->room ? reports->room * 2 : 16;
		reports->items =
			mem_resize(reports->items, reports->room, sizeof(reports->items[0]));
	}
	reports->items[reports->n] = (struct report){ severity, at, reports->n, text };
	reports->n++;
}

char *report_text(const char *format, va_list ap)
{
	char *text;

	return vasprintf(&text, format, ap) < 0 ? mem_strdup(format) : text;
}

void report(struct reports *reports, enum config_severity severity, struct place at,
	const char *key, const char *format, ...)
{
	struct buffer text = { 0 };
	va_list ap;
	char *what;

	if (severity == CONFIG_ERROR)
		reports->errors++;
	if (reports->n >= REPORTS_MAX) {
		reports->not_kept++;
		return;
	}
	va_start(ap, format);
	what = report_text(format, ap);
	va_end(ap);
	buffer_printf(&text, "%s:", at.file);
	if (at.line > 0)
		buffer_printf(&text, "%u:%u:", at.line, at.column);
	buffer_printf(&text, " %s%s%s", key, *key ? ": " : "", what);
	buffer_append(&text, "", 1);
	free(what);
	/* What came from a file must not steer the terminal it is shown on. */
	for (char *p = text.data + text.start; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	push(reports, severity, at, mem_strdup(text.data + text.start));
	buffer_done(&text);
}

static int by_place(const void *a, const void *b)
{
	const struct report *x = a, *y = b;

	if (x->at.order != y->at.order)
		return x->at.order < y->at.order ? -1 : 1;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.column != y->at.column)
		return x->at.column < y->at.column ? -1 : 1;
	return x->sequence < y->sequence ? -1 : 1;
}

void reports_tell(struct reports *reports, config_report *tell, void *arg)
{
	const char *last = "";

	if (reports->n > 0)
		qsort(reports->items, reports->n, sizeof(reports->items[0]), by_place);
	for (size_t i = 0; i < reports->n; i++) {
		/* What a tenant inherits is checked again for each. */
		if (strcmp(reports->items[i].text, last) != 0)
			tell(reports->items[i].severity, reports->items[i].text, arg);
		last = reports->items[i].text;
	}
	if (reports->not_kept > 0) {
		char *more = mem_printf("and %zu more", reports->not_kept);

		tell(CONFIG_ERROR, more, arg);
		free(more);
	}
	reports_done(reports);
}

void reports_done(struct reports *reports)
{
	for (size_t i = 0; i < reports->n; i++)
		free(reports->items[i].text);
	free(reports->items);
	*reports = (struct reports){ .errors = reports->errors };
}

const char *shortened(struct arena *arena, const char *text)
{
	size_t n = strlen(text);

	if (n <= SHORT_MAX)
		return arena_strdup(arena, text);
	/* Not in the middle of a character. */
	for (n = SHORT_MAX; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	return arena_printf(arena, "%.*s...", (int)n, text);
}

const char *quoted(struct arena *arena, const char *text)
{
	return arena_printf(arena, "\"%s\"", shortened(arena, text));
}
