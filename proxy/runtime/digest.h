/*
 * digest - HMAC-SHA-256 under a random key of this process: equal for equal texts, and whoever
 * reads it in memory learns nothing without the key. For finding out whether a secret is the one
 * that was right before.
 */
#ifndef POPGATE_RUNTIME_DIGEST_H
#define POPGATE_RUNTIME_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_SIZE 32

struct digest {
	unsigned char octets[DIGEST_SIZE];
};

struct digest_part {
	const void *data;
	size_t n;
};

/* Of several texts; each one's length counts, so that no two lists of texts are alike. */
struct digest digest_of(const struct digest_part *parts, size_t n);

/* In constant time. */
bool digest_equal(const struct digest *a, const struct digest *b);

#endif
