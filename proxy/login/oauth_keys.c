#include "proxy/login/oauth_keys.h"

#include <string.h>

#include <cjose/cjose.h>
#include <openssl/err.h>

#include "proxy/login/oauth_claims.h"
#include "proxy/runtime/mem.h"

#define RSA_BITS_MIN 2048

struct key {
	cjose_jwk_t *jwk;
	char *id;  /* kid; NULL: it has none */
	char *use; /* alg that it is for; NULL: any that fits it */
};

struct oauth_keys {
	struct key items[OAUTH_KEYS_MAX];
	size_t n;
};

/* The algorithms that are taken, and what kind of key goes with each. */
static const struct algorithm {
	const char *name;
	cjose_jwk_kty_t kind;
	cjose_jwk_ec_curve curve;
} algorithms[] = {
	{ "RS256", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID },
	{ "RS384", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID },
	{ "RS512", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID },
	{ "PS256", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID },
	{ "PS384", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID },
	{ "PS512", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID },
	{ "ES256", CJOSE_JWK_KTY_EC, CJOSE_JWK_EC_P_256 },
	{ "ES384", CJOSE_JWK_KTY_EC, CJOSE_JWK_EC_P_384 },
	{ "ES512", CJOSE_JWK_KTY_EC, CJOSE_JWK_EC_P_521 },
};

static const struct algorithm *algorithm_of(const char *name)
{
	for (size_t i = 0; name && i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* Whether the provider signs with it, as far as it says. */
static bool is_for_signatures(const json_t *jwk)
{
	const json_t *operations = json_object_get(jwk, "key_ops");
	const char *use = text_of(jwk, "use");

	if (use && strcmp(use, "sig") != 0)
		return false;
	for (size_t i = 0; i < json_array_size(operations); i++) {
		const char *name = json_string_value(json_array_get(operations, i));

		if (name && strcmp(name, "verify") == 0)
			return true;
	}
	return !operations;
}

static bool is_strong(const cjose_jwk_t *jwk)
{
	switch (cjose_jwk_get_kty(jwk, NULL)) {
	case CJOSE_JWK_KTY_RSA:
		return cjose_jwk_get_keysize(jwk, NULL) >= RSA_BITS_MIN;
	case CJOSE_JWK_KTY_EC:
		return true;
	default:
		return false;
	}
}

static char *copy_of(const char *text)
{
	return text ? mem_strdup(text) : NULL;
}

static void add(struct oauth_keys *keys, json_t *object)
{
	cjose_jwk_t *jwk;

	if (keys->n == OAUTH_KEYS_MAX || !json_is_object(object) || !is_for_signatures(object))
		return;
	jwk = cjose_jwk_import_json(object, NULL);
	if (!jwk)
		return;
	if (!is_strong(jwk)) {
		(void)cjose_jwk_release(jwk);
		return;
	}
	keys->items[keys->n++] = (struct key){ jwk, copy_of(text_of(object, "kid")),
		copy_of(text_of(object, "alg")) };
}

struct err oauth_keys_parse(const char *text, size_t n, struct oauth_keys **ret)
{
	json_t *set = oauth_object(text, n), *list = json_object_get(set, "keys");
	struct oauth_keys *keys = mem_zalloc(1, sizeof(*keys));

	for (size_t i = 0; i < json_array_size(list); i++)
		add(keys, json_array_get(list, i));
	json_decref(set);
	if (keys->n == 0) {
		oauth_keys_free(keys);
		return err_make(ERR_TEMP, "no keys (JWKS) for signatures");
	}
	*ret = keys;
	return ok();
}

void oauth_keys_free(struct oauth_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->n; i++) {
		(void)cjose_jwk_release(keys->items[i].jwk);
		free(keys->items[i].id);
		free(keys->items[i].use);
	}
	free(keys);
}

static bool fits(const struct key *key, const struct algorithm *algorithm, const char *id)
{
	if (id && (!key->id || strcmp(key->id, id) != 0))
		return false;
	if (key->use && strcmp(key->use, algorithm->name) != 0)
		return false;
	return cjose_jwk_get_kty(key->jwk, NULL) == algorithm->kind &&
	       (algorithm->kind != CJOSE_JWK_KTY_EC ||
		       cjose_jwk_EC_get_curve(key->jwk, NULL) == algorithm->curve);
}

/* A token without a key id may be of any key that fits. */
static struct err verify_signature(const struct oauth_keys *keys, cjose_jws_t *jws,
	const struct algorithm *algorithm, bool *ret_unknown)
{
	const char *id = text_of((const json_t *)cjose_jws_get_protected(jws), "kid");
	bool tried = false;

	for (size_t i = 0; i < keys->n; i++) {
		if (!fits(&keys->items[i], algorithm, id))
			continue;
		if (cjose_jws_verify(jws, keys->items[i].jwk, NULL))
			return ok();
		tried = true;
	}
	*ret_unknown = !tried || !id;
	if (tried)
		return err_make(ERR_AUTH, "token: its signature is wrong");
	return err_make(ERR_AUTH, "token: no key of the provider fits it (kid %.80s)",
		id ? id : "not said");
}

static struct err verify(
	const struct oauth_keys *keys, cjose_jws_t *jws, json_t **ret_claims, bool *ret_unknown)
{
	const json_t *header = (const json_t *)cjose_jws_get_protected(jws);
	const char *name = text_of(header, "alg");
	const struct algorithm *algorithm = algorithm_of(name);
	uint8_t *text = NULL;
	size_t n = 0;
	struct err e;

	if (!algorithm)
		return err_make(ERR_AUTH, "token: an algorithm that is not taken (%.20s)",
			name ? name : "not said");
	if (json_object_get(header, "crit"))
		return err_make(ERR_AUTH, "token: it has critical extensions");
	if (failed(e = verify_signature(keys, jws, algorithm, ret_unknown)))
		return e;
	if (cjose_jws_get_plaintext(jws, &text, &n, NULL))
		*ret_claims = oauth_object((const char *)text, n);
	return *ret_claims ? ok() : err_make(ERR_AUTH, "token: its claims are no JSON object");
}

struct err oauth_keys_verify(const struct oauth_keys *keys, const struct secret *token,
	json_t **ret_claims, bool *ret_unknown)
{
	cjose_jws_t *jws = cjose_jws_import(secret_data(token), secret_length(token), NULL);
	struct err e;

	*ret_claims = NULL;
	*ret_unknown = false;
	if (!jws)
		return err_make(ERR_AUTH, "token: it is no JWT");
	e = verify(keys, jws, ret_claims, ret_unknown);
	cjose_jws_release(jws);
	/* What OpenSSL noted belongs to the thread, which goes on to other work. */
	ERR_clear_error();
	return e;
}
