/*
 * sasl - server side of the SASL mechanisms, by libgsasl (RFC 4422, 4616; framing is RFC 5034's and
 * belongs to the caller).
 *
 * A session of one exchange. The credentials are collected, not judged: the caller hands them to
 * routing and login. Nothing here suspends or logs.
 */
#ifndef POPGATE_LOGIN_SASL_H
#define POPGATE_LOGIN_SASL_H

#include "config/config.h"
#include "proxy/runtime/err.h"
#include "proxy/runtime/secret.h"

struct sasl;

/* Collected by a finished exchange. Owned by the caller; sasl_credentials_done wipes. */
struct sasl_credentials {
	char *login;         /* authentication identity */
	char *authorization; /* authorization identity; "" when none was given */
	struct secret *password;
};
void sasl_credentials_done(struct sasl_credentials *credentials);

/* The mechanism of that name (case-insensitive) among the allowed bits; 0 when there is none. */
unsigned sasl_mechanism(const char *name, unsigned allowed);
/* The names of the allowed SASL mechanisms for CAPA, e.g. "PLAIN LOGIN"; "" when none. buffer of at
 * least 128 octets. USER is no SASL mechanism. */
const char *sasl_names(unsigned allowed, char *buffer, size_t n);

struct err sasl_new(unsigned mechanism, struct sasl **ret);
void sasl_free(struct sasl *sasl); /* NULL-safe, wipes */
DEFINE_CLEANUP(sasl, sasl_free)

enum sasl_state { SASL_CONTINUE, SASL_DONE };

/* One step. input: base64 as the client sent it ("" for the first step without an initial response;
 * "=" is an empty initial response). Strict base64 (RFC 5034 section 4). output: the challenge in
 * base64, "" for an empty one; owned by sasl until the next call. SASL_DONE: credentials are
 * filled. ERR_INVALID: bad base64 or a malformed message; the exchange is over. */
struct err sasl_step(struct sasl *sasl, const char *input, const char **output,
	enum sasl_state *state, struct sasl_credentials *credentials);

#endif
