/*
 * oauth_provider - what a process knows of one OAuth 2.0 provider. Internal to proxy/login.
 *
 * Touched by the loop's thread only; what a thread of the pool uses is immutable, or its own.
 */
#ifndef POPGATE_LOGIN_OAUTH_PROVIDER_H
#define POPGATE_LOGIN_OAUTH_PROVIDER_H

#include "proxy/login/oauth.h"
#include "proxy/runtime/http.h"
#include "proxy/runtime/wait.h"

struct oauth_key_set;
struct oauth_answers;

struct oauth_provider {
	struct oauth_provider *next;
	const struct token_settings *settings;
	struct gate asking; /* requests under way */
	/* oauth_jwt.c */
	struct gate
		fetching; /* the keys: one request at a time, whose result serves all who wait */
	bool busy;        /* somebody is in there */
	struct oauth_key_set *keys;
	uint64_t fetched, tried; /* when the keys came, when they were asked for last */
	bool ever_tried;
	struct err failure; /* of that last time; ok when they came */
	/* oauth_introspection.c */
	struct oauth_answers *answers;
};

/* One request: waits for a place; all of it within the provider's timeout. ERR_TEMP: no answer, or
 * one whose status is not 200; ERR_PERM: the provider refuses us. ok: buffer_wipe the body. */
fiber_fn struct err oauth_ask(
	struct oauth_provider *provider, struct http_request *request, struct buffer *ret_body);

/* As oauth_verify. */
fiber_fn struct err oauth_judge_jwt(
	struct oauth_provider *provider, const struct secret *token, char **ret_login);
fiber_fn struct err oauth_introspect(
	struct oauth_provider *provider, const struct secret *token, char **ret_login);

/* NULL-safe. */
void oauth_key_set_release(struct oauth_key_set *set);
void oauth_answers_free(struct oauth_answers *answers);

#endif
