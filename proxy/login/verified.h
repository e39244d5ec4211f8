/*
 * verified - which passwords have lately fitted which hashes, so that a client that polls every
 * minute does not cost a slow hash each time.
 *
 * Per process. Kept is a keyed digest (HMAC-SHA-256, a random key per process) of hash and password
 * together, so a password or hash that changed is not found, and what lies in memory says nothing
 * without the key. Only proofs are kept: a wrong password costs its full work always.
 * Limits: VERIFIED_PLACES; older proofs give way.
 */
#ifndef POPGATE_LOGIN_VERIFIED_H
#define POPGATE_LOGIN_VERIFIED_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/runtime/secret.h"

#define VERIFIED_PLACES 4096

/* Whether this password was shown to fit this hash less than lifetime (ms) ago. */
bool verified_before(const char *hash, const struct secret *password, uint64_t lifetime);
/* It has been shown just now. */
void verified_note(const char *hash, const struct secret *password);

#endif
