/* Tokens that are JWT, and the provider's keys. JSON of others is read on the stack of a thread of
 * the pool, never of a fiber: it recurses. */
#include <assert.h>

#include "proxy/login/oauth_claims.h"
#include "proxy/login/oauth_keys.h"
#include "proxy/login/oauth_provider.h"

#define KEYS_FRESH  3600000  /* ms */
#define KEYS_USABLE 86400000 /* ms; while newer ones cannot be had */

/* May be replaced while a thread of the pool uses it. */
struct oauth_key_set {
	struct oauth_keys *keys;
	unsigned users;
};

void oauth_key_set_release(struct oauth_key_set *set)
{
	if (set && --set->users == 0) {
		oauth_keys_free(set->keys);
		free(set);
	}
}

struct parse_job {
	const struct buffer *body;
	struct oauth_keys *keys;
	struct err error;
};

static void parse_keys(void *arg)
{
	struct parse_job *job = arg;

	job->error = oauth_keys_parse(buffer_data(job->body), buffer_used(job->body), &job->keys);
}

static fiber_fn struct err fetch(struct oauth_provider *p)
{
	struct http_request request = { .url = p->settings->jwks_url, .user = "" };
	cleanup(buffer_wipe) struct buffer body = { 0 };
	struct parse_job job = { .body = &body };
	struct err e = oauth_ask(p, &request, &body);

	if (failed(e))
		return e;
	offload(parse_keys, &job);
	if (failed(job.error))
		return err_context(job.error, "%.80s", request.url);
	oauth_key_set_release(p->keys);
	p->keys = mem_zalloc(1, sizeof(*p->keys));
	*p->keys = (struct oauth_key_set){ job.keys, 1 };
	p->fetched = runtime_now();
	return ok();
}

/* Whether there are keys that will do, if need be: old ones, but not the stale ones. */
static bool has_keys(const struct oauth_provider *p, const struct oauth_key_set *stale)
{
	return p->keys && p->keys != stale && runtime_now() - p->fetched < KEYS_USABLE;
}

/* Whether keys other than the stale ones are to be asked for now. */
static bool wants_keys(const struct oauth_provider *p, const struct oauth_key_set *stale)
{
	uint64_t now = runtime_now();

	if (p->keys && p->keys != stale && now - p->fetched < KEYS_FRESH)
		return false;
	/* while one asks, others need not wait who can do without */
	if (p->busy && has_keys(p, stale))
		return false;
	return !p->ever_tried || now - p->tried >= OAUTH_KEYS_PAUSE;
}

/* One fiber asks, the others wait for what it gets. */
static fiber_fn struct err renew(struct oauth_provider *p, const struct oauth_key_set *stale)
{
	struct err e = gate_enter(&p->fetching);

	if (failed(e))
		return e;
	if (wants_keys(p, stale)) {
		p->busy = true;
		e = fetch(p);
		p->busy = false;
		if (e.scope != ERR_TIMEOUT && e.scope != ERR_CANCELED) {
			p->tried = runtime_now();
			p->ever_tried = true;
			p->failure = e;
		}
	}
	gate_leave(&p->fetching);
	return e.scope == ERR_TIMEOUT || e.scope == ERR_CANCELED ? e : ok();
}

/* Newer keys than the stale ones, the caller's to release; NULL: there are none. ERR_TEMP: that is
 * not known, or there are no keys at all. */
static fiber_fn struct err get_keys(
	struct oauth_provider *p, const struct oauth_key_set *stale, struct oauth_key_set **ret)
{
	struct err e;

	*ret = NULL;
	if (wants_keys(p, stale) && failed(e = renew(p, stale)))
		return e;
	if (has_keys(p, stale)) {
		p->keys->users++;
		*ret = p->keys;
		return ok();
	}
	if (failed(p->failure))
		return p->failure;
	return stale ? ok() : err_make(ERR_TEMP, "%.80s: no keys", p->settings->jwks_url);
}

struct verify_job {
	const struct token_settings *settings;
	const struct oauth_keys *keys;
	const struct secret *token;
	struct oauth_identity identity;
	bool unknown_key;
	struct err error;
};

static void verify_in_pool(void *arg)
{
	struct verify_job *job = arg;
	json_t *claims;

	job->error = oauth_keys_verify(job->keys, job->token, &claims, &job->unknown_key);
	if (!failed(job->error))
		job->error = oauth_check_claims(claims, job->settings, time(NULL), &job->identity);
	json_decref(claims);
}

static fiber_fn struct err verify(struct verify_job *job, struct oauth_key_set *set)
{
	job->keys = set->keys;
	offload(verify_in_pool, job);
	return job->error;
}

fiber_fn struct err oauth_judge_jwt(
	struct oauth_provider *p, const struct secret *token, char **ret_login)
{
	struct verify_job job = { .settings = p->settings, .token = token };
	struct oauth_key_set *keys, *newer = NULL;
	struct err e = get_keys(p, NULL, &keys), renewed = ok();

	if (failed(e))
		return e;
	assert(keys);
	e = verify(&job, keys);
	if (job.unknown_key)
		renewed = get_keys(p, keys, &newer);
	oauth_key_set_release(keys);
	if (failed(renewed))
		return renewed;
	if (newer)
		e = verify(&job, newer);
	oauth_key_set_release(newer);
	*ret_login = job.identity.login;
	return e;
}
