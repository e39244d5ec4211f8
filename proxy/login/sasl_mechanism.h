/*
 * sasl_mechanism - what a SASL mechanism is to sasl.c. Internal to proxy/login.
 *
 * A mechanism is one row of the table in sasl.c, defined in a file of its own. It sees messages
 * decoded, never base64, "*" or a line: those are sasl.c's. It never answers the client itself.
 */
#ifndef POPGATE_LOGIN_SASL_MECHANISM_H
#define POPGATE_LOGIN_SASL_MECHANISM_H

#include "proxy/login/sasl.h"

#define SASL_IDENTITY_MAX 1024 /* octets of a login or an authorization identity */

struct sasl_exchange {
	const struct sasl_mechanism *mechanism;
	const struct sasl_peer *peer;    /* NULL only in tests of PLAIN and LOGIN */
	void *state;                     /* the mechanism's own, from start to free */
	struct credentials *credentials; /* to fill in; login and mechanism at least */
};

struct sasl_mechanism {
	unsigned bit; /* MECH_ */
	const char *name;
	bool plaintext;    /* shows a password or a token to whoever listens: wants TLS */
	bool server_first; /* its first step has no message of the client; one that came with AUTH
			    * (RFC 4954 forbids it, LOGIN clients do it) answers that first
			    * challenge */
	bool takes_empty;  /* an empty message means something */
	/* Whether this connection can have it; NULL: every one can. Asked again for each CAPA. */
	bool (*usable)(const struct sasl_peer *peer);
	/* Sets exchange->state. ERR_TEMP: it does not work at the moment. free is not called then.
	 * NULL: there is nothing to set up. */
	struct err (*start)(struct sasl_exchange *exchange);
	/* One message of the client (NULL, 0: none yet, see server_first; else followed by a NUL
	 * that does not count). Appends the challenge, if any, to out. *done: the exchange is over
	 * and the credentials are filled in, as CREDENTIAL_REFUSED if it has shown that they are
	 * wrong. A challenge together with *done is sent, and then answered by the client: with an
	 * empty response after a success (RFC 5034 section 4: +OK has no room for it), by anything
	 * after a failure. ERR_INVALID: the message is malformed; ERR_AUTH: refused before there is
	 * a login that could be refused; ERR_TEMP, ERR_TIMEOUT,
	 * ERR_CANCELED as everywhere. */
	fiber_fn struct err (*step)(struct sasl_exchange *exchange, const char *message, size_t n,
		struct buffer *out, bool *done);
	/* Appends what the client is to know when its credentials, complete, were then refused; see
	 * sasl_failure. NULL: nothing. */
	void (*failure)(const struct sasl_exchange *exchange, struct buffer *out);
	void (*free)(struct sasl_exchange *exchange); /* NULL: there is nothing to free */
};

extern const struct sasl_mechanism sasl_plain, sasl_login, sasl_scram, sasl_scram_plus,
	sasl_external, sasl_xoauth2, sasl_oauthbearer;
#ifdef POPGATE_GSSAPI
extern const struct sasl_mechanism sasl_gssapi, sasl_ntlm;
#endif

/* Fills in login and authorization, for an exchange that has shown them to be wrong. why: for the
 * log. */
struct err sasl_refuse(struct sasl_exchange *exchange, const char *login, const char *authorization,
	const char *why);
/* Fills in login and authorization. ERR_INVALID: the login is empty, or one is too long. */
struct err sasl_identities(
	struct sasl_exchange *exchange, const char *login, const char *authorization);

#endif
