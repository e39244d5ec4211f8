/*
 * imap_text - reads what is left of a line, piece by piece. Pure.
 *
 * Each function takes what it names from the front and returns true, or says false; then it may
 * have taken a part of it.
 */
#ifndef POPGATE_BACKENDS_IMAP_TEXT_H
#define POPGATE_BACKENDS_IMAP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct imap_text {
	const char *p, *end;
};

/* A line without its line end. */
struct imap_text imap_text_of_line(const char *line, size_t n);

bool imap_text_skip(struct imap_text *text, char c);
/* In any case. Nothing is taken when it is not there. */
bool imap_text_skip_word(struct imap_text *text, const char *word);
bool imap_text_skip_quoted(struct imap_text *text);
/* The octets up to a space, a parenthesis, a quote or a brace: how many. */
size_t imap_text_skip_atom(struct imap_text *text);
/* Decimal, of at most max. */
bool imap_text_number(struct imap_text *text, uint64_t max, uint64_t *ret);

#endif
