#include "proxy/pop3/body.h"

#include <string.h>

static fiber_fn void start(struct body *body)
{
	if (body->started)
		return;
	body->started = true;
	if (body->top)
		reply_ok(body->reply, "top of message follows");
	else
		reply_ok(body->reply, "%llu octets", (unsigned long long)body->size);
}

static char *put(char *to, const char *span, size_t n)
{
	return (char *)memcpy(to, span, n) + n;
}

/*
 * Writes n octets in wire form, twice as many at most, and returns their end. Spans as large as can
 * be are copied untouched: a line end inside one needs nothing when it is CRLF and the next line
 * does not begin with ".". Only where a fix is due is the span cut.
 */
static char *convert_piece(struct body *body, const char *data, size_t n, char *to)
{
	const char *end = data + n, *span = data, *at = data;

	while (at < end) {
		const char *lf;

		if (body->line_start && *at == '.') {
			to = put(to, span, (size_t)(at - span));
			*to++ = '.';
			body->dots++;
			span = at;
		}
		body->line_start = false;
		lf = memchr(at, '\n', (size_t)(end - at));
		if (!lf)
			break;
		if (lf > data ? lf[-1] != '\r' : !body->after_cr) {
			to = put(to, span, (size_t)(lf - span));
			*to++ = '\r';
			span = lf;
		}
		body->line_start = true;
		at = lf + 1;
	}
	body->after_cr = end[-1] == '\r';
	return put(to, span, (size_t)(end - span));
}

static fiber_fn void convert(struct body *body, const char *data, size_t n)
{
	while (n > 0) {
		size_t room;
		char *to = reply_room(body->reply, 2 * n, &room);
		size_t piece = n < room / 2 ? n : room / 2, made;

		body->dots = 0;
		made = (size_t)(convert_piece(body, data, piece, to) - to);
		reply_filled(body->reply, made);
		body->octets += made - body->dots;
		data += piece;
		n -= piece;
	}
}

/* How many of the n octets belong to the header and the wanted body lines. Sets full when that is
 * all there is to send. An empty line is LF or CRLF at the start of a line. */
static size_t top_part(struct body *body, const char *data, size_t n)
{
	const char *end = data + n, *at = data;
	bool line_start = body->line_start;

	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t length;

		if (!lf)
			break;
		length = (size_t)(lf - at);
		if (body->in_header) {
			bool bare = length == 0 && (line_start || body->header_cr);
			bool crlf = length == 1 && *at == '\r' && line_start;

			body->in_header = !(bare || crlf);
		} else if (body->lines) {
			body->lines--;
		}
		at = lf + 1;
		line_start = true;
		body->header_cr = false;
		if (!body->in_header && !body->lines) {
			body->sink.full = true;
			return (size_t)(at - data);
		}
	}
	/* A piece may end between the CR and the LF of the empty line. */
	if (at < end)
		body->header_cr = line_start && end - at == 1 && *at == '\r';
	return n;
}

static fiber_fn struct err body_write(struct sink *sink, const void *data, size_t n)
{
	struct body *body = (struct body *)sink; /* its first member */

	if (sink->full)
		return ok();
	start(body);
	if (body->top)
		n = top_part(body, data, n);
	convert(body, data, n);
	return reply_error_of(body->reply);
}

void body_retr(struct body *body, struct reply *reply, uint64_t size)
{
	*body = (struct body){
		.sink = { .write = body_write },
		.reply = reply,
		.size = size,
		.waited = reply_waited(reply),
		.line_start = true,
	};
}

void body_top(struct body *body, struct reply *reply, uint64_t lines)
{
	body_retr(body, reply, 0);
	body->top = true;
	body->in_header = true;
	body->lines = lines;
}

fiber_fn void body_finish(struct body *body)
{
	start(body);
	if (!body->line_start) {
		reply_octets(body->reply, "\r\n", 2);
		body->octets += 2;
	}
	reply_end(body->reply);
}
