#include "proxy/login/oauth.h"

#include <string.h>

#include "proxy/login/oauth_provider.h"

static struct oauth_provider *providers;

static bool same_list(const struct string_list *a, const struct string_list *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = strcmp(a->items[i], b->items[i]) == 0;
	return same;
}

/* Tenants that were given the same settings, by inheritance mostly, share what is known. */
static bool same_settings(const struct token_settings *a, const struct token_settings *b)
{
	return strcmp(a->jwks_url, b->jwks_url) == 0 &&
	       strcmp(a->introspection_url, b->introspection_url) == 0 &&
	       strcmp(a->issuer, b->issuer) == 0 && strcmp(a->scope, b->scope) == 0 &&
	       strcmp(a->login_claim, b->login_claim) == 0 &&
	       strcmp(a->client_id, b->client_id) == 0 &&
	       strcmp(a->client_secret_file, b->client_secret_file) == 0 &&
	       strcmp(a->ca_file, b->ca_file) == 0 && a->timeout == b->timeout &&
	       same_list(&a->audience, &b->audience);
}

static struct oauth_provider *provider_of(const struct token_settings *settings)
{
	struct oauth_provider *p = providers;

	while (p && p->settings != settings && !same_settings(p->settings, settings))
		p = p->next;
	if (p)
		return p;
	p = mem_zalloc(1, sizeof(*p));
	p->settings = settings;
	p->failure = ok();
	gate_init(&p->asking, OAUTH_ASKING);
	gate_init(&p->fetching, 1);
	p->next = providers;
	providers = p;
	return p;
}

void oauth_forget(void)
{
	while (providers) {
		struct oauth_provider *p = providers;

		providers = p->next;
		oauth_key_set_release(p->keys);
		oauth_answers_free(p->answers);
		free(p);
	}
}

static fiber_fn struct err send_in_turn(
	struct oauth_provider *p, struct http_request *request, struct http_response *ret)
{
	uint64_t left;
	struct err e;

	deadline(p->settings->timeout);
	if (failed(e = gate_enter(&p->asking)))
		return e;
	left = deadline_remaining();
	request->timeout = left > 0 ? left : 1;
	request->ca_file = p->settings->ca_file;
	request->max = OAUTH_ANSWER_MAX;
	e = http_send(request, ret);
	gate_leave(&p->asking);
	return e;
}

fiber_fn struct err oauth_ask(
	struct oauth_provider *p, struct http_request *request, struct buffer *ret_body)
{
	uint64_t timeout = p->settings->timeout;
	bool ours = deadline_remaining() > timeout;
	struct http_response response = { 0 };
	struct err e = send_in_turn(p, request, &response);

	if (e.scope == ERR_TIMEOUT && ours)
		return err_make(ERR_TEMP, "%.80s: no answer within %.1f s", request->url,
			(double)timeout / 1000);
	if (failed(e))
		return e;
	if (response.status == 200) {
		*ret_body = response.body;
		return ok();
	}
	buffer_wipe(&response.body);
	return err_make(response.status == 401 || response.status == 403 ? ERR_PERM : ERR_TEMP,
		"%.80s: HTTP status %ld", request->url, response.status);
}

fiber_fn struct err oauth_verify(
	const struct token_settings *settings, const struct secret *token, char **ret_login)
{
	struct oauth_provider *p = provider_of(settings);

	return *settings->jwks_url ? oauth_judge_jwt(p, token, ret_login)
				   : oauth_introspect(p, token, ret_login);
}
