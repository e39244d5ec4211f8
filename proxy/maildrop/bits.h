/* bits - a fixed array of bits in an arena. */
#ifndef POPGATE_MAILDROP_BITS_H
#define POPGATE_MAILDROP_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proxy/runtime/mem.h"

#define BITS_PER_WORD 64

static inline size_t bits_words(size_t n)
{
	return n / BITS_PER_WORD + 1;
}

/* n bits, all clear. */
static inline uint64_t *bits_new(struct arena *arena, size_t n)
{
	return arena_zalloc(arena, bits_words(n), sizeof(uint64_t));
}

static inline bool bit_get(const uint64_t *bits, size_t i)
{
	return bits[i / BITS_PER_WORD] >> (i % BITS_PER_WORD) & 1;
}

static inline void bit_set(uint64_t *bits, size_t i)
{
	bits[i / BITS_PER_WORD] |= UINT64_C(1) << (i % BITS_PER_WORD);
}

static inline void bit_unset(uint64_t *bits, size_t i)
{
	bits[i / BITS_PER_WORD] &= ~(UINT64_C(1) << (i % BITS_PER_WORD));
}

static inline void bits_clear_all(uint64_t *bits, size_t n)
{
	memset(bits, 0, bits_words(n) * sizeof(*bits));
}

#endif
