#include "backends/pop3/pop3_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define READ_OCTETS 16384
/* The longest header line that is taken. */
#define LINE_MAX_OCTETS (1U << 20)
/* What an honest answer has at most: a list of 10 million messages, a large header block. */
#define LIST_MAX_OCTETS (UINT64_C(1) << 30)
#define TEXT_MAX_OCTETS (UINT64_C(4) << 20)
/* TOP commands on their way at a time. */
#define AHEAD_MAX 64

/* What may be sent, and what comes back. Nothing that could remove a message, or make a server
 * believe that it was fetched. */
static const struct {
	const char *command;
	enum pop3_answer answer;
} commands[] = {
	{ "CAPA", POP3_TEXT },
	{ "STLS", POP3_STATUS },
	{ "USER", POP3_STATUS },
	{ "PASS", POP3_STATUS },
	{ "APOP", POP3_STATUS },
	{ "AUTH", POP3_STATUS },
	{ "LIST", POP3_LIST },
	{ "UIDL", POP3_UIDL },
	{ "TOP ", POP3_TOP },
};
#define COMMAND_LENGTH 4

static struct err broken(const char *what)
{
	return err_make(ERR_TEMP, "malformed answer: %s", what);
}

static void expect(struct pop3_stream *s, enum pop3_answer answer)
{
	bool list = answer == POP3_LIST || answer == POP3_UIDL;

	s->answer = answer;
	s->begun = s->body = false;
	s->left = list ? LIST_MAX_OCTETS : TEXT_MAX_OCTETS;
	s->last = 0;
	if (answer == POP3_LIST)
		buffer_consume(&s->sizes, buffer_used(&s->sizes));
}

/* The octets of the line at the start of the input, its LF included, once all of it is there. */
fiber_fn static struct err read_line(struct pop3_stream *s, size_t *ret)
{
	size_t seen = 0, got = 0;
	struct err e;

	for (;;) {
		size_t used = buffer_used(&s->in);
		const char *start = buffer_data(&s->in);
		const char *lf = used > seen ? memchr(start + seen, '\n', used - seen) : NULL;

		if (lf) {
			*ret = (size_t)(lf - start) + 1;
			return ok();
		}
		if (used > LINE_MAX_OCTETS)
			return broken("a line without an end");
		seen = used;
		e = etpan_link_read(
			&s->link, buffer_reserve(&s->in, READ_OCTETS), READ_OCTETS, &got);
		if (failed(e))
			return e;
		s->in.end += got;
	}
}

static bool is_end(const char *line, size_t n)
{
	return (n == 2 && memcmp(line, ".\n", n) == 0) || (n == 3 && memcmp(line, ".\r\n", n) == 0);
}

/* The number at the start of the line; the next, so that libetpan's table has no holes. */
static struct err next_number(struct pop3_stream *s, const char *line, const char **ret_rest)
{
	char *end;
	unsigned long number;

	if (*line < '0' || *line > '9')
		return broken("a list without numbers");
	errno = 0;
	number = strtoul(line, &end, 10);
	if (*end != ' ' && *end != '\t')
		return broken("a list without numbers");
	if (number != (unsigned long)s->last + 1 || errno)
		return err_make(ERR_TEMP, "message %lu in a list where %" PRIu32 " is due", number,
			s->last + 1);
	s->last++;
	*ret_rest = end + strspn(end, " \t");
	return ok();
}

/* line is ended by its LF. */
static struct err judge_list(struct pop3_stream *s, const char *line)
{
	const char *rest = line;
	struct err e = next_number(s, line, &rest);
	uint64_t size;

	if (failed(e) || s->answer == POP3_UIDL)
		return e;
	errno = 0;
	size = strtoull(rest, NULL, 10);
	if (*rest < '0' || *rest > '9' || errno || size > INT64_MAX)
		return broken("a list without sizes");
	buffer_append(&s->sizes, &size, sizeof(size));
	return ok();
}

/* Whether libetpan is to see the line; else it is passed over. */
static struct err judge(struct pop3_stream *s, const char *line, size_t n, bool *ret_show)
{
	bool first = !s->begun, empty = *line == '\n' || *line == '\r';

