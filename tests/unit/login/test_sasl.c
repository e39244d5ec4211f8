#include "tests/unit/login/fixture.h"

#include <string.h>

#include "proxy/login/sasl.h"

struct exchange {
	struct sasl *sasl;
	const char *output;
	enum sasl_state state;
	struct credentials credentials;
};

static struct exchange begin(unsigned mechanism)
{
	struct exchange x = { .output = NULL };

	assert_ok(sasl_new(mechanism, NULL, &x.sasl));
	return x;
}

static struct err step(struct exchange *x, const char *input)
{
	return sasl_step(x->sasl, input, &x->output, &x->state, &x->credentials);
}

static void end(struct exchange *x)
{
	sasl_free(x->sasl);
	credentials_done(&x->credentials);
}

static void assert_done(struct exchange *x, const char *login, const char *authorization,
	const char *password, size_t n)
{
	assert_int_equal(x->state, SASL_DONE);
	assert_string_equal(x->credentials.login, login);
	assert_string_equal(x->credentials.authorization, authorization);
	assert_int_equal(secret_length(x->credentials.secret), n);
	assert_memory_equal(secret_data(x->credentials.secret), password, n);
}

static void assert_refused(unsigned mechanism, const char *const *inputs)
{
	struct exchange x = begin(mechanism);
	struct err e = ok();

	for (; *inputs && !failed(e); inputs++) {
		e = step(&x, *inputs);
		if (inputs[1])
			assert_ok(e);
	}
	assert_scope(e, ERR_INVALID);
	assert_null(x.credentials.login);
	assert_null(x.credentials.secret);
	/* over: not even a good response is taken */
	assert_scope(step(&x, "AGFubgBzZWNyZXQ="), ERR_INVALID);
	end(&x);
}

static void test_names_and_mechanisms(void **state)
{
	char names[128];

	(void)state;
	assert_string_equal(sasl_names(MECH_USER | MECH_PLAIN | MECH_LOGIN, names, sizeof(names)),
		"PLAIN LOGIN");
	assert_string_equal(sasl_names(MECH_LOGIN, names, sizeof(names)), "LOGIN");
	assert_string_equal(sasl_names(MECH_USER, names, sizeof(names)), "");
	assert_int_equal(sasl_mechanism("plain", MECH_PLAIN | MECH_LOGIN), MECH_PLAIN);
	assert_int_equal(sasl_mechanism("LoGiN", MECH_PLAIN | MECH_LOGIN), MECH_LOGIN);
	assert_int_equal(sasl_mechanism("LOGIN", MECH_PLAIN), 0);
	assert_int_equal(sasl_mechanism("USER", MECH_USER | MECH_PLAIN), 0);
	assert_int_equal(sasl_mechanism("", MECH_PLAIN), 0);
	assert_int_equal(sasl_mechanism("PLAINX", MECH_PLAIN), 0);
}

static void test_unknown_mechanism(void **state)
{
	struct sasl *sasl = NULL;

	(void)state;
	assert_scope(sasl_new(MECH_USER, NULL, &sasl), ERR_INVALID);
	assert_scope(sasl_new(0, NULL, &sasl), ERR_INVALID);
	assert_null(sasl);
	sasl_free(NULL);
}

static void test_plain_with_initial_response(void **state)
{
	struct exchange x = begin(MECH_PLAIN);

	(void)state;
	assert_ok(step(&x, "AGFubgBzZWNyZXQ="));
	assert_done(&x, "ann", "", "secret", 6);
	end(&x);
}

static void test_plain_without_initial_response(void **state)
{
	struct exchange x = begin(MECH_PLAIN);

	(void)state;
	assert_ok(step(&x, ""));
	assert_int_equal(x.state, SASL_CONTINUE);
	assert_string_equal(x.output, "");
	assert_ok(step(&x, "AGFubgBzZWNyZXQ="));
	assert_done(&x, "ann", "", "secret", 6);
	end(&x);
}

