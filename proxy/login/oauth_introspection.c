/* Tokens that only the provider knows (RFC 7662), and what it said of them just now. */
#include <string.h>

#include <openssl/sha.h>

#include "proxy/login/oauth_claims.h"
#include "proxy/login/oauth_provider.h"

#define FRESH  60 /* seconds */
#define PLACES 1024

/* A token that was good. */
struct answer {
	unsigned char digest[SHA256_DIGEST_LENGTH];
	uint64_t until; /* by runtime_now */
	char *login;    /* NULL: the place is free */
};

/* The place of a token is given by its digest; who comes later to it wins. */
struct oauth_answers {
	struct answer places[PLACES];
};

void oauth_answers_free(struct oauth_answers *answers)
{
	if (!answers)
		return;
	for (size_t i = 0; i < PLACES; i++)
		free(answers->places[i].login);
	free(answers);
}

static struct answer *place_of(
	struct oauth_provider *p, const unsigned char digest[SHA256_DIGEST_LENGTH])
{
	size_t place;

	if (!p->answers)
		p->answers = mem_zalloc(1, sizeof(*p->answers));
	memcpy(&place, digest, sizeof(place));
	return &p->answers->places[place % PLACES];
}

static bool recall(struct oauth_provider *p, const unsigned char digest[SHA256_DIGEST_LENGTH],
	char **ret_login)
{
	const struct answer *answer = place_of(p, digest);

	if (!answer->login || runtime_now() >= answer->until ||
		memcmp(answer->digest, digest, SHA256_DIGEST_LENGTH) != 0)
		return false;
	*ret_login = mem_strdup(answer->login);
	return true;
}

static void remember(struct oauth_provider *p, const unsigned char digest[SHA256_DIGEST_LENGTH],
	const struct oauth_identity *identity)
{
	struct answer *answer = place_of(p, digest);
	int64_t left = identity->expiry - time(NULL);

	if (left <= 0)
		return;
	free(answer->login);
	answer->login = mem_strdup(identity->login);
	answer->until = runtime_now() + 1000 * (uint64_t)(left < FRESH ? left : FRESH);
	memcpy(answer->digest, digest, SHA256_DIGEST_LENGTH);
}

/* For a thread of the pool: JSON of others recurses. */
struct read_job {
	const struct token_settings *settings;
	const struct buffer *body;
	struct oauth_identity identity;
	struct err error;
};

static void read_answer(void *arg)
{
	struct read_job *job = arg;
	json_t *answer = oauth_object(buffer_data(job->body), buffer_used(job->body));

	job->error = answer ? oauth_check_answer(answer, job->settings, time(NULL), &job->identity)
			    : err_make(ERR_TEMP, "%.80s: the answer is no JSON object",
				      job->settings->introspection_url);
	json_decref(answer);
}

static fiber_fn struct err ask_about(
	struct oauth_provider *p, const struct secret *token, struct oauth_identity *ret)
{
	static const char hint[] = "access_token";
	cleanup(buffer_wipe) struct buffer form = { 0 }, body = { 0 };
	struct http_request request = { .url = p->settings->introspection_url,
		.form = &form,
		.user = p->settings->client_id,
		.password = p->settings->client_secret };
	struct read_job job = { .settings = p->settings, .body = &body };
	struct err e;

	http_form_add(&form, "token_type_hint", hint, sizeof(hint) - 1);
	http_form_add(&form, "token", secret_data(token), secret_length(token));
	if (failed(e = oauth_ask(p, &request, &body)))
		return e;
	offload(read_answer, &job);
	*ret = job.identity;
	return job.error;
}

fiber_fn struct err oauth_introspect(
	struct oauth_provider *p, const struct secret *token, char **ret_login)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct oauth_identity identity = { 0 };
	struct err e;

	SHA256((const unsigned char *)secret_data(token), secret_length(token), digest);
	if (recall(p, digest, ret_login))
		return ok();
	if (failed(e = ask_about(p, token, &identity)))
		return e;
	remember(p, digest, &identity);
	*ret_login = identity.login;
	return ok();
}
