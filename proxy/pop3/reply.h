/*
 * reply - the only place that writes POP3: status lines, response codes, multi-line endings.
 *
 * Owns:     its output buffer; borrows the stream.
 * How:      everything is appended and sent when the buffer is full or at reply_flush, so commands
 *           that came ahead are answered in one write (RFC 2449 section 6.6). An error of the
 * stream is kept: what follows is dropped, and reply_error_of tells. Handlers need not look.
 * Suspends: any function here may, when the buffer is full; reply_flush always.
 * Limits:   a status line is cut to 512 octets, CRLF included (RFC 1939 section 3).
 */
#ifndef POPGATE_POP3_REPLY_H
#define POPGATE_POP3_REPLY_H

#include <stdint.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/stream.h"

struct reply;

/* write_timeout: milliseconds a client may take nothing before it counts as gone. */
struct reply *reply_new(struct stream *stream, uint64_t write_timeout);
void reply_free(struct reply *reply); /* NULL-safe; drops what was not flushed */
/* What is sent is told to the transcript, which must outlive the reply. */
struct transcript;
void reply_transcribe(struct reply *reply, struct transcript *transcript);

/* "+OK text". */
fiber_fn void reply_ok(struct reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "-ERR text"; text may begin with a response code, "[AUTH] …". Text of ours only, never a server's
 * words or a client's. */
fiber_fn void reply_err(struct reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A SASL challenge: "+ " and base64 ("+ " alone for an empty one, RFC 5034 section 4). */
fiber_fn void reply_challenge(struct reply *reply, const char *base64);

/* A line of a multi-line response that cannot begin with ".". */
fiber_fn void reply_line(struct reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A line of LIST or UIDL: number SP value. Faster than reply_line. */
fiber_fn void reply_listing(struct reply *reply, size_t number, const char *value);
/* The same line, for a later reply_octets. */
void reply_put_listing(struct buffer *out, size_t number, const char *value);
/* The final "." of a multi-line response. */
fiber_fn void reply_end(struct reply *reply);

/* Octets of a message body, already in wire form. */
fiber_fn void reply_octets(struct reply *reply, const void *data, size_t n);

/* The same for who makes them in place: where up to *ret of the `wanted` octets go, some hundreds
 * at least, and how many were put there. */
fiber_fn char *reply_room(struct reply *reply, size_t wanted, size_t *ret);
void reply_filled(struct reply *reply, size_t n);

/* Sends what is buffered. */
fiber_fn struct err reply_flush(struct reply *reply);
/* Sends of it what goes without a wait, and drops the rest: the last word of a fiber that was
 * canceled. */
void reply_flush_now(struct reply *reply);
/* Gives back a large buffer before a long wait. */
void reply_idle(struct reply *reply);
/* The first error of the stream; ok as long as there is none. */
struct err reply_error_of(const struct reply *reply);
/* Milliseconds spent waiting for the client to take output. */
double reply_waited(const struct reply *reply);

/* The response code and text a client gets for an error: one table for all. */
const char *reply_text_for(enum err_scope scope);

#endif
