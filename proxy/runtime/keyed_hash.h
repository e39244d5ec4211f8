/*
 * keyed_hash - SipHash-2-4: a 64-bit hash that nobody can aim at without its key.
 *
 * For tables indexed by what clients choose (addresses, login names). Distinct inputs count as
 * distinct: that two of them meet is less likely than a broken memory cell.
 */
#ifndef POPGATE_RUNTIME_KEYED_HASH_H
#define POPGATE_RUNTIME_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k[2];
};

/* A random key. Made before the fork, it is the same in all processes. */
struct hash_key hash_key_new(void);

uint64_t keyed_hash(const struct hash_key *key, const void *data, size_t n);

#endif
