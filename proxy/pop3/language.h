/*
 * language - the languages that this server's texts are written in, for LANG (RFC 6856 section 3).
 * Pure.
 */
#ifndef POPGATE_POP3_LANGUAGE_H
#define POPGATE_POP3_LANGUAGE_H

struct language {
	const char *tag;  /* RFC 5646 */
	const char *name; /* in the language itself; UTF-8 */
};

/* All of them; a NULL tag ends the list. */
extern const struct language languages[];

/* The one that fits a basic language range best, by the lookup of RFC 4647 section 3.4: what a
 * range asks for more closely than there is gets the general. "*": the preferred one. NULL: none,
 * or not a range. */
const struct language *language_lookup(const char *range);

#endif
