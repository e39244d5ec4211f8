/* oauth_claims: every rule at its edge, by a clock that stands still. */
#include "tests/unit/login/fixture.h"

#include <string.h>

#include "proxy/login/oauth_claims.h"

#define NOW  1000000
#define GOOD "\"iss\": \"me\", \"aud\": \"mail\", \"email\": \"joe@x.test\""

static const char *audience[] = { "mail", "post" };
static struct token_settings settings;

static int setup(void **state)
{
	(void)state;
	settings = (struct token_settings){
		.issuer = "me", .audience = { audience, 2 }, .scope = "", .login_claim = "email"
	};
	return 0;
}

static struct err check(const char *members, bool jwt, struct oauth_identity *ret)
{
	char *text = mem_printf("{%s}", members);
	json_t *object = oauth_object(text, strlen(text));
	struct err e;

	assert_non_null(object);
	*ret = (struct oauth_identity){ 0 };
	e = jwt ? oauth_check_claims(object, &settings, NOW, ret)
		: oauth_check_answer(object, &settings, NOW, ret);
	json_decref(object);
	free(text);
	return e;
}

static void good(const char *members)
{
	struct oauth_identity identity;

	assert_ok(check(members, true, &identity));
	assert_string_equal(identity.login, "joe@x.test");
	free(identity.login);
}

/* Refused, and the detail says that. */
static void bad(const char *members, const char *why)
{
	struct oauth_identity identity;
	struct err e = check(members, true, &identity);

	assert_scope(e, ERR_AUTH);
	assert_null(identity.login);
	if (!strstr(e.detail, why))
		fail_msg("\"%s\" lacks \"%s\"", e.detail, why);
}

static void times(void **state)
{
	(void)state;
	good(GOOD ", \"exp\": 1000001");
	good(GOOD ", \"exp\": 999941");
	bad(GOOD ", \"exp\": 999940", "expired 60 s ago");
	good(GOOD ", \"exp\": 1000000.9");
	good(GOOD ", \"exp\": 1e9");
	bad(GOOD, "when it expires");
	bad(GOOD ", \"exp\": null", "when it expires");
	bad(GOOD ", \"exp\": true", "when it expires");
	bad(GOOD ", \"exp\": 1e300", "when it expires");
	bad(GOOD ", \"exp\": 9223372036854775807", "when it expires");
	bad(GOOD ", \"exp\": -1e300", "when it expires");
	bad(GOOD ", \"exp\": -5", "expired");
	good(GOOD ", \"exp\": 1000001, \"nbf\": 1000060");
	bad(GOOD ", \"exp\": 1000001, \"nbf\": 1000061", "not valid yet");
	bad(GOOD ", \"exp\": 1000001, \"nbf\": \"now\"", "not valid yet");
	/* that it was issued in the future says nothing */
	good(GOOD ", \"exp\": 1000001, \"iat\": 2000000");
}

static void audiences(void **state)
{
	(void)state;
	good("\"iss\": \"me\", \"aud\": \"post\", \"email\": \"joe@x.test\", \"exp\": 1000001");
	good("\"iss\": \"me\", \"aud\": [1, \"x\", \"mail\"], \"email\": \"joe@x.test\", "
	     "\"exp\": 1000001");
	bad("\"iss\": \"me\", \"aud\": [], \"email\": \"j\", \"exp\": 1000001", "others");
	bad("\"iss\": \"me\", \"aud\": {\"mail\": 1}, \"email\": \"j\", \"exp\": 1000001",
		"others");
	bad("\"iss\": \"me\", \"aud\": \"Mail\", \"email\": \"j\", \"exp\": 1000001", "Mail");
}

static void issuers(void **state)
{
	(void)state;
	bad("\"iss\": \"me/\", \"aud\": \"mail\", \"email\": \"j\", \"exp\": 1000001", "me/");
	bad("\"iss\": [\"me\"], \"aud\": \"mail\", \"email\": \"j\", \"exp\": 1000001", "not said");
}

static void scopes(void **state)
{
	(void)state;
	settings.scope = " mail.read  send ";
	good(GOOD ", \"exp\": 1000001, \"scope\": \"x send y mail.read\"");
	good(GOOD ", \"exp\": 1000001, \"scp\": \"mail.read send\"");
	good(GOOD ", \"exp\": 1000001, \"scp\": [\"send\", \"mail.read\"]");
	bad(GOOD ", \"exp\": 1000001", "lacks mail.read");
	bad(GOOD ", \"exp\": 1000001, \"scope\": \"mail.readx send\"", "lacks mail.read");
	bad(GOOD ", \"exp\": 1000001, \"scope\": \"mail.read\"", "lacks send");
	bad(GOOD ", \"exp\": 1000001, \"scope\": {\"send\": 1}", "lacks mail.read");
}

static void logins(void **state)
{
	(void)state;
	good(GOOD ", \"exp\": 1000001, \"email_verified\": true");
	bad(GOOD ", \"exp\": 1000001, \"email_verified\": false", "not verified");
	settings.login_claim = "upn";
	bad(GOOD ", \"exp\": 1000001", "no login in upn");
	good("\"iss\": \"me\", \"aud\": \"mail\", \"upn\": \"joe@x.test\", \"exp\": 1000001, "
	     "\"email\": \"ann@x.test\", \"email_verified\": false");
	bad("\"iss\": \"me\", \"aud\": \"mail\", \"upn\": \"a\\tb\", \"exp\": 1000001", "no login");
	bad("\"iss\": \"me\", \"aud\": \"mail\", \"upn\": \"a\\u007f\", \"exp\": 1000001",
		"no login");
}

static void answers(void **state)
{
	struct oauth_identity identity;

	(void)state;
	assert_ok(
		check("\"active\": true, \"email\": \"joe\", \"aud\": \"mail\"", false, &identity));
	assert_true(identity.expiry == INT64_MAX);
	free(identity.login);
	assert_ok(
		check("\"active\": true, \"email\": \"joe\", \"aud\": \"mail\", \"exp\": 1000007, "
		      "\"token_type\": \"bearer\", \"iss\": \"me\"",
			false, &identity));
	assert_int_equal(identity.expiry, 1000007);
	free(identity.login);
	assert_scope(
		check("\"active\": 1, \"email\": \"joe\", \"aud\": \"mail\"", false, &identity),
		ERR_AUTH);
	assert_scope(check("\"active\": true, \"email\": \"joe\"", false, &identity), ERR_AUTH);
	settings.audience.n = 0;
	settings.issuer = "";
	assert_ok(check("\"active\": true, \"email\": \"joe\", \"iss\": \"x\"", false, &identity));
	free(identity.login);
}

static void what_is_no_object(void **state)
{
	static const char *const texts[] = { "", "[]", "1", "{", "{\"a\":1}x", "{\"a\":1,\"a\":2}",
		"{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}", "{'a':1}" };
	char *deep = mem_alloc(200001);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_null(oauth_object(texts[i], strlen(texts[i])));
	memset(deep, '[', 200000);
	assert_null(oauth_object(deep, 200000));
	free(deep);
	assert_null(oauth_object(NULL, 0));
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(times),
		TEST(audiences),
		TEST(issuers),
		TEST(scopes),
		TEST(logins),
		TEST(answers),
		TEST(what_is_no_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
