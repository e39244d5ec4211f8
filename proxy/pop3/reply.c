#include "proxy/pop3/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proxy/pop3/transcript.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

#define LINE_MAX_OCTETS 512   /* RFC 1939 section 3: a response line, CRLF included */
#define FLUSH_AT        65536 /* four full TLS records, and few system calls for a large body */
#define LARGE           (4 * FLUSH_AT) /* so much at once is sent without being copied */
#define ROOM            1024           /* less is not worth making something in */
#define KEEP_WHEN_IDLE  4096           /* a sleeping session keeps no large buffer */

struct reply {
	struct stream *stream;
	uint64_t write_timeout;
	struct transcript *transcript; /* NULL: none */
	struct buffer out;
	struct err error;
	uint64_t waited_ns;
};

struct reply *reply_new(struct stream *stream, uint64_t write_timeout)
{
	struct reply *reply = mem_zalloc(1, sizeof(*reply));

	reply->stream = stream;
	reply->write_timeout = write_timeout;
	reply->error = ok();
	return reply;
}

void reply_transcribe(struct reply *reply, struct transcript *transcript)
{
	reply->transcript = transcript;
}

void reply_free(struct reply *reply)
{
	if (!reply)
		return;
	buffer_done(&reply->out);
	free(reply);
}

/* The deadline is for a client that takes nothing: each piece that it takes begins a new one. */
fiber_fn static void send_some(struct reply *reply, const char *data, size_t n, size_t *ret)
{
	deadline(reply->write_timeout);
	reply->error = stream_write_some(reply->stream, data, n, ret);
	transcript_server(reply->transcript, data, *ret);
}

fiber_fn struct err reply_flush(struct reply *reply)
{
	uint64_t start = uv_hrtime();
	size_t n;

	while (!failed(reply->error) && (n = buffer_used(&reply->out)) > 0) {
		size_t taken = 0;

		send_some(reply, buffer_data(&reply->out), n, &taken);
		buffer_consume(&reply->out, taken);
	}
	if (failed(reply->error))
		buffer_consume(
			&reply->out, buffer_used(&reply->out)); /* nobody is there to take it */
	reply->waited_ns += uv_hrtime() - start;
	return reply->error;
}

void reply_flush_now(struct reply *reply)
{
	size_t n = buffer_used(&reply->out);

	if (n > 0 && !failed(reply->error))
		transcript_server(reply->transcript, buffer_data(&reply->out),
			stream_write_now(reply->stream, buffer_data(&reply->out), n));
	buffer_consume(&reply->out, n);
}

/* The end of what one call appends: sends when enough has gathered. */
fiber_fn static void appended(struct reply *reply)
{
	if (buffer_used(&reply->out) < FLUSH_AT)
		return;
	/* A failure is kept in reply->error, where the session looks before its next wait. */
	struct err e = reply_flush(reply);
	(void)e;
}

struct err reply_error_of(const struct reply *reply)
{
	return reply->error;
}

double reply_waited(const struct reply *reply)
{
	return (double)reply->waited_ns / 1e6;
}

__attribute__((format(printf, 3, 0))) static void put_line(
	struct reply *reply, const char *prefix, const char *format, va_list args)
{
	char *line = buffer_reserve(&reply->out, LINE_MAX_OCTETS + 1);
	size_t used = strlen(prefix);
	int n;

	memcpy(line, prefix, used);
	n = vsnprintf(line + used, LINE_MAX_OCTETS - 1 - used, format, args);
	if (n > 0)
		used += (size_t)n;
	if (used > LINE_MAX_OCTETS - 2)
		used = LINE_MAX_OCTETS - 2;
	memcpy(line + used, "\r\n", 2);
	reply->out.end += used + 2;
}

fiber_fn void reply_ok(struct reply *reply, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(reply, "+OK ", format, args);
	va_end(args);
	appended(reply);
}

fiber_fn void reply_err(struct reply *reply, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(reply, "-ERR ", format, args);
	va_end(args);
	appended(reply);
}

