/*
 * reference - the reference of the configuration, made from the table of keys (config/keys.h):
 * docs/configuration.md and the man page popgate.yaml(5) are one text in two formats.
 *
 * Texts are UTF-8; in them `…` is what is typed as it stands. No part of the gateway.
 */
#ifndef POPGATE_CONFIG_REFERENCE_H
#define POPGATE_CONFIG_REFERENCE_H

#include <stdbool.h>
#include <stdio.h>

struct reference_key {
	const char *name;     /* the whole path in its block */
	const char *expected; /* what may stand there */
	const char *standard; /* the default, as YAML; NULL: the key is required */
	const char *help;     /* sentences */
	bool not_yet;         /* accepted, without effect */
};

/* How it is written; called in the order of the text. */
struct reference_format {
	void (*begin)(FILE *out);
	void (*chapter)(FILE *out, const char *title);
	/* A section or a list of blocks, by its key. */
	void (*section)(FILE *out, const char *name);
	void (*paragraph)(FILE *out, const char *text);
	void (*example)(FILE *out, const char *text);
	void (*keys_begin)(FILE *out);
	void (*key)(FILE *out, const struct reference_key *key);
	void (*keys_end)(FILE *out);
	void (*end)(FILE *out);
};

extern const struct reference_format reference_markdown, reference_man;

void reference_write(const struct reference_format *format, FILE *out);

#endif
