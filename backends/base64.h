/*
 * base64 - base64 as SASL has it (RFC 4648 section 4). Pure.
 */
#ifndef POPGATE_BACKENDS_BASE64_H
#define POPGATE_BACKENDS_BASE64_H

#include <stdbool.h>

#include "proxy/runtime/mem.h"

/* How many octets it appends at most. */
static inline size_t base64_size(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* Appends n octets encoded. Makes room once, so that a buffer of secrets leaves no copy behind when
 * base64_size(n) was reserved before. */
void base64_encode(struct buffer *ret, const char *data, size_t n);

/* Appends what text holds. false when it is not exactly that. */
bool base64_decode(struct buffer *ret, const char *text);

#endif
