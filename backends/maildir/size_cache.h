/*
 * size_cache - measured sizes of this process, so that a poller's messages are read once where
 * nothing else remembers them (no state).
 *
 * Bounded: SIZE_CACHE_ENTRIES, the longest unused of a few goes for a new one. Used by the loop's
 * thread only. No fiber.
 */
#ifndef POPGATE_MAILDIR_SIZE_CACHE_H
#define POPGATE_MAILDIR_SIZE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define SIZE_CACHE_WAYS    4
#define SIZE_CACHE_SETS    49152
#define SIZE_CACHE_ENTRIES (SIZE_CACHE_WAYS * SIZE_CACHE_SETS)

/* One content of one file. A rename leaves it as it is; a write does not. */
struct size_key {
	uint64_t name; /* hash of the device and the base name */
	uint64_t inode, size;
	int64_t mtime; /* nanoseconds */
};

struct size_key size_key_of(const struct stat *st, const char *base);
bool size_key_equal(const struct size_key *a, const struct size_key *b);

bool size_cache_get(const struct size_key *key, uint64_t *ret);
void size_cache_put(const struct size_key *key, uint64_t octets);

#endif
