/*
 * sasl - server side of the SASL mechanisms (RFC 4422), with the framing of RFC 5034: base64,
 * initial responses, the order of messages. Lines, "*" and the client's +OK belong to the caller.
 *
 * A session of one exchange. Passwords and tokens are collected, not judged: the caller hands them
 * to routing and login. A mechanism that proves or refutes by itself says so in credentials.kind. A
 * step may suspend (a users file is read, a server is asked). Nothing here logs.
 */
#ifndef POPGATE_LOGIN_SASL_H
#define POPGATE_LOGIN_SASL_H

#include "config/config.h"
#include "proxy/login/credentials.h"
#include "proxy/routing/routing.h"
#include "proxy/runtime/err.h"
#include "proxy/runtime/stream.h"

struct sasl;

/* What a mechanism may look at, before and while its exchange runs. Borrowed until sasl_free. */
struct sasl_peer {
	const struct config *config;
	const struct listener_config *listener;
	struct route_query query; /* its login is not looked at */
	struct stream *stream;    /* for channel bindings and client certificates */
	unsigned offered;         /* MECH_ bits that this client is shown: sasl_usable */
};

/* Once per process, before it has a second thread. */
void sasl_prepare(const struct config *config);

/* Those of the mechanisms that a connection can have as it is now. passwords: whether a password
 * may come over it; without, the mechanisms that show one are left out, MECH_USER too. */
unsigned sasl_usable(unsigned mechanisms, const struct sasl_peer *peer, bool passwords);
/* The mechanism of that name (case-insensitive) among the allowed bits; 0 when there is none. */
unsigned sasl_mechanism(const char *name, unsigned allowed);
/* The names of the allowed SASL mechanisms for CAPA, e.g. "PLAIN LOGIN"; "" when none. buffer of at
 * least SASL_NAMES_MAX octets. USER is no SASL mechanism. */
#define SASL_NAMES_MAX 128
const char *sasl_names(unsigned allowed, char *buffer, size_t n);

/* Starts an exchange; mechanism is one MECH_ bit. peer may be NULL for PLAIN and LOGIN. */
struct err sasl_new(unsigned mechanism, const struct sasl_peer *peer, struct sasl **ret);
void sasl_free(struct sasl *sasl); /* NULL-safe, wipes */
DEFINE_CLEANUP(sasl, sasl_free)

enum sasl_state { SASL_CONTINUE, SASL_DONE };

/* One step. input: base64 as the client sent it ("" for the first step without an initial response;
 * "=" is an empty initial response). Strict base64 (RFC 5034 section 4). output: the challenge in
 * base64, "" for an empty one; owned by sasl until the next call. SASL_DONE: credentials are
 * filled. ERR_INVALID: bad base64 or a malformed message; ERR_AUTH: refused, and nobody
 * knows who it was; ERR_TEMP, ERR_TIMEOUT, ERR_CANCELED: what
 * the mechanism asked could not answer. After any error the exchange is over. credentials are the
 * same in every step of one exchange. */
fiber_fn struct err sasl_step(struct sasl *sasl, const char *input, const char **output,
	enum sasl_state *state, struct credentials *credentials);

/* After SASL_DONE, when the login failed: the challenge, in base64, by which the mechanism tells
 * the client why (RFC 7628 section 3.2.2). It comes before the -ERR and is answered by a line that
 * says nothing. NULL: there is none. Owned by sasl. */
const char *sasl_failure(struct sasl *sasl);

#endif
