/*
 * imap_set - sequence-sets of UIDs, in pieces that a command line can hold. Pure.
 */
#ifndef POPGATE_BACKENDS_IMAP_SET_H
#define POPGATE_BACKENDS_IMAP_SET_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/runtime/mem.h"

/* RFC 7162 section 4 lets a server refuse lines of more than 8192 octets. */
#define IMAP_SET_OCTETS 8000
/* An answer has a line for each. */
#define IMAP_SET_UIDS 10000

/* Appends the first of n UIDs (ascending, none twice) as a set and returns how many it took: all
 * that fit, at least one. "a:b" stands for UIDs that are all in the list, never for another. */
size_t imap_set(struct buffer *ret, const uint32_t *uids, size_t n);

#endif
