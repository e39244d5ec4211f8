/*
 * body - the sink between a backend and a RETR or TOP answer: status line, CRLF, dot-stuffing, TOP.
 *
 * The status line goes out with the first octets, not before: a message that cannot be read gets
 * -ERR instead. Line ends: CRLF stays, a bare LF becomes CRLF, so that no message can hold a forged
 * end; a bare CR stays; an unterminated last line gets a CRLF (RFC 1939 section 3, MS-STANXPOP3
 * C0011). TOP counts body lines after the first empty line (RFC 1939 section 7).
 */
#ifndef POPGATE_POP3_BODY_H
#define POPGATE_POP3_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/sink.h"
#include "proxy/pop3/reply.h"

struct body {
	struct sink sink; /* to be given to the backend */
	struct reply *reply;
	uint64_t size;   /* named in the status line */
	uint64_t octets; /* sent so far with CRLF line ends, before dot-stuffing */
	uint64_t lines;  /* TOP: body lines still wanted */
	size_t dots;     /* stuffed into the last piece */
	double waited;   /* of reply_waited, at the start */
	int64_t gained;  /* of octets: what a sink before this one has added to the message */
	bool top;
	bool in_header;  /* TOP: the empty line has not come yet */
	bool header_cr;  /* TOP: the last piece ended in a CR that may belong to the empty line */
	bool started;    /* the status line is out */
	bool line_start; /* the next octet begins a line */
	bool after_cr;   /* the last octet was CR */
};

/* For RETR: all of the message; size is what the status line says. */
void body_retr(struct body *body, struct reply *reply, uint64_t size);
/* For TOP: the headers, the empty line, `lines` lines of the body. */
void body_top(struct body *body, struct reply *reply, uint64_t lines);
/* After the backend's ok: terminates the last line and the response. Not to be called otherwise: a
 * message cut off must never look complete. */
fiber_fn void body_finish(struct body *body);

#endif
