/*
 * mutf7 - modified UTF-7, as IMAP spells mailbox names (RFC 3501 section 5.1.3) and Dovecot and
 * Courier spell the folders of a Maildir. Pure.
 */
#ifndef POPGATE_BACKENDS_MUTF7_H
#define POPGATE_BACKENDS_MUTF7_H

#include <stdbool.h>

#include "proxy/runtime/mem.h"

/* Appends n octets of UTF-8 to out; false when they are not UTF-8 or hold control characters. */
bool mutf7_append(struct buffer *out, const char *text, size_t n);

#endif