	*ret_show = true;
	s->begun = true;
	if (memchr(line, '\0', n) && s->answer != POP3_TOP)
		return broken("a NUL octet");
	if (first) {
		if (s->answer != POP3_STATUS && strncmp(line, "+OK", 3) != 0)
			s->answer = POP3_STATUS;
		return ok();
	}
	if (is_end(line, n))
		return ok();
	if (s->answer == POP3_TOP) {
		*ret_show = !s->body;
		s->body = s->body || empty;
	}
	if (*ret_show && n > s->left)
		return err_make(ERR_TEMP, "an answer longer than any honest one");
	s->left -= *ret_show ? n : 0;
	if (s->answer == POP3_LIST || s->answer == POP3_UIDL)
		return judge_list(s, line);
	return ok();
}

fiber_fn static struct err give(struct etpan_link *link, void *data, size_t n, size_t *ret)
{
	struct pop3_stream *s = (struct pop3_stream *)link;
	struct err e;
	size_t line = 0;

	while (s->ready == 0) {
		bool show;

		if (failed(e = read_line(s, &line)) ||
			failed(e = judge(s, buffer_data(&s->in), line, &show)))
			return e;
		if (show)
			s->ready = line;
		else
			buffer_consume(&s->in, line);
	}
	n = n < s->ready ? n : s->ready;
	memcpy(data, buffer_data(&s->in), n);
	buffer_consume(&s->in, n);
	s->ready -= n;
	*ret = n;
	return ok();
}

/* libetpan asks for one message after the other; the commands for the next ones go along. */
fiber_fn static struct err take_top(struct pop3_stream *s, const char *command, size_t n)
{
	struct buffer out = { 0 };
	uint32_t number = (uint32_t)strtoul(command + COMMAND_LENGTH, NULL, 10);
	uint32_t count = pop3_stream_count(s), end;
	struct err e;

	if (!s->pipelining)
		return etpan_link_write(&s->link, command, n);
	if (number < s->ahead)
		return ok();
	end = count - number < AHEAD_MAX ? count + 1 : number + AHEAD_MAX;
	for (s->ahead = number; s->ahead < end; s->ahead++)
		buffer_printf(&out, "TOP %" PRIu32 " 0\r\n", s->ahead);
	e = etpan_link_write(&s->link, buffer_data(&out), buffer_used(&out));
	buffer_done(&out);
	return e;
}

/* libetpan sends each command whole. */
fiber_fn static struct err take(struct etpan_link *link, const void *data, size_t n)
{
	struct pop3_stream *s = (struct pop3_stream *)link;
	const char *command = data;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (n < COMMAND_LENGTH || memcmp(command, commands[i].command, COMMAND_LENGTH) != 0)
			continue;
		expect(s, commands[i].answer);
		if (s->answer == POP3_TOP)
			return take_top(s, command, n);
		return etpan_link_write(link, data, n);
	}
	return err_make(ERR_PERM, "nothing else is sent to this server");
}

static const struct etpan_link_ops link_ops = { .give = give, .take = take };

struct pop3_stream *pop3_stream_new(struct stream *stream, uint64_t timeout)
{
	struct pop3_stream *s = mem_zalloc(1, sizeof(*s));

	etpan_link_init(&s->link, stream, timeout, &link_ops);
	expect(s, POP3_STATUS);
	return s;
}

void pop3_stream_free(struct pop3_stream *s)
{
	if (!s)
		return;
	etpan_link_done(&s->link);
	buffer_wipe(&s->in);
	buffer_done(&s->sizes);
	free(s);
}

fiber_fn struct err pop3_stream_starttls(struct pop3_stream *s, mailstream *over,
	struct tls_context *context, const char *server_name)
{
	buffer_done(&s->in);
	s->ready = 0;
	return etpan_link_starttls(&s->link, over, context, server_name);
}

uint32_t pop3_stream_count(const struct pop3_stream *s)
{
	return (uint32_t)(buffer_used(&s->sizes) / sizeof(uint64_t));
}

uint64_t pop3_stream_size(const struct pop3_stream *s, uint32_t number)
{
	uint64_t size;

	memcpy(&size, buffer_data(&s->sizes) + (number - 1) * sizeof(size), sizeof(size));
	return size;
}
