/*
 * oauth - OAuth 2.0 bearer tokens (RFC 6750) judged by the gateway, as auth.oauth2 of a tenant
 * says: as JWT (RFC 7519) under the provider's keys (RFC 7517), or by asking the provider (RFC
 * 7662).
 *
 * Keys are kept per process, for an hour. They are asked for again, at most every OAUTH_KEYS_PAUSE,
 * when a token names one that is not among them; while the provider does not answer, those of up to
 * a day ago serve. What introspection said of a good token is kept for a minute.
 * Suspends: oauth_verify.
 * Limits:   an answer of OAUTH_ANSWER_MAX octets, OAUTH_ASKING requests to a provider at a time, of
 *           auth.oauth2.timeout each, waiting included.
 */
#ifndef POPGATE_LOGIN_OAUTH_H
#define POPGATE_LOGIN_OAUTH_H

#include "config/config.h"
#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/secret.h"

#define OAUTH_ANSWER_MAX (256U * 1024)
#define OAUTH_ASKING     8
#define OAUTH_KEYS_PAUSE 5000 /* ms */

/* Whether the gateway judges tokens by these settings. */
static inline bool oauth_judges(const struct token_settings *settings)
{
	return *settings->jwks_url || *settings->introspection_url;
}

/* ok: the token is good now, and for us; *ret_login is the login in it, the caller's to free.
 * ERR_AUTH: it is not, and the detail says why; ERR_TEMP: the provider cannot be asked; ERR_PERM:
 * it refuses to answer us, or this popgate was built without OAuth; ERR_TIMEOUT, ERR_CANCELED.
 * settings stay where they are as long as the process lives. */
fiber_fn struct err oauth_verify(
	const struct token_settings *settings, const struct secret *token, char **ret_login);

/* Forgets all keys and answers. For tests. */
void oauth_forget(void);

#endif
