#include "backends/imap/imap_stream.h"

#include <stdlib.h>
#include <string.h>

#include "backends/imap/imap_text.h"

/* Most answers are short. Whoever has more to say gets room for more. */
#define READ_SHORT  1000
#define READ_OCTETS 16384

/* Counts a line against what this answer may take. */
static struct err spend(struct imap_stream *s, size_t n)
{
	if (n > s->text_left)
		return err_make(ERR_TEMP, "an answer longer than any honest one");
	s->text_left -= n;
	return ok();
}

static struct err take_literal(struct imap_stream *s, const struct answer_literal *literal)
{
	if (literal->body && s->bodies_wanted == IMAP_BODIES_MANY) {
		if (literal->octets > s->text_left)
			return err_make(ERR_TEMP, "an answer longer than any honest one");
		s->text_left -= literal->octets;
	} else if (literal->body && s->bodies_wanted != IMAP_BODIES_NONE) {
		if (++s->bodies > 1 && s->bodies_wanted == IMAP_BODIES_ONE)
			return err_make(ERR_TEMP, "a second message body in one answer");
		s->body_octets = literal->octets;
	} else if (literal->octets > IMAP_LINE_MAX && s->answer.kind != ANSWER_IGNORED) {
		return err_make(ERR_TEMP, "a long literal that nobody asked for");
	}
	s->literal = literal->octets;
	return ok();
}

static void remember(char words[static IMAP_WORDS_MAX], const char *line, size_t n)
{
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	n = n < IMAP_WORDS_MAX ? n : IMAP_WORDS_MAX - 1;
	memcpy(words, line, n);
	words[n] = '\0';
}

/* The UID that the first line of a FETCH answer tells; 0: it does not. */
static uint32_t uid_before_body(const char *line, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct imap_text text = { line + i, line + n };
		uint64_t uid;

		if ((line[i - 1] == '(' || line[i - 1] == ' ') &&
			imap_text_skip_word(&text, "UID ") &&
			imap_text_number(&text, UINT32_MAX, &uid))
			return (uint32_t)uid;
	}
	return 0;
}

/* Keeps what a line tells. first: it does not go on from a literal. */
static void note(struct imap_stream *s, const char *line, size_t n, bool first)
{
	enum answer_kind kind = s->answer.kind;

	if (kind == ANSWER_IGNORED && s->quota)
		imap_quota_line(s->quota, line, n, first);
	if (!first || kind == ANSWER_FETCH)
		return;
	if (kind == ANSWER_TAGGED)
		remember(s->status, line, n);
	else if (kind == ANSWER_BYE)
		remember(s->bye, line, n);
	else
		(void)imap_news_piece(&s->news, line, n, true);
	imap_capability_take(&s->capabilities, line, n);
}

/* Judges the line of n octets at the start of the input. */
static struct err judge(struct imap_stream *s, size_t n)
{
	struct answer_literal literal;
	bool first = !s->answer.continued;
	char *line = s->in.data + s->in.start;
	struct err e = answer_line(&s->answer, line, n, &literal);

	if (!failed(e) && first && s->answer.kind == ANSWER_FETCH) {
		s->body_uid = uid_before_body(line, n);
		s->body_octets = 0;
	}
	if (!failed(e) && s->answer.kind == ANSWER_NONE && s->greeted)
		e = err_make(ERR_TEMP, "malformed answer: a line without a tag");
	if (failed(e) || failed(e = spend(s, n)) || failed(e = take_literal(s, &literal)))
		return e;
	note(s, line, n, first);
	s->ready = n;
	return ok();
}

/* Whether somebody waits for the line that was judged. */
static bool is_awaited(const struct imap_stream *s)
{
	if (!s->greeted)
		return true;
	switch (s->answer.kind) {
	case ANSWER_TAGGED:
		return true;
	case ANSWER_CONTINUE: /* of which libetpan would keep an object each */
		return !s->fetch_wanted;
	case ANSWER_FETCH:
		return s->fetch_wanted;
	default:
		return false;
	}
}

/* Room at the end of the input, and a read into it. */
fiber_fn static struct err read_more(struct imap_stream *s)
{
	size_t n = s->lengthy ? READ_OCTETS : READ_SHORT, got = 0;
	struct err e = etpan_link_read(&s->link, buffer_reserve(&s->in, n), n, &got);

	if (!failed(e))
		s->in.end += got;
	s->lengthy |= got == n;
	return e;
}

/* Looks for the end of a line behind the first `seen` octets of b. */
static bool find_lf(const struct buffer *b, size_t seen, size_t *ret)
{
	const char *start = b->data + b->start;
	const char *lf = memchr(start + seen, '\n', buffer_used(b) - seen);

	if (lf)
		*ret = (size_t)(lf - start) + 1;
	return lf != NULL;
}

/* Takes from the input what is there of a line that is too long for any but a set of UIDs. */
static struct err take_piece(struct imap_stream *s, size_t n, bool first)
{
	struct err e = spend(s, n);

	if (!failed(e) && !imap_news_piece(&s->news, s->in.data + s->in.start, n, first))
		e = err_make(ERR_TEMP, "malformed answer: a line without an end");
	buffer_consume(&s->in, n);
	return e;
}

/* Reads such a line to its end, and drops it. */
fiber_fn static struct err pass_long_line(struct imap_stream *s)
{
	size_t n = 0;
	struct err e;

	if (s->answer.continued)
		return err_make(ERR_TEMP, "malformed answer: a line without an end");
	s->answer = (struct answer){ .kind = ANSWER_IGNORED };
	for (bool first = true;; first = false) {
		bool last = find_lf(&s->in, 0, &n);

		e = take_piece(s, last ? n : buffer_used(&s->in), first);
		if (failed(e) || last || failed(e = read_more(s)))
			return e;
	}
}

