/*
 * value - one value of the configuration: from YAML text into a member, and back.
 *
 * Texts are copied into the arena. A value that is refused is reported at its own place, with what
 * was expected, and leaves the member as it was.
 */
#ifndef POPGATE_CONFIG_VALUE_H
#define POPGATE_CONFIG_VALUE_H

#include "config/keys.h"
#include "config/report.h"

struct scalar {
	const char *text; /* NUL-terminated */
	size_t length;    /* more than strlen where it holds a NUL */
	struct place at;
};

/* A scalar, or the scalars of a list. */
struct value {
	const struct scalar *items;
	size_t n;
	bool list;
	struct place at;
};

/* Where a value goes. */
struct setting {
	const struct key *key;
	void *member;
	const char *path;   /* as reports name the key */
	const char *folder; /* what relative paths are relative to; "": nothing */
	struct arena *arena;
	struct reports *reports;
};

/* Whether values of this type are lists. */
bool value_is_list(enum key_type type);
bool value_set(const struct setting *setting, const struct value *value);
/* The default, or empty where there is none. Reports nothing. */
void value_set_standard(const struct key *key, void *member, struct arena *arena);
/* Appends the member as one line of YAML. */
void value_format(const struct key *key, const void *member, struct buffer *out);
/* Appends a text as YAML, in quotes where it needs them. */
void value_format_text(const char *text, struct buffer *out);

#endif