static void test_plain_keeps_the_authorization_identity(void **state)
{
	struct exchange other = begin(MECH_PLAIN), same = begin(MECH_PLAIN);

	(void)state;
	assert_ok(step(&other, "em9lAGFubgBzZWNyZXQ=")); /* zoe, ann */
	assert_done(&other, "ann", "zoe", "secret", 6);
	end(&other);
	assert_ok(step(&same, "YW5uAGFubgBzZWNyZXQ=")); /* ann, ann */
	assert_done(&same, "ann", "ann", "secret", 6);
	end(&same);
}

/* As PASS would give it: SASLprep would make a space of the no-break space. */
static void test_plain_password_is_taken_as_sent(void **state)
{
	struct exchange x = begin(MECH_PLAIN);

	(void)state;
	assert_ok(step(&x, "AGFubgBhwqBi"));
	assert_done(&x, "ann", "",
		"a\xc2\xa0"
		"b",
		4);
	end(&x);
}

static void test_plain_that_is_malformed(void **state)
{
	static const char *const wrong[] = {
		"YW5u",         /* ann */
		"AGFubg==",     /* NUL ann */
		"AGFubgBhAGI=", /* NUL ann NUL a NUL b */
		"AGFubgA=",     /* no password */
		"AABzZWNyZXQ=", /* no login */
		"AAA=",         /* neither */
		"AA==",         /* one NUL */
		"AGFubgD/",     /* not UTF-8 */
		"=",            /* empty initial response */
		NULL,
	};

	(void)state;
	for (const char *const *input = wrong; *input; input++)
		assert_refused(MECH_PLAIN, (const char *const[]){ *input, NULL });
	assert_refused(MECH_PLAIN, (const char *const[]){ "", "", NULL });
	assert_refused(MECH_PLAIN, (const char *const[]){ "", "=", NULL });
}

static void test_base64_is_strict(void **state)
{
	static const char *const wrong[] = {
		"AGFubgBzZWNyZXQ",   /* no padding */
		"AGFubgBzZWNyZXQ==", /* too much */
		"AGFubgBzZWNyZXR=",  /* spare bits set */
		"AGFubgBzZWNyZXQ=A", /* more behind the padding */
		"AGFubgBzZWNyZXQ=AGFubg==",
		" AGFubgBzZWNyZXQ=",
		"AGFubgBzZWNyZXQ= ",
		"AGFu bgBzZWNyZXQ=",
		"AGFu\nbgBzZWNyZXQ=",
		"AGFubgBzZWNyZXQ=\r\n",
		"A-Fu_gBzZWNyZXQ=", /* base64url */
		"AGFubgBzZWNyZ*==",
		"*",
		"==",
		"A",
		"\xc3\xa4",
		NULL,
	};

	(void)state;
	for (const char *const *input = wrong; *input; input++) {
		assert_refused(MECH_PLAIN, (const char *const[]){ *input, NULL });
		assert_refused(MECH_PLAIN, (const char *const[]){ "", *input, NULL });
		assert_refused(MECH_LOGIN, (const char *const[]){ "", "YW5u", *input, NULL });
	}
}

static void test_login(void **state)
{
	struct exchange x = begin(MECH_LOGIN);

	(void)state;
	assert_ok(step(&x, ""));
	assert_string_equal(x.output, "VXNlcm5hbWU6");
	assert_ok(step(&x, "YW5u"));
	assert_int_equal(x.state, SASL_CONTINUE);
	assert_string_equal(x.output, "UGFzc3dvcmQ6");
	assert_ok(step(&x, "c2VjcmV0"));
	assert_done(&x, "ann", "", "secret", 6);
	end(&x);
}

static void test_login_with_its_name_at_once(void **state)
{
	struct exchange x = begin(MECH_LOGIN);

	(void)state;
	assert_ok(step(&x, "YW5u"));
	assert_int_equal(x.state, SASL_CONTINUE);
	assert_string_equal(x.output, "UGFzc3dvcmQ6");
	assert_ok(step(&x, "c2VjcmV0"));
	assert_done(&x, "ann", "", "secret", 6);
	end(&x);
}