fiber_fn void reply_line(struct reply *reply, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(reply, "", format, args);
	va_end(args);
	appended(reply);
}

fiber_fn void reply_challenge(struct reply *reply, const char *base64)
{
	/* Challenges are not bounded by the length of a status line (RFC 5034 section 4). */
	buffer_append(&reply->out, "+ ", 2);
	buffer_append(&reply->out, base64, strlen(base64));
	buffer_append(&reply->out, "\r\n", 2);
	appended(reply);
}

void reply_put_listing(struct buffer *out, size_t number, const char *value)
{
	char digits[24];
	size_t at = sizeof(digits), length = strlen(value);
	char *line = buffer_reserve(out, sizeof(digits) + length + 3);
	size_t n;

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	n = sizeof(digits) - at;
	memcpy(line, digits + at, n);
	line[n++] = ' ';
	memcpy(line + n, value, length);
	n += length;
	memcpy(line + n, "\r\n", 2);
	out->end += n + 2;
}

fiber_fn void reply_listing(struct reply *reply, size_t number, const char *value)
{
	reply_put_listing(&reply->out, number, value);
	appended(reply);
}

fiber_fn void reply_end(struct reply *reply)
{
	buffer_append(&reply->out, ".\r\n", 3);
	appended(reply);
}

/* Behind what is gathered, from where it lies; leaves less than FLUSH_AT of it. */
fiber_fn static void send_large(struct reply *reply, const char **at, size_t *n)
{
	uint64_t start;

	(void)failed(reply_flush(reply));
	start = uv_hrtime();
	while (*n >= FLUSH_AT && !failed(reply->error)) {
		size_t taken = 0;

		send_some(reply, *at, *n, &taken);
		*at += taken;
		*n -= taken;
	}
	reply->waited_ns += uv_hrtime() - start;
}

fiber_fn void reply_octets(struct reply *reply, const void *data, size_t n)
{
	const char *at = data;

	if (n >= LARGE)
		send_large(reply, &at, &n);
	while (n && !failed(reply->error)) {
		size_t room = FLUSH_AT - buffer_used(&reply->out);
		size_t piece = n < room ? n : room;

		buffer_append(&reply->out, at, piece);
		at += piece;
		n -= piece;
		appended(reply);
	}
}

fiber_fn char *reply_room(struct reply *reply, size_t wanted, size_t *ret)
{
	size_t room;

	if (buffer_used(&reply->out) > FLUSH_AT - ROOM)
		(void)failed(reply_flush(reply));
	room = FLUSH_AT - buffer_used(&reply->out);
	*ret = wanted < room ? wanted : room;
	return buffer_reserve(&reply->out, *ret);
}

void reply_filled(struct reply *reply, size_t n)
{
	/* There is nobody to take it. */
	if (!failed(reply->error))
		reply->out.end += n;
}

void reply_idle(struct reply *reply)
{
	if (!buffer_used(&reply->out) && reply->out.size > KEEP_WHEN_IDLE)
		buffer_done(&reply->out);
}

const char *reply_text_for(enum err_scope scope)
{
	switch (scope) {
	case ERR_AUTH:
		return "[AUTH] login failed: wrong user name or password";
	case ERR_IN_USE:
		return "[IN-USE] the maildrop is in use by other sessions, try again later";
	case ERR_TOO_SOON:
		return "[LOGIN-DELAY] too soon after your last login, try again later";
	case ERR_PERM:
		return "[SYS/PERM] the mailbox cannot be opened, the administrator must see to it";
	case ERR_MESSAGE:
		return "[SYS/TEMP] this message cannot be read at the moment";
	case ERR_GONE:
		return "message is no longer in the mailbox";
	case ERR_LIMIT:
		return "[SYS/TEMP] a limit of this server is reached, try again later";
	default:
		return "[SYS/TEMP] the mailbox cannot be reached at the moment, try again later";
	}
}
