#include "proxy/pop3/surrogate.h"

#include <string.h>

#include "proxy/pop3/downgrade.h"

static struct text collected(const struct surrogate *s)
{
	return (struct text){ s->header.data + s->header.start, buffer_used(&s->header) };
}

/* How many of the n octets belong to the header, the empty line too. */
static size_t header_part(struct surrogate *s, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n') {
			if (s->line == 0) {
				s->ended = true;
				return i + 1;
			}
			s->line = 0;
			s->after_cr = false;
			continue;
		}
		/* A CR counts once it turns out not to belong to the line's end. */
		s->line += s->after_cr;
		s->after_cr = data[i] == '\r';
		s->line += !s->after_cr;
	}
	return n;
}

/* The octets RETR makes of text: CRLF for a bare LF, and a last one. */
static int64_t wire_octets(struct text text)
{
	int64_t octets = (int64_t)text.n;

	for (size_t i = 0; i < text.n; i++)
		octets += text.at[i] == '\n' && (i == 0 || text.at[i - 1] != '\r');
	return octets + (text.n && text.at[text.n - 1] != '\n' ? 2 : 0);
}

static fiber_fn struct err pass(struct surrogate *s, struct text text)
{
	struct err e = ok();

	if (text.n)
		e = s->body->sink.write(&s->body->sink, text.at, text.n);
	s->sink.full = s->body->sink.full;
	return e;
}

static fiber_fn struct err pass_header(struct surrogate *s)
{
	struct text header = collected(s);
	struct buffer ascii = { 0 };
	struct err e;

	s->passed = true;
	if (header.n == 0)
		return ok();
	if (!downgrade_needed(header)) {
		e = pass(s, header);
	} else if (!s->ended && header.n == SURROGATE_HEADER_MAX) {
		s->refused = s->sink.full = true;
		e = ok();
	} else {
		downgrade_header(header, &ascii);
		header = (struct text){ ascii.data + ascii.start, buffer_used(&ascii) };
		s->body->gained = wire_octets(header) - wire_octets(collected(s));
		s->body->size += (uint64_t)s->body->gained;
		e = pass(s, header);
	}
	buffer_done(&ascii);
	buffer_done(&s->header);
	return e;
}

/* The header goes on beyond what is collected. */
static fiber_fn struct err pass_long(struct surrogate *s, struct text part)
{
	struct err e;

	buffer_append(&s->header, part.at, part.n);
	part = collected(s);
	for (size_t i = 0; i < part.n; i++)
		if ((unsigned char)part.at[i] >= 0x80)
			s->header.data[s->header.start + i] = '?';
	e = pass(s, part);
	buffer_consume(&s->header, part.n);
	return e;
}

static fiber_fn struct err surrogate_write(struct sink *sink, const void *data, size_t n)
{
	struct surrogate *s = (struct surrogate *)sink; /* its first member */
	struct text rest = { data, n };
	struct err e = ok();
	size_t used;

	if (sink->full)
		return ok();
	if (!s->passed) {
		n = SURROGATE_HEADER_MAX - buffer_used(&s->header);
		used = header_part(s, rest.at, rest.n < n ? rest.n : n);
		buffer_append(&s->header, rest.at, used);
		rest = text_from(rest, used);
		if (!s->ended && buffer_used(&s->header) < SURROGATE_HEADER_MAX)
			return ok();
		e = pass_header(s);
	}
	if (!failed(e) && !s->ended && !sink->full && rest.n) {
		used = header_part(s, rest.at, rest.n);
		e = pass_long(s, (struct text){ rest.at, used });
		rest = text_from(rest, used);
	}
	return failed(e) || sink->full ? e : pass(s, rest);
}

void surrogate_init(struct surrogate *s, struct body *body)
{
	*s = (struct surrogate){ .sink = { .write = surrogate_write }, .body = body };
}

fiber_fn struct err surrogate_finish(struct surrogate *s)
{
	return s->passed ? ok() : pass_header(s);
}

void surrogate_done(struct surrogate *s)
{
	buffer_done(&s->header);
}