/* The octets of the line at the start of the input, its LF included, once all of it is there. */
fiber_fn static struct err read_line(struct imap_stream *s, size_t *ret)
{
	size_t seen = 0;
	struct err e;

	for (;;) {
		size_t used = buffer_used(&s->in);

		if (used > seen && find_lf(&s->in, seen, ret))
			return ok();
		if (used > IMAP_LINE_MAX) {
			if (failed(e = pass_long_line(s)))
				return e;
			seen = 0;
			continue;
		}
		if (s->bye[0])
			return err_make(ERR_TEMP, "the server closes the connection");
		seen = used;
		if (failed(e = read_more(s)))
			return e;
	}
}

/* Discards the literal that follows a line that is ignored. */
fiber_fn static struct err skip_literal(struct imap_stream *s)
{
	struct err e;

	while (s->literal > 0) {
		size_t used = buffer_used(&s->in);
		size_t n = s->literal < used ? (size_t)s->literal : used;

		buffer_consume(&s->in, n);
		s->literal -= n;
		if (s->literal > 0 && failed(e = read_more(s)))
			return e;
	}
	return ok();
}

/* Makes the next line ready that somebody waits for. */
fiber_fn static struct err next_line(struct imap_stream *s)
{
	size_t n = 0;
	struct err e;

	while (s->ready == 0) {
		if (failed(e = read_line(s, &n)) || failed(e = judge(s, n)))
			return e;
		if (is_awaited(s))
			break;
		buffer_consume(&s->in, s->ready);
		s->ready = 0;
		if (failed(e = skip_literal(s)))
			return e;
	}
	return ok();
}

/* Hands out up to n octets of *left from the input. */
static size_t hand_out(struct imap_stream *s, void *data, size_t n, size_t left)
{
	n = n < left ? n : left;
	memcpy(data, s->in.data + s->in.start, n);
	buffer_consume(&s->in, n);
	return n;
}

/* Part of a literal: from what was read ahead, else straight from the stream. */
fiber_fn static struct err read_literal(struct imap_stream *s, void *data, size_t n, size_t *ret)
{
	struct err e;

	n = n < s->literal ? n : (size_t)s->literal;
	if (buffer_used(&s->in) > 0)
		*ret = hand_out(s, data, n, buffer_used(&s->in));
	else if (failed(e = etpan_link_read(&s->link, data, n, ret)))
		return e;
	s->literal -= *ret;
	return ok();
}

/* What libetpan is to have next. */
fiber_fn static struct err give(struct etpan_link *link, void *data, size_t n, size_t *ret)
{
	struct imap_stream *s = (struct imap_stream *)link;
	struct err e;

	if (s->ready == 0 && s->literal > 0)
		return read_literal(s, data, n, ret);
	if (failed(e = next_line(s)))
		return e;
	*ret = hand_out(s, data, n, s->ready);
	s->ready -= *ret;
	return ok();
}

static const struct etpan_link_ops link_ops = { .give = give, .take = etpan_link_write };

struct imap_stream *imap_stream_new(struct stream *stream, uint64_t timeout)
{
	struct imap_stream *s = mem_zalloc(1, sizeof(*s));

	etpan_link_init(&s->link, stream, timeout, &link_ops);
	imap_stream_expect(s);
	return s;
}

void imap_stream_free(struct imap_stream *s)
{
	if (!s)
		return;
	etpan_link_done(&s->link);
	buffer_wipe(&s->out);
	buffer_done(&s->in);
	free(s);
}

mailstream *imap_stream_open(struct imap_stream *s)
{
	return etpan_link_open(&s->link);
}

void imap_stream_fail(struct imap_stream *s, struct err e)
{
	etpan_link_fail(&s->link, e);
}

void imap_stream_expect(struct imap_stream *s)
{
	s->text_left = IMAP_TEXT_MAX;
	s->lengthy = false;
	s->bodies = 0;
	s->body_octets = 0;
	s->status[0] = '\0';
	if (buffer_used(&s->in) == 0)
		buffer_done(&s->in);
}

fiber_fn struct err imap_stream_peek(struct imap_stream *s, enum answer_kind *ret)
{
	struct err e = s->link.error;

	if (!failed(e))
		e = next_line(s);
	if (failed(e))
		imap_stream_fail(s, e);
	*ret = s->answer.kind;
	return e;
}

const char *imap_stream_take(struct imap_stream *s)
{
	char *line = buffer_data(&s->in);
	size_t end = s->ready - 1;

	if (end > 0 && line[end - 1] == '\r')
		end--;
	line[end] = '\0';
	buffer_consume(&s->in, s->ready);
	s->ready = 0;
	s->greeted = true;
	return line;
}

fiber_fn struct err imap_stream_flush(struct imap_stream *s)
{
	struct err e = s->link.error;

	if (!failed(e) && buffer_used(&s->out) > 0)
		e = etpan_link_write(&s->link, buffer_data(&s->out), buffer_used(&s->out));
	if (failed(e))
		imap_stream_fail(s, e);
	buffer_wipe(&s->out);
	return e;
}

fiber_fn struct err imap_stream_starttls(
	struct imap_stream *s, struct tls_context *context, const char *server_name)
{
	buffer_done(&s->in);
	s->ready = 0;
	s->literal = 0;
	s->answer = (struct answer){ 0 };
	s->news = (struct imap_news){ 0 };
	s->capabilities = (struct imap_capabilities){ 0 };
	s->status[0] = s->bye[0] = '\0';
	return etpan_link_starttls(&s->link, NULL, context, server_name);
}
