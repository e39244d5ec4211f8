/*
 * oauth_keys - the keys of a provider (JWKS, RFC 7517), and tokens signed with them (JWS, RFC
 * 7515), by libcjose.
 *
 * Taken: RS256/384/512, PS256/384/512 with RSA keys of 2048 bits at least; ES256/384/512 with a key
 * of the curve that belongs to it (RFC 7518 section 3.4). Nothing else: no "none", no HMAC, for
 * which the provider's public key would be the secret; no critical extensions (RFC 7515
 * section 4.1.11). Everything here recurses over JSON of others: for a thread's stack, not a
 * fiber's. A set of keys is immutable and may be used by several threads. Internal to proxy/login.
 */
#ifndef POPGATE_LOGIN_OAUTH_KEYS_H
#define POPGATE_LOGIN_OAUTH_KEYS_H

#include <jansson.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/secret.h"

#define OAUTH_KEYS_MAX 64

struct oauth_keys;

/* Keys of other kinds or uses are left out. ERR_TEMP: this is no set of keys, or none of it is of
 * use. */
struct err oauth_keys_parse(const char *text, size_t n, struct oauth_keys **ret);
void oauth_keys_free(struct oauth_keys *keys); /* NULL-safe */

/* The claims of a token whose signature is right; json_decref them. ERR_AUTH: it is no JWT that we
 * take, its signature is wrong, or its key is not among these: then *ret_unknown, for newer ones
 * may have it. */
struct err oauth_keys_verify(const struct oauth_keys *keys, const struct secret *token,
	json_t **ret_claims, bool *ret_unknown);

#endif
