/*
 * downgrade_value - the structured values of header fields. Internal to downgrade. Pure.
 *
 * Values are unfolded: they hold no line ends.
 */
#ifndef POPGATE_POP3_DOWNGRADE_VALUE_H
#define POPGATE_POP3_DOWNGRADE_VALUE_H

#include "proxy/pop3/header_field.h"

/* The octets of the first lexeme of a text that is not empty: a quoted string, a comment, a domain
 * literal, else one octet (RFC 5322 section 3.2). What is not closed reaches to the end. */
size_t lexeme_length(struct text text);
/* The octets before the first of these characters that stands by itself, outside of other lexemes;
 * text.n when there is none. */
size_t lexemes_before(struct text text, const char *stops);
/* Appends text without the quotes of quoted strings and their backslashes. */
void unquote(struct text text, struct buffer *out);

/* An address list (RFC 5322 section 3.4). path: nothing but addresses, as in Return-Path. */
void downgrade_addresses(struct header_field *field, struct text value, bool path);
/* A value with parameters (RFC 2045 section 5.1); false when the value itself is not ASCII: what
 * was written is then of no use. */
bool downgrade_parameters(struct header_field *field, struct text value);

#endif
