/* sasl: XOAUTH2 and OAUTHBEARER, octet by octet, and what a failure says. */
#include "tests/unit/login/fixture.h"

#include <string.h>

#include <openssl/evp.h>

#include "proxy/login/sasl.h"

#define XOAUTH2     "user=joe@x.test\1auth=Bearer abc.def-_~+/==\1\1"
#define OAUTHBEARER "n,a=joe@x.test,\1host=Pop.X.test\1port=995\1auth=Bearer abc.def-_~+/==\1\1"

static struct tenant tenants[3];
static struct config config;
static struct sasl_peer peer;

/* Three tenants that take both mechanisms. */
static int setup(void **state)
{
	(void)state;
	memset(tenants, 0, sizeof(tenants));
	for (size_t i = 0; i < 3; i++) {
		tenants[i].auth.mechanisms = MECH_XOAUTH2 | MECH_OAUTHBEARER;
		tenants[i].auth.oauth2.issuer = tenants[i].auth.oauth2.scope = "";
	}
	config.tenants = tenants;
	config.n_tenants = 3;
	peer = (struct sasl_peer){ .config = &config,
		.query = { .listener = "pop3", .server_name = "pop.x.test", .address = "::1" } };
	return 0;
}

static char *encode(const char *text, size_t n)
{
	char *encoded = mem_alloc((n + 2) / 3 * 4 + 1);

	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)n);
	return encoded;
}

/* One message, by one line or by two. */
static struct err run(unsigned mechanism, const char *text, size_t n, bool initial,
	struct credentials *credentials)
{
	char *encoded = encode(text, n);
	enum sasl_state state = SASL_CONTINUE;
	const char *output = NULL;
	struct sasl *sasl = NULL;
	struct err e;

	assert_ok(sasl_new(mechanism, &peer, &sasl));
	if (!initial) {
		assert_ok(sasl_step(sasl, "", &output, &state, credentials));
		assert_int_equal(state, SASL_CONTINUE);
		assert_string_equal(output, "");
	}
	e = sasl_step(sasl, initial && n == 0 ? "=" : encoded, &output, &state, credentials);
	if (!failed(e))
		assert_int_equal(state, SASL_DONE);
	sasl_free(sasl);
	free(encoded);
	return e;
}

static void assert_taken(unsigned mechanism, const char *text, const char *login)
{
	for (int initial = 0; initial < 2; initial++) {
		cleanup(credentials_done) struct credentials credentials = { 0 };

		assert_ok(run(mechanism, text, strlen(text), initial, &credentials));
		assert_int_equal(credentials.kind, CREDENTIAL_TOKEN);
		assert_int_equal(credentials.mechanism, mechanism);
		assert_string_equal(credentials.login, login);
		assert_string_equal(credentials.authorization, "");
		assert_string_equal(secret_data(credentials.secret), "abc.def-_~+/==");
	}
}

static void assert_refused(unsigned mechanism, const char *text, size_t n)
{
	cleanup(credentials_done) struct credentials credentials = { 0 };
	struct err e = run(mechanism, text, n, true, &credentials);

	if (e.scope != ERR_INVALID)
		fail_msg("%s was taken", text);
	assert_null(credentials.secret);
}

static void messages_as_they_should_be(void **state)
{
	(void)state;
	assert_taken(MECH_XOAUTH2, XOAUTH2, "joe@x.test");
	assert_taken(MECH_OAUTHBEARER, OAUTHBEARER, "joe@x.test");
	assert_taken(
		MECH_OAUTHBEARER, "y,a=a=2Cb=3D=2C,\1auth=bEARER   abc.def-_~+/==\1\1", "a,b=,");
	assert_taken(MECH_OAUTHBEARER, "n,,\1auth=Bearer abc.def-_~+/==\1\1", "");
	assert_taken(MECH_OAUTHBEARER,
		"n,a=joe,\1mthd=GET\1qs=a=b\1post=\1AUTH=Bearer abc.def-_~+/==\1\1", "joe");
	assert_taken(MECH_XOAUTH2, "auth=Bearer abc.def-_~+/==\1user=joe\1\1", "joe");
}

