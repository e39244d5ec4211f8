/*
 * secret - a password or token in memory that is wiped when it goes.
 *
 * The type has no string accessor and the log takes no type that holds one, so a secret can only
 * get out through secret_data, which a reviewer can grep for. Bounded by SECRET_MAX (OAuth tokens
 * of several KiB occur). Owned by whoever made it; secret_free wipes.
 */
#ifndef POPGATE_RUNTIME_SECRET_H
#define POPGATE_RUNTIME_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/mem.h"

#define SECRET_MAX 65536

struct secret;

/* A copy of n octets (n <= SECRET_MAX, else NULL). The caller wipes its own source. */
struct secret *secret_new(const void *data, size_t n);
/* The content of a file less one final newline; ERR_INVALID names the file, also an empty one.
 * Blocks: not in a worker. */
struct err secret_from_file(const char *path, struct secret **ret);
struct secret *secret_copy(const struct secret *secret);
void secret_free(struct secret *secret); /* NULL-safe, wipes */
/* The octets (always followed by a NUL that does not count). Borrowed. */
const char *secret_data(const struct secret *secret);
size_t secret_length(const struct secret *secret);
/* Whether both hold the same octets, in time that depends on the lengths only. */
bool secret_equal(const struct secret *a, const struct secret *b);
DEFINE_CLEANUP(secret, secret_free)

#endif
