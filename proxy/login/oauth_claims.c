#include "proxy/login/oauth_claims.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/utf8.h"

json_t *oauth_object(const char *text, size_t n)
{
	json_t *value = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(value)) {
		json_decref(value);
		return NULL;
	}
	return value;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* A time (RFC 7519 section 2: seconds, perhaps with a fraction); false: there is none, or nonsense.
 */
static bool time_of(const json_t *object, const char *name, int64_t *ret)
{
	const json_t *value = json_object_get(object, name);
	double seconds = json_number_value(value);

	if (!json_is_number(value) || !isfinite(seconds) || fabs(seconds) > 1e15)
		return false;
	*ret = (int64_t)seconds;
	return true;
}

static struct err check_issuer(
	const json_t *claims, const struct token_settings *settings, bool needed)
{
	const char *issuer = text_of(claims, "iss");

	if (!*settings->issuer || (!needed && !json_object_get(claims, "iss")))
		return ok();
	if (!issuer || strcmp(issuer, settings->issuer) != 0)
		return err_make(
			ERR_AUTH, "token: its issuer is %.80s", issuer ? issuer : "not said");
	return ok();
}

static bool is_audience(const struct string_list *audience, const char *text)
{
	for (size_t i = 0; text && i < audience->n; i++)
		if (strcmp(audience->items[i], text) == 0)
			return true;
	return false;
}

static struct err check_audience(const json_t *claims, const struct token_settings *settings)
{
	const json_t *value = json_object_get(claims, "aud");
	const char *text = json_string_value(value);

	if (settings->audience.n == 0 || is_audience(&settings->audience, text))
		return ok();
	for (size_t i = 0; i < json_array_size(value); i++)
		if (is_audience(&settings->audience, json_string_value(json_array_get(value, i))))
			return ok();
	return err_make(ERR_AUTH, "token: it is meant for %.80s",
		text            ? text
		: value != NULL ? "others"
				: "nobody in particular");
}

static struct err check_times(
	const json_t *claims, bool expires, time_t now, struct oauth_identity *ret)
{
	int64_t begin;

	ret->expiry = INT64_MAX;
	if (!time_of(claims, "exp", &ret->expiry) && (expires || json_object_get(claims, "exp")))
		return err_make(ERR_AUTH, "token: it does not say when it expires");
	if (ret->expiry != INT64_MAX && ret->expiry + OAUTH_SKEW <= now)
		return err_make(ERR_AUTH, "token: it expired %" PRId64 " s ago",
			(int64_t)now - ret->expiry);
	if (!json_object_get(claims, "nbf"))
		return ok();
	if (!time_of(claims, "nbf", &begin) || begin - OAUTH_SKEW > now)
		return err_make(ERR_AUTH, "token: it is not valid yet");
	return ok();
}

static bool is_word_of(const char *text, const char *word, size_t n)
{
	while (text && *text) {
		size_t length = strcspn(text, " ");

		if (length == n && strncmp(text, word, n) == 0)
			return true;
		text += length;
		text += strspn(text, " ");
	}
	return false;
}

/* A list of words, or (Microsoft's scp too) of strings. */
static bool scope_has(const json_t *claims, const char *word, size_t n)
{
	static const char *const names[] = { "scope", "scp" };

	for (size_t i = 0; i < 2; i++) {
		const json_t *value = json_object_get(claims, names[i]);

		if (is_word_of(json_string_value(value), word, n))
			return true;
		for (size_t j = 0; j < json_array_size(value); j++)
			if (is_word_of(json_string_value(json_array_get(value, j)), word, n))
				return true;
	}
	return false;
}

static struct err check_scope(const json_t *claims, const struct token_settings *settings)
{
	const char *word = settings->scope + strspn(settings->scope, " ");

	while (*word) {
		size_t n = strcspn(word, " ");

		if (!scope_has(claims, word, n))
			return err_make(ERR_AUTH, "token: its scope lacks %.*s", (int)n, word);
		word += n;
		word += strspn(word, " ");
	}
	return ok();
}

static bool is_login(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return n > 0 && n <= OAUTH_LOGIN_MAX && utf8_valid(text, n);
}

static struct err read_login(
	const json_t *claims, const struct token_settings *settings, struct oauth_identity *ret)
{
	const char *name = settings->login_claim, *login = text_of(claims, name);

	if (!login || !is_login(login))
		return err_make(ERR_AUTH, "token: it has no login in %.80s", name);
	/* An address that nobody verified is whatever the user typed in. */
	if (strcmp(name, "email") == 0 && json_is_false(json_object_get(claims, "email_verified")))
		return err_make(ERR_AUTH, "token: its email is not verified");
	ret->login = mem_strdup(login);
	return ok();
}

static struct err check(const json_t *claims, const struct token_settings *settings, bool jwt,
	time_t now, struct oauth_identity *ret)
{
	struct err e;

	if (failed(e = check_issuer(claims, settings, jwt)) ||
		failed(e = check_audience(claims, settings)) ||
		failed(e = check_times(claims, jwt, now, ret)) ||
		failed(e = check_scope(claims, settings)))
		return e;
	return read_login(claims, settings, ret);
}

struct err oauth_check_claims(const json_t *claims, const struct token_settings *settings,
	time_t now, struct oauth_identity *ret)
{
	return check(claims, settings, true, now, ret);
}

struct err oauth_check_answer(const json_t *answer, const struct token_settings *settings,
	time_t now, struct oauth_identity *ret)
{
	const char *type = text_of(answer, "token_type");

	if (!json_is_true(json_object_get(answer, "active")))
		return err_make(ERR_AUTH, "token: the provider says it is not active");
	if (type && strcasecmp(type, "Bearer") != 0)
		return err_make(ERR_AUTH, "token: it is no bearer token");
	return check(answer, settings, false, now, ret);
}
