/*
 * surrogate - the sink before a body sink that gives a client without UTF8 a header in ASCII.
 *
 * The header is collected, at most SURROGATE_HEADER_MAX octets of it, and passed on as downgrade.h
 * writes it; the body goes through untouched. A longer header goes through as it is while it is
 * ASCII, and from there on a question mark stands for each octet that is not; where it is not ASCII
 * from the start the message is refused: nothing is passed on (RFC 6856 section 5).
 * Suspends: where the body sink does.
 */
#ifndef POPGATE_POP3_SURROGATE_H
#define POPGATE_POP3_SURROGATE_H

#include "proxy/pop3/body.h"
#include "proxy/runtime/mem.h"

#define SURROGATE_HEADER_MAX (256 << 10)

struct surrogate {
	struct sink sink; /* to be given to the backend */
	struct body *body;
	struct buffer header;
	size_t line;   /* octets of the header's current line so far, its CR left out */
	bool after_cr; /* the last octet of the header was CR */
	bool ended;    /* the header did */
	bool passed;   /* what was collected is passed on */
	bool refused;  /* the client needs UTF8 to get this message */
};

void surrogate_init(struct surrogate *surrogate, struct body *body);
/* After the backend's ok: passes on a header that no body followed. */
fiber_fn struct err surrogate_finish(struct surrogate *surrogate);
void surrogate_done(struct surrogate *surrogate);

#endif
