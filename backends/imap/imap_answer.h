/*
 * imap_answer - judges a server's answer line by line, before anybody parses it.
 *
 * libetpan recurses on parentheses without a limit and trusts sizes, so only what was seen here to
 * be sound and asked for gets through to it: FETCH and the tagged line. Quoted strings and literals
 * are read exactly as libetpan reads them; where the two could differ, the line is refused. Pure:
 * no I/O, no fiber.
 */
#ifndef POPGATE_BACKENDS_IMAP_ANSWER_H
#define POPGATE_BACKENDS_IMAP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/runtime/err.h"

/* libetpan takes 0.45 KiB of stack for each parenthesis that is open. */
#define IMAP_NESTING_MAX 64
/* A line with its strings; message bodies do not count. The longest honest one is a COPYUID. */
#define IMAP_LINE_MAX 65536
/* libetpan counts a literal in 32 bits, and adds to it. */
#define IMAP_LITERAL_MAX (UINT32_MAX - 65536)

enum answer_kind {
	ANSWER_TAGGED,   /* the end of an answer */
	ANSWER_CONTINUE, /* "+": the server asks for more of the command */
	ANSWER_BYE,      /* "* BYE": the server closes */
	ANSWER_PREAUTH,  /* "* PREAUTH" */
	ANSWER_OK,       /* "* OK" */
	ANSWER_TEXT,     /* "* NO", "* BAD" */
	ANSWER_FETCH,    /* "* n FETCH (" */
	ANSWER_IGNORED,  /* anything else that is untagged */
	ANSWER_NONE,     /* neither of these, nor a tag of ours */
};

/* A logical line: physical ones joined by literals. Zero-initialise before the first. */
struct answer {
	enum answer_kind kind;
	unsigned depth; /* parentheses open so far */
	size_t octets;  /* so far, message bodies not counted */
	bool continued; /* the next physical line belongs to it */
};

/* The literal that a physical line ends in. */
struct answer_literal {
	bool present;
	bool body; /* follows BODY[…]: a message or a part of one */
	uint64_t octets;
};

/* Takes the next physical line, its LF included, and says which literal follows it. ERR_TEMP when
 * the line breaks a limit or the grammar; then nothing more may be taken. Octets of a TAGGED or
 * BYE line that are no printable US-ASCII are replaced in place. */
struct err answer_line(
	struct answer *answer, char *line, size_t n, struct answer_literal *ret_literal);

#endif
