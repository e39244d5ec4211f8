/*
 * json - one JSON value on standard output, member by member, for verbs that scripts read.
 *
 * Zero-initialise. key: the member's name; NULL for an item of a list, and for the value itself.
 * Texts may be anybody's: what is not UTF-8 becomes U+FFFD.
 */
#ifndef POPGATE_VERBS_JSON_H
#define POPGATE_VERBS_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct verb_json {
	bool comma; /* something stands before in this list or object */
};

/* bracket: '{' or '['; each is ended by its counterpart. */
void verb_json_begin(struct verb_json *json, const char *key, char bracket);
void verb_json_end(struct verb_json *json, char bracket);
/* NULL: null. */
void verb_json_text(struct verb_json *json, const char *key, const char *text);
void verb_json_uint(struct verb_json *json, const char *key, uint64_t n);
void verb_json_bool(struct verb_json *json, const char *key, bool b);
/* Milliseconds, of nanoseconds. */
void verb_json_ms(struct verb_json *json, const char *key, uint64_t nanoseconds);
/* The newline behind the whole value. */
void verb_json_done(struct verb_json *json);

#endif