/* Nothing that is shorter means anything; nor does what has an octet that ends strings or pairs. */
static void every_message_that_is_cut_or_bent(void **state)
{
	static const struct {
		unsigned mechanism;
		const char *text;
	} good[] = { { MECH_XOAUTH2, XOAUTH2 }, { MECH_OAUTHBEARER, OAUTHBEARER } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(good[i].text);
		char *bent = mem_strdup(good[i].text);

		for (size_t cut = 0; cut < n; cut++) {
			char *exact = mem_alloc(cut + 1);

			memcpy(exact, good[i].text, cut);
			exact[cut] = '\0';
			assert_refused(good[i].mechanism, exact, cut);
			free(exact);
		}
		for (size_t at = 0; at < n; at++) {
			bent[at] = '\0';
			assert_refused(good[i].mechanism, bent, n);
			bent[at] = '\2';
			if (good[i].text[at] == '\1')
				assert_refused(good[i].mechanism, bent, n);
			bent[at] = good[i].text[at];
		}
		free(bent);
	}
}

static void other_hosts_and_ports(void **state)
{
	static const char other[] = "n,a=j,\1host=pop.x.test.evil\1auth=Bearer abc.def-_~+/==\1\1";
	static const char *const ports[] = { "0", "65536", "99999", "100000", "", "9 95", "-1" };

	(void)state;
	assert_refused(MECH_OAUTHBEARER, other, strlen(other));
	peer.query.server_name = "";
	assert_taken(MECH_OAUTHBEARER, other, "j");
	peer.query.server_name = NULL;
	assert_taken(MECH_OAUTHBEARER, other, "j");
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		char *text = mem_printf("n,a=j,\1port=%s\1auth=Bearer abc\1\1", ports[i]);

		assert_refused(MECH_OAUTHBEARER, text, strlen(text));
		free(text);
	}
	assert_taken(MECH_OAUTHBEARER, "n,a=j,\1port=65535\1auth=Bearer abc.def-_~+/==\1\1", "j");
}

static void assert_failure(unsigned mechanism, const char *expected)
{
	char *encoded = encode(expected, strlen(expected));
	struct sasl *sasl = NULL;

	assert_ok(sasl_new(mechanism, &peer, &sasl));
	assert_string_equal(sasl_failure(sasl), encoded);
	sasl_free(sasl);
	free(encoded);
}

static void what_a_failure_says(void **state)
{
	(void)state;
	assert_failure(MECH_OAUTHBEARER, "{\"status\":\"invalid_token\"}");
	assert_failure(MECH_XOAUTH2, "{\"status\":\"401\",\"schemes\":\"bearer\"}");
	for (size_t i = 0; i < 3; i++) {
		tenants[i].auth.oauth2.issuer = "https://x.test/";
		tenants[i].auth.oauth2.scope = "a \"b\\";
	}
	assert_failure(MECH_OAUTHBEARER, "{\"status\":\"invalid_token\",\"scope\":\"a \\\"b\\\\\","
					 "\"openid-configuration\":\"https://x.test/"
					 ".well-known/openid-configuration\"}");
	assert_failure(MECH_XOAUTH2,
		"{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"a \\\"b\\\\\"}");
}

/* A tenant that differs makes the answer say nothing, unless this connection cannot be its. */
static void a_failure_is_the_same_for_all_tenants(void **state)
{
	static const char *elsewhere[] = { "pop3s" };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		tenants[i].auth.oauth2.issuer = "https://x.test";
	tenants[1].auth.oauth2.issuer = "https://y.test";
	assert_failure(MECH_OAUTHBEARER, "{\"status\":\"invalid_token\"}");
	tenants[1].match.listeners = (struct string_list){ elsewhere, 1 };
	assert_failure(MECH_OAUTHBEARER, "{\"status\":\"invalid_token\",\"openid-configuration\":"
					 "\"https://x.test/.well-known/openid-configuration\"}");
	tenants[1].match.listeners.n = 0;
	tenants[1].auth.mechanisms = MECH_PLAIN;
	assert_failure(MECH_OAUTHBEARER, "{\"status\":\"invalid_token\",\"openid-configuration\":"
					 "\"https://x.test/.well-known/openid-configuration\"}");
}

static void other_mechanisms_say_nothing(void **state)
{
	struct sasl *sasl = NULL;

	(void)state;
	assert_ok(sasl_new(MECH_PLAIN, &peer, &sasl));
	assert_null(sasl_failure(sasl));
	sasl_free(sasl);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_as_they_should_be),
		TEST(every_message_that_is_cut_or_bent),
		TEST(other_hosts_and_ports),
		TEST(what_a_failure_says),
		TEST(a_failure_is_the_same_for_all_tenants),
		TEST(other_mechanisms_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
