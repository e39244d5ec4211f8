/*
 * line - bounded line reader over a struct stream.
 *
 * Owns:     its buffer, wiped when lines held secrets (line_wipe) and at the end.
 * Lifetime: a returned line is valid until the next call on the same reader.
 * Suspends: line_read only.
 * Limits:   given per call, line end included. A longer line is reported once as ERR_LIMIT and then
 *           discarded up to its LF, whatever its length, in constant memory; the reader goes on.
 *           Long lines of all readers share LINE_LONG_OCTETS; while those are taken, a line of more
 *           than some 7 KiB is too long, so that unfinished lines cannot use up the memory.
 * Errors:   ERR_LIMIT, ERR_PEER (also at an orderly end: detail "connection closed"), ERR_TIMEOUT,
 *           ERR_CANCELED.
 */
#ifndef POPGATE_RUNTIME_LINE_H
#define POPGATE_RUNTIME_LINE_H

#include "proxy/runtime/stream.h"

/* Per process. */
#define LINE_LONG_OCTETS (16UL * 1024 * 1024)

struct line_reader;

struct line {
	char *text; /* without its CRLF or LF; may hold NUL; followed by a NUL that does not count
		     */
	size_t length;
};

struct line_reader *line_reader_new(struct stream *stream); /* borrows the stream */
void line_reader_free(struct line_reader *reader);          /* NULL-safe, wipes */

/* The next line; a bare LF ends one too. max counts the line end (RFC 1939 section 3). */
fiber_fn struct err line_read(struct line_reader *reader, size_t max, struct line *ret);
/* Whether line_read would return without suspending (pipelined input): also true at end of input
 * that is known already. Looks at the buffer only, never at the socket. */
bool line_ready(const struct line_reader *reader);
/* Overwrites everything in the buffer but what is not yet consumed. */
void line_wipe(struct line_reader *reader);
/* Drops everything that came but was not consumed: for STLS. */
void line_discard_input(struct line_reader *reader);

#endif
