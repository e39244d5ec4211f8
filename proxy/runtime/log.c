/*
 * log - see log.h. Both formats quote text the same way, as JSON does; logfmt leaves the quotes
 * away where nothing needs them.
 */
#include "proxy/runtime/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proxy/runtime/fiber.h"
#include "proxy/runtime/log_output.h"
#include "proxy/runtime/utf8.h"

/* What a pipe takes at once, so that lines of several processes on one pipe do not mix. */
#define LINE_SIZE PIPE_BUF
/* Kept free for the end of a line: the mark that fields are missing, a brace, a newline. */
#define LINE_TAIL 24

static struct {
	enum log_format format;
	enum log_level level;
	void (*sink)(const char *line, void *arg);
	void *arg;
} log_state = { .format = LOG_LOGFMT, .level = LOG_INFO };

/* A line in the making. What does not fit is refused whole: overflow says so. */
struct line_buffer {
	char data[LINE_SIZE + 1];
	size_t used;
	bool overflow;
};

void log_setup(enum log_format format, enum log_level level)
{
	log_state.format = format;
	log_state.level = level;
}

bool log_enabled(enum log_level level)
{
	return level <= log_state.level;
}

void log_capture(void (*sink)(const char *line, void *arg), void *arg)
{
	log_state.sink = sink;
	log_state.arg = arg;
}

static void put(struct line_buffer *line, const char *text, size_t n)
{
	if (line->overflow || n > LINE_SIZE - LINE_TAIL - line->used) {
		line->overflow = true;
		return;
	}
	memcpy(line->data + line->used, text, n);
	line->used += n;
}

static void put_string(struct line_buffer *line, const char *text)
{
	put(line, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void put_format(
	struct line_buffer *line, const char *format, ...)
{
	char text[64];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	put(line, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* Characters that would end a line or change how a terminal shows it: C0, DEL, C1, the line and
 * paragraph separators, and what turns the direction of writing. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void put_quoted(struct line_buffer *line, const char *text, size_t n, bool cut)
{
	put(line, "\"", 1);
	for (size_t i = 0; i < n;) {
		uint32_t c = 0;
		size_t length = utf8_decode(text + i, n - i, &c);

		if (length == 0)
			put_format(line, "\\ufffd");
		else if (c == '"' || c == '\\')
			put_format(line, "\\%c", (char)c);
		else if (is_control(c))
			put_format(line, "\\u%04" PRIx32, c);
		else
			put(line, text + i, length);
		i += length ? length : 1;
	}
	if (cut)
		put_format(line, "...");
	put(line, "\"", 1);
}

static bool is_bare(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return n > 0;
}

static void put_text(struct line_buffer *line, const char *text)
{
	size_t n = strnlen(text, LOG_TEXT_MAX + 1);
	bool cut = n > LOG_TEXT_MAX;

	if (cut) {
		n = LOG_TEXT_MAX;
		/* Not in the middle of a character. */
		for (size_t back = 0; back < 3 && ((unsigned char)text[n] & 0xc0) == 0x80; back++)
			n--;
	}
	if (!cut && log_state.format == LOG_LOGFMT && is_bare(text, n))
		put(line, text, n);
	else
		put_quoted(line, text, n, cut);
}

/* Lines are written for every session: by hand, since printf would be a good part of one. */
static void put_number(struct line_buffer *line, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put(line, digits + at, sizeof(digits) - at);
}

/* With three digits behind the point. */
static void put_milliseconds(struct line_buffer *line, double ms)
{
	uint64_t thousandths =
		isfinite(ms) && ms > 0 && ms < 1e15 ? (uint64_t)(ms * 1000 + 0.5) : 0;
	char rest[4] = { '.', (char)('0' + thousandths / 100 % 10),
		(char)('0' + thousandths / 10 % 10), (char)('0' + thousandths % 10) };

	put_number(line, thousandths / 1000);
	put(line, rest, sizeof(rest));
}

static void put_value(struct line_buffer *line, const struct log_field *field)
{
	switch (field->type) {
	case LOG_TEXT:
		put_text(line, field->text);
		break;
	case LOG_UINT:
		put_number(line, field->u);
		break;
	case LOG_INT:
		put_format(line, "%" PRId64, field->i);
		break;
	case LOG_MS:
		put_milliseconds(line, field->ms);
		break;
	case LOG_BOOL:
		put_string(line, field->b ? "true" : "false");
		break;
	case LOG_END:
		break;
	}
}

static void put_field(struct line_buffer *line, const struct log_field *field)
{
	size_t start = line->used;

	if (field->type == LOG_TEXT && !field->text)
		return;
	if (log_state.format == LOG_JSON) {
		put_string(line, start > 1 ? ",\"" : "\"");
		put_string(line, field->key);
		put_string(line, "\":");
	} else {
		put_string(line, start > 0 ? " " : "");
		put_string(line, field->key);
		put_string(line, "=");
	}
	put_value(line, field);
	if (line->overflow)
		line->used = start;
}

static void put_time(struct line_buffer *line)
{
	static char text[64];
	static time_t second = -1;
	static size_t n; /* without the part of the second */
	struct timespec now;
	struct tm tm;
	int milliseconds;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		gmtime_r(&second, &tm);
		n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	}
	milliseconds = (int)(now.tv_nsec / 1000000);
	text[n] = '.';
	text[n + 1] = (char)('0' + milliseconds / 100);
	text[n + 2] = (char)('0' + milliseconds / 10 % 10);
	text[n + 3] = (char)('0' + milliseconds % 10);
	memcpy(text + n + 4, "Z", 2);
	put_field(line, &f_text("time", text));
}

/* LINE_TAIL was kept free for this. */
static void put_tail(struct line_buffer *line, const char *text)
{
	size_t n = strlen(text);

	memcpy(line->data + line->used, text, n + 1);
	line->used += n;
}

static void finish(struct line_buffer *line)
{
	bool json = log_state.format == LOG_JSON;

	if (line->overflow)
		put_tail(line, json ? ",\"truncated\":true" : " truncated=true");
	put_tail(line, json ? "}" : "");
}

static void emit(struct line_buffer *line)
{
	if (log_state.sink) {
		log_state.sink(line->data, log_state.arg);
		return;
	}
	line->data[line->used++] = '\n';
	log_output_put(line->data, line->used);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
	static const char *const level_names[] = { "error", "warning", "info", "debug" };
	/* Static, since it is too large for a fiber's stack: one thread, and nothing in between
	 * suspends. */
	static struct line_buffer line;
	int saved = errno;

	line.used = 0;
	line.overflow = false;
	if (log_state.format == LOG_JSON)
		put(&line, "{", 1);
	put_time(&line);
	put_field(&line, &f_text("level", level_names[level]));
	put_field(&line, &f_text("event", event));
	put_field(&line, &f_text("session", fiber_tag()));
	for (; fields->type != LOG_END; fields++)
		put_field(&line, fields);
	finish(&line);
	emit(&line);
	errno = saved;
}
