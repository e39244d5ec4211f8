/*
 * credentials - who a client says it is, and by what: the outcome of PASS or of a SASL exchange.
 *
 * Collected here, judged by login.h. Owned by whoever holds the struct; credentials_done wipes.
 */
#ifndef POPGATE_LOGIN_CREDENTIALS_H
#define POPGATE_LOGIN_CREDENTIALS_H

#include "proxy/runtime/secret.h"

enum credential_kind {
	CREDENTIAL_PASSWORD, /* secret is a password that somebody must check */
	CREDENTIAL_PROVED,   /* the login is proved to the gateway; secret is the token that did it,
			      * or there is none */
	CREDENTIAL_TOKEN,    /* secret is an OAuth 2.0 bearer token (RFC 6750) */
	CREDENTIAL_REFUSED,  /* the mechanism found them wrong; to be treated as a wrong password */
};

struct credentials {
	enum credential_kind kind;
	unsigned mechanism;    /* the MECH_ bit */
	char *login;           /* authentication identity, as the client gave it */
	char *authorization;   /* whom it wants to act as (RFC 4422 section 2); "" for itself */
	struct secret *secret; /* password or token, or NULL */
	char *why;             /* for the log: what was wrong when refused; else NULL */
	void *delegated;       /* what the client handed on (gss.h), or NULL */
};

/* Credentials of a password: takes password, copies login. */
struct credentials credentials_of_password(
	unsigned mechanism, const char *login, struct secret *password);
/* Wipes and frees what it holds, and zeroes it. */
void credentials_done(struct credentials *credentials);

#endif
