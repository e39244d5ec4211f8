#include "proxy/pop3/transcript.h"

#include <string.h>
#include <strings.h>

#include "proxy/runtime/log.h"
#include "proxy/runtime/mem.h"

#define MASK "****"

/* So much of a line goes into one line of the log; the log itself would cut more off. */
#define PIECE (LOG_TEXT_MAX - 16)
/* A line without an end is written before it is whole. */
#define UNENDED 8192

enum speaker { CLIENT = 'c', SERVER = 's' };

struct transcript {
	const struct string_list *logins;
	bool known, on; /* whose session it is is known; and is one of the list */
	bool opened;
	bool dropped;         /* there was more than `early` may hold */
	struct buffer early;  /* speaker, line, NUL; while it is not known */
	struct buffer server; /* the line that is being sent */
};

struct transcript *transcript_new(const struct string_list *logins)
{
	struct transcript *t;

	if (logins->n == 0)
		return NULL;
	t = mem_zalloc(1, sizeof(*t));
	t->logins = logins;
	return t;
}

void transcript_free(struct transcript *t)
{
	if (!t)
		return;
	buffer_done(&t->early);
	buffer_done(&t->server);
	free(t);
}

/* One line of the log. more: the line goes on in the next. */
static void write_piece(enum speaker speaker, const char *text, bool more)
{
	log_asked("transcript", f_text(speaker == CLIENT ? "client" : "server", text),
		f_text("goes_on", more ? "true" : NULL));
}

/* Where to end a piece of a longer line: not in the middle of a character. */
static size_t piece_of(const char *line)
{
	size_t n = PIECE;

	for (int back = 0; back < 3 && ((unsigned char)line[n] & 0xc0) == 0x80; back++)
		n--;
	return n;
}

/* The start of a line of more than PIECE octets: how much of it. */
static size_t write_start(enum speaker speaker, const char *line)
{
	char piece[PIECE + 1];
	size_t n = piece_of(line);

	memcpy(piece, line, n);
	piece[n] = '\0';
	write_piece(speaker, piece, true);
	return n;
}

static void write_line(enum speaker speaker, const char *line)
{
	while (strnlen(line, PIECE + 1) > PIECE)
		line += write_start(speaker, line);
	write_piece(speaker, line, false);
}

static void keep(struct transcript *t, enum speaker speaker, const char *line)
{
	char first = (char)speaker;
	size_t n = strlen(line) + 1;

	t->dropped |= buffer_used(&t->early) + n >= TRANSCRIPT_EARLY;
	if (t->dropped)
		return;
	buffer_append(&t->early, &first, 1);
	buffer_append(&t->early, line, n);
}

static void take_line(struct transcript *t, enum speaker speaker, const char *line)
{
	if (t->on)
		write_line(speaker, line);
	else if (!t->known)
		keep(t, speaker, line);
}

static void write_early(struct transcript *t)
{
	while (buffer_used(&t->early) > 0) {
		const char *record = buffer_data(&t->early);

		write_line((enum speaker)record[0], record + 1);
		buffer_consume(&t->early, strlen(record) + 1);
	}
	if (t->dropped)
		log_asked("transcript", f_text("detail", "lines before the login are missing"));
}

static bool is_listed(const struct transcript *t, const char *name)
{
	for (size_t i = 0; i < t->logins->n; i++)
		if (strcasecmp(t->logins->items[i], name) == 0)
			return true;
	return false;
}

void transcript_login(struct transcript *t, const char *const names[], bool opened)
{
	if (!t)
		return;
	t->on = false;
	t->opened = opened;
	for (; *names && !t->on; names++)
		t->on = is_listed(t, *names);
	/* After a failure the next attempt may be by another. */
	t->known = opened || t->on;
	if (t->on)
		write_early(t);
	buffer_done(&t->early);
	t->dropped = false;
}

static bool is_verb(const char *line, size_t n, const char *verb)
{
	return strlen(verb) == n && strncasecmp(line, verb, n) == 0;
}

/* How much of a client's line cannot be a secret. A line that begins with no verb may be one as a
 * whole: a client that did not see its AUTH refused sends its password. */
static size_t open_part(const char *line)
{
	static const char *const plain[] = { "USER", "STLS", "UTF8", "LANG", "CAPA", "QUIT", "STAT",
		"LIST", "UIDL", "RETR", "TOP", "DELE", "RSET", "NOOP" };
	size_t n = strcspn(line, " \t"), word = n + strspn(line + n, " \t");

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (is_verb(line, n, plain[i]))
			return strlen(line);
	if (is_verb(line, n, "AUTH"))
		return word + strcspn(line + word, " \t");
	return is_verb(line, n, "PASS") || is_verb(line, n, "APOP") ? n : 0;
}

/* NUL and what follows it would not be seen. */
static void show_nul(char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (line[i] == '\0')
			line[i] = '?';
}

void transcript_client(struct transcript *t, const char *line, size_t n, bool sasl)
{
	struct buffer copy = { 0 };
	size_t seen;

	if (!t || (t->known && !t->on))
		return;
	if (sasl) {
		take_line(t, CLIENT, n == 1 && *line == '*' ? "*" : MASK);
		return;
	}
	buffer_append(&copy, line, n);
	buffer_append(&copy, "", 1);
	show_nul(buffer_data(&copy), n);
	seen = open_part(buffer_data(&copy));
	if (seen < n) {
		copy.end = copy.start + seen;
		buffer_append(&copy, " ", seen > 0);
		buffer_append(&copy, MASK, sizeof(MASK));
	}
	take_line(t, CLIENT, buffer_data(&copy));
	buffer_wipe(&copy);
}

/* The line that was sent is whole, its LF included. */
static void end_server_line(struct transcript *t)
{
	size_t n = buffer_used(&t->server) - 1;
	char *line = buffer_data(&t->server);

	if (n > 0 && line[n - 1] == '\r')
		n--;
	show_nul(line, n);
	line[n] = '\0';
	if (!t->opened && n > 2 && line[0] == '+' && line[1] == ' ')
		take_line(t, SERVER, "+ " MASK);
	else
		take_line(t, SERVER, line);
	buffer_consume(&t->server, buffer_used(&t->server));
}

/* What there is of a line, but for less than a piece: a character may be on its way. */
static void write_unended(struct transcript *t)
{
	show_nul(buffer_data(&t->server), buffer_used(&t->server));
	while (buffer_used(&t->server) > PIECE)
		buffer_consume(
			&t->server, t->on ? write_start(SERVER, buffer_data(&t->server)) : PIECE);
}

void transcript_server(struct transcript *t, const char *data, size_t n)
{
	while (t && (t->on || !t->known) && n > 0) {
		const char *lf = memchr(data, '\n', n);
		size_t piece = lf ? (size_t)(lf - data) + 1 : n;

		buffer_append(&t->server, data, piece);
		if (lf)
			end_server_line(t);
		else if (buffer_used(&t->server) > UNENDED)
			write_unended(t);
		data += piece;
		n -= piece;
	}
}