static void test_login_that_is_malformed(void **state)
{
	(void)state;
	assert_refused(MECH_LOGIN, (const char *const[]){ "=", NULL });
	assert_refused(MECH_LOGIN, (const char *const[]){ "", "", NULL });
	assert_refused(MECH_LOGIN, (const char *const[]){ "", "=", NULL });
	assert_refused(MECH_LOGIN, (const char *const[]){ "", "YW5u", "", NULL });
	assert_refused(MECH_LOGIN, (const char *const[]){ "", "YQBi", NULL });         /* a NUL b */
	assert_refused(MECH_LOGIN, (const char *const[]){ "", "YW5u", "YQBi", NULL }); /* a NUL b */
}

/* The base64 of n octets 'a'. */
static char *many_a(size_t n)
{
	char *text = mem_alloc(n / 3 * 4 + 1);

	assert_int_equal(n % 3, 0);
	for (size_t i = 0; i < n / 3; i++)
		memcpy(text + 4 * i, "YWFh", 4);
	text[n / 3 * 4] = '\0';
	return text;
}

static void test_sizes_are_bounded(void **state)
{
	cleanup(free_cleanup) char *too_long = many_a(49155); /* 65,540 octets of base64 */
	cleanup(free_cleanup) char *longest = many_a(49152);  /* 65,536 */
	cleanup(free_cleanup) char *long_name = many_a(1026);
	cleanup(free_cleanup) char *name = many_a(1023);
	struct exchange x = begin(MECH_LOGIN);

	(void)state;
	assert_refused(MECH_PLAIN, (const char *const[]){ too_long, NULL });
	assert_refused(MECH_LOGIN, (const char *const[]){ "", long_name, "YWFh", NULL });
	assert_ok(step(&x, name));
	assert_ok(step(&x, longest));
	assert_int_equal(x.state, SASL_DONE);
	assert_int_equal(strlen(x.credentials.login), 1023);
	assert_int_equal(secret_length(x.credentials.secret), 49152);
	end(&x);
}

static void test_finished_exchange_takes_no_more(void **state)
{
	struct exchange x = begin(MECH_PLAIN);

	(void)state;
	assert_ok(step(&x, "AGFubgBzZWNyZXQ="));
	assert_scope(step(&x, "AGFubgBzZWNyZXQ="), ERR_INVALID);
	assert_done(&x, "ann", "", "secret", 6);
	end(&x);
	assert_null(x.credentials.login);
}

static void test_many_exchanges_at_once(void **state)
{
	struct exchange a = begin(MECH_LOGIN), b = begin(MECH_LOGIN);

	(void)state;
	assert_ok(step(&a, "YW5u"));
	assert_ok(step(&b, "em9l"));
	assert_ok(step(&a, "c2VjcmV0"));
	assert_ok(step(&b, "b3Rocg=="));
	assert_done(&a, "ann", "", "secret", 6);
	assert_done(&b, "zoe", "", "othr", 4);
	end(&a);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_mechanisms),
		cmocka_unit_test(test_unknown_mechanism),
		cmocka_unit_test(test_plain_with_initial_response),
		cmocka_unit_test(test_plain_without_initial_response),
		cmocka_unit_test(test_plain_keeps_the_authorization_identity),
		cmocka_unit_test(test_plain_password_is_taken_as_sent),
		cmocka_unit_test(test_plain_that_is_malformed),
		cmocka_unit_test(test_base64_is_strict),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_with_its_name_at_once),
		cmocka_unit_test(test_login_that_is_malformed),
		cmocka_unit_test(test_sizes_are_bounded),
		cmocka_unit_test(test_finished_exchange_takes_no_more),
		cmocka_unit_test(test_many_exchanges_at_once),
	};

	return cmocka_run_group_tests_name("sasl", tests, NULL, NULL);
}
