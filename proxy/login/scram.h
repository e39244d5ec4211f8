/*
 * scram - what is kept of a password for SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677).
 *
 * In a users file: {SCRAM-SHA-256}ITERATIONS,SALT,STOREDKEY,SERVERKEY, the last three in base64:
 * Dovecot's form. Who reads it cannot log in by it, but can guess passwords, and pose as the server
 * to a client. The password is prepared by SASLprep; one that cannot be is nobody's.
 */
#ifndef POPGATE_LOGIN_SCRAM_H
#define POPGATE_LOGIN_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/secret.h"

#define SCRAM_SCHEME     "{SCRAM-SHA-256}"
#define SCRAM_ITERATIONS 100000 /* of new keys: about 30 ms; RFC 7677 section 4 asks for 4096 */
#define SCRAM_SALT_NEW   16     /* octets of new salts */
#define SCRAM_SALT_MAX   64
#define SCRAM_KEY        32 /* octets of a key: SHA-256 */

struct scram_keys {
	uint32_t iterations;
	size_t salt_length;
	unsigned char salt[SCRAM_SALT_MAX], stored_key[SCRAM_KEY], server_key[SCRAM_KEY];
};

/* Whether a text has the scheme, in any case; users.c makes it the one above. */
bool scram_is(const char *text);
/* Reads what follows the scheme; NULL, or what is wrong with it (static text). */
const char *scram_parse(const char *behind_scheme, struct scram_keys *ret);
/* Derives the two keys from the password, iterations and salt. Takes the time of the iterations;
 * for the thread pool. false: no password of anybody; the keys then fit none. */
bool scram_derive(const char *password, struct scram_keys *keys);
/* New keys as text for a users file, scheme included. Blocks. */
struct err scram_make(const char *password, char *ret, size_t n);

#endif
