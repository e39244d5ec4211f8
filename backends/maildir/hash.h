/* hash - FNV-1a, for tables in memory. Start with FNV_OFFSET, or with what an earlier call gave. */
#ifndef POPGATE_MAILDIR_HASH_H
#define POPGATE_MAILDIR_HASH_H

#include <stddef.h>
#include <stdint.h>

#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME  0x100000001b3ULL

static inline uint64_t hash_add(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * FNV_PRIME;
	return h;
}

#endif
