/*
 * oauth_claims - whether what a provider says of a token makes it one for us, now; and whose it is.
 * Pure. Internal to proxy/login.
 */
#ifndef POPGATE_LOGIN_OAUTH_CLAIMS_H
#define POPGATE_LOGIN_OAUTH_CLAIMS_H

#include <time.h>

#include <jansson.h>

#include "config/config.h"
#include "proxy/runtime/err.h"

#define OAUTH_SKEW      60 /* seconds by which clocks may differ */
#define OAUTH_LOGIN_MAX 1024

struct oauth_identity {
	char *login;    /* the caller's to free */
	int64_t expiry; /* seconds since 1970; INT64_MAX: not said */
};

/* Text as a JSON object, of which no name stands twice; NULL: it is none. Recursive: for a thread's
 * stack, not a fiber's. */
json_t *oauth_object(const char *text, size_t n);

/* The claims of a JWT: iss, aud and exp must be there (RFC 9068 section 4). ERR_AUTH, why. */
struct err oauth_check_claims(const json_t *claims, const struct token_settings *settings,
	time_t now, struct oauth_identity *ret);

/* The answer of an introspection endpoint: "active", and what of the claims it names; an audience
 * that is configured must be named. ERR_AUTH, why. */
struct err oauth_check_answer(const json_t *answer, const struct token_settings *settings,
	time_t now, struct oauth_identity *ret);

#endif
