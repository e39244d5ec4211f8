/*
 * uidl_format - templates of uidl.format: what an older server made its unique-ids of.
 *
 * Text with %{NAME} in it, or %{NAME:FORM} for a number: FORM is hex, HEX (upper case) or dec, with
 * a width from 1 to 32 behind it that zeros fill up: Dovecot's default is
 * "%{uid:hex8}%{uidvalidity:hex8}". A % without a brace stands for itself. Pure functions.
 */
#ifndef POPGATE_CONFIG_UIDL_FORMAT_H
#define POPGATE_CONFIG_UIDL_FORMAT_H

#include <stdbool.h>

#include "config/keys.h"

/* The names, ended by NULL. */
extern const struct choice uidl_format_names[];

/* The first %{…} that is none, as arena text: name or form is not known, the form does not suit, or
 * it does not end; NULL when all are good. */
const char *uidl_format_unknown(const char *text, struct arena *arena);

/* Whether %{name}, with a form or without, occurs. */
bool uidl_format_uses(const char *text, const char *name);

/* What is known of a message. */
struct uidl_values {
	uint32_t uid, uidvalidity; /* 0: unknown */
	/* NULL or "": unknown */
	const char *filename; /* Maildir: base name, up to ":2," */
	const char *emailid;  /* as backend_message has it: its prefix is left out */
	const char *guid;
};

/* Appends the filled text, without a NUL. false: something that it needs is not known, or is no
 * number and has a form; out holds a part then. */
bool uidl_format_fill(const char *format, const struct uidl_values *values, struct buffer *out);

#endif
