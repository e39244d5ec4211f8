/* config: who judges the OAuth 2.0 tokens of a tenant. */
#include "tests/unit/config/fixture.h"

#include <stdlib.h>
#include <string.h>

#define AT   "error @/popgate.yaml:"
#define WARN "warning @/popgate.yaml:"

#define IMAP_TENANT    "tenants: [{name: t, imap: {servers: [imap.test]}}]\n"
#define MAILDIR_TENANT "tenants: [{name: t, maildir: {path: '/m/%{login}'}}]\n"
#define TOKENS         "mechanisms: [oauthbearer, xoauth2]"
#define JWKS           "jwks_url: 'https://login.test/jwks'"
#define ISSUER         "issuer: 'https://login.test'"
#define AUDIENCE       "audience: [mail]"

static void an_imap_server_judges_tokens(void **state)
{
	const struct config *c;

	(void)state;
	c = fixture_load_good(LISTENER "auth: {" TOKENS "}\n" IMAP_TENANT);
	assert_int_equal(c->tenants[0].auth.mechanisms, MECH_OAUTHBEARER | MECH_XOAUTH2);
	assert_string_equal(c->tenants[0].auth.oauth2.jwks_url, "");
	assert_string_equal(c->tenants[0].auth.oauth2.login_claim, "email");
	assert_int_equal(c->tenants[0].auth.oauth2.timeout, 5000);
}

static void a_maildir_judges_none(void **state)
{
	(void)state;
	fixture_expect(LISTENER "auth: {" TOKENS "}\n" MAILDIR_TENANT, AT
		"2:8: auth.mechanisms: nobody judges tokens here, since no IMAP server gets to see "
		"them; expected auth.oauth2 for xoauth2 and oauthbearer\n");
	fixture_load_good(LISTENER "auth: {" TOKENS ", oauth2: {" JWKS ", " ISSUER ", " AUDIENCE
				   "}}\n" MAILDIR_TENANT);
	fixture_load_good(
		LISTENER "auth: {" TOKENS
			 ", oauth2: {introspection_url: 'http://[::1]:1/x'}}\n" MAILDIR_TENANT);
}

static void keys_alone_do_not_say_whose_tokens(void **state)
{
	(void)state;
	fixture_expect(LISTENER "auth: {" TOKENS ", oauth2: {" JWKS "}}\n" IMAP_TENANT,
		AT "2:53: auth.oauth2.jwks_url: whose tokens it is about is not said, expected "
		   "auth.oauth2.issuer too\n" AT
		   "2:53: auth.oauth2.jwks_url: tokens that the provider made for others would do "
		   "here too, expected auth.oauth2.audience\n");
}

static void one_judge_is_enough(void **state)
{
	(void)state;
	fixture_expect(LISTENER "auth: {" TOKENS ", oauth2: {" JWKS ", " ISSUER ", " AUDIENCE ",\n"
				"  introspection_url: 'https://login.test/i'}}\n" IMAP_TENANT,
		AT
		"3:3: auth.oauth2.introspection_url: auth.oauth2.jwks_url judges tokens already, "
		"expected one of them\n");
	fixture_expect(LISTENER "auth: {" TOKENS ", oauth2: {" ISSUER "}}\n" IMAP_TENANT, AT
		"2:44: auth.oauth2: nothing judges a token by these, expected auth.oauth2.jwks_url "
		"or auth.oauth2.introspection_url\n");
}

static void a_judge_without_mechanisms_is_idle(void **state)
{
	(void)state;
	fixture_expect(LISTENER "tenants:\n- name: t\n  imap: {servers: [imap.test]}\n  auth:\n"
				"    oauth2: {" JWKS ", " ISSUER ", " AUDIENCE "}\n",
		WARN
		"6:5: tenants[t].auth.oauth2: without effect, expected xoauth2 or oauthbearer in "
		"auth.mechanisms\n");
	/* given for all tenants, it is there for those that want it */
	fixture_load_good(
		LISTENER "auth: {oauth2: {" JWKS ", " ISSUER ", " AUDIENCE "}}\n" IMAP_TENANT);
}

static void urls_are_not_in_clear(void **state)
{
	(void)state;
	fixture_expect(LISTENER "auth:\n  " TOKENS
				"\n  oauth2: {jwks_url: 'http://login.test/jwks'}\n" IMAP_TENANT,
		AT "4:22: auth.oauth2.jwks_url: \"http://login.test/jwks\" is not valid, expected "
		   "a URL "
		   "that begins with https:// (or http://, to a loopback address)\n");
}

static void the_client_secret_is_read(void **state)
{
	static const char text[] =
		LISTENER "auth: {" TOKENS ", oauth2: {introspection_url: 'https://login.test/i',\n"
			 "  client_id: gateway, client_secret_file: secret}}\n" IMAP_TENANT;
	const struct config *c;
	char *printed;

	(void)state;
	fixture_write("secret", "hush\n");
	c = fixture_load_good(text);
	assert_int_equal(secret_length(c->tenants[0].auth.oauth2.client_secret), 4);
	printed = fixture_print(c);
	assert_null(strstr(printed, "hush"));
	free(printed);
	fixture_write("secret", "");
	fixture_expect(text,
		AT "3:23: auth.oauth2.client_secret_file: @/secret: the file is empty, "
		   "expected a file with the secret as its only line\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_imap_server_judges_tokens),
		TEST(a_maildir_judges_none),
		TEST(keys_alone_do_not_say_whose_tokens),
		TEST(one_judge_is_enough),
		TEST(a_judge_without_mechanisms_is_idle),
		TEST(urls_are_not_in_clear),
		TEST(the_client_secret_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
