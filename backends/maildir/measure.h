/*
 * measure - how many octets RETR sends for a stored message, before dot-stuffing.
 *
 * A bare LF counts as CRLF, a CRLF and a bare CR as they are, and what does not end in LF gets a
 * CRLF; an empty message stays empty. Resumable, so that a huge file does not hold a thread.
 */
#ifndef POPGATE_MAILDIR_MEASURE_H
#define POPGATE_MAILDIR_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialise. */
struct measure {
	uint64_t octets; /* read so far */
	uint64_t bare;   /* LFs without a CR before them */
	char last;
};

void measure_add(struct measure *measure, const char *data, size_t n);

/* The result, at the end of the file. */
uint64_t measure_end(const struct measure *measure);

#endif
