/*
 * hash - password hashes: which forms are accepted, what they cost, whether a password fits.
 *
 * Accepted: yescrypt $y$, bcrypt $2a$ $2b$ $2y$, SHA-512 $6$, SHA-256 $5$ (crypt(5), by libxcrypt),
 * argon2id and argon2i in encoded form (by libargon2), and SCRAM keys (scram.h). Dovecot's scheme
 * prefixes may precede them; before SCRAM keys theirs must.
 * Suspends: hash_verify only (the work is done in the thread pool, a bounded number at a time).
 * Limits:   a hash that asks for more than about 1 GiB or many seconds is refused by hash_check.
 * Errors:   none is logged.
 */
#ifndef POPGATE_LOGIN_HASH_H
#define POPGATE_LOGIN_HASH_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/secret.h"

#define HASH_MAX          384 /* octets of a hash with its NUL: CRYPT_OUTPUT_SIZE */
#define HASH_PASSWORD_MAX 511 /* the longest password crypt(3) takes */

/* A hash of the cost that hash_make gives, whose password nobody knows. */
extern const char hash_nobody[];

/* text behind its scheme prefix ({CRYPT}, {BLF-CRYPT}, {SHA512-CRYPT}, {SHA256-CRYPT}, {ARGON2ID},
 * {ARGON2I}, in any case); text itself without one, or with that of SCRAM keys, which belongs to
 * them; NULL when the scheme is another. */
const char *hash_skip_scheme(const char *text);

/* NULL when the hash (without a scheme prefix) can be verified, else what is wrong with it; both
 * static texts. *ret_kind is then "yescrypt", "bcrypt", "sha512", "sha256", "argon2id",
 * "argon2i" or "scram-sha-256". */
const char *hash_check(const char *hash, const char **ret_kind);

/* How many octets of an acceptable hash say kind and parameters, before the salt: what its
 * computation costs. */
size_t hash_cost_length(const char *hash);

/* Whether the password fits. The work spent does not depend on the answer, nor on whether the
 * password can be one at all (too long, NUL inside). hash and password are borrowed.
 * ERR_TEMP: the hash cannot be computed; ERR_TIMEOUT, ERR_CANCELED while waiting for a place. */
fiber_fn struct err hash_verify(const char *hash, const struct secret *password, bool *ret);

enum hash_form {
	HASH_FORM_YESCRYPT, /* with the library's default cost */
	HASH_FORM_SCRAM,    /* SCRAM keys of SCRAM_ITERATIONS */
};
/* A new hash. Blocks. ERR_INVALID: the password is empty, too long, holds a NUL, or for SCRAM what
 * SASLprep forbids. */
struct err hash_make(enum hash_form form, const struct secret *password, char ret[HASH_MAX]);

/* For tests: seen is called once per computation with kind and parameters of the hash ("$y$j9T$");
 * NULL ends it. */
void hash_observe(void (*seen)(const char *cost, void *arg), void *arg);

#endif
