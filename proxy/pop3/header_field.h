/*
 * header_field - writes one header field in ASCII: words, RFC 2047 encoded-words, folding.
 *
 * Lines of at most 76 octets wherever a space allows it (RFC 2047 section 2). Encoded-words are Q
 * alone: what is mostly Latin stays readable in a client that decodes nothing. Octets that are no
 * UTF-8 get the charset unknown-8bit (RFC 1428). Pure.
 */
#ifndef POPGATE_POP3_HEADER_FIELD_H
#define POPGATE_POP3_HEADER_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/mem.h"

/* Octets of a header, borrowed. */
struct text {
	const char *at;
	size_t n;
};

struct header_field {
	struct buffer *out; /* appended to */
	size_t column;      /* octets of the line so far */
	bool glued;         /* the next word stands directly behind what is there */
	bool after_encoded; /* the last word is an encoded-word */
};

bool text_is_ascii(struct text text);
/* Without the spaces and tabs around it. */
struct text text_trim(struct text text);
/* All behind its first n octets. */
static inline struct text text_from(struct text text, size_t n)
{
	return (struct text){ text.at + n, text.n - n };
}

/* "Name:"; an empty name begins a line that is no field. */
void field_begin(struct header_field *field, struct buffer *out, struct text name);
void field_end(struct header_field *field);

/* An ASCII word, behind a space or on a new line. */
void field_word(struct header_field *field, struct text word);
/* ASCII directly behind what is there. */
void field_glue(struct header_field *field, const char *text);
/* The same before the next word, which then follows directly: "(". */
void field_open(struct header_field *field, const char *text);
/* Any octets, as encoded-words, spaces and all. */
void field_encoded(struct header_field *field, struct text text);
/* Words between spaces: those in ASCII stay, the others are encoded. */
void field_text(struct header_field *field, struct text text);

#endif
