#include "tests/unit/login/fixture.h"

#include <stdio.h>
#include <string.h>

#include "proxy/login/hash.h"
#include "proxy/runtime/wait.h"

struct vector {
	const char *hash, *kind, *cost;
};

static const struct vector vectors[] = {
	{ HASH_YESCRYPT, "yescrypt", "$y$j75$" },
	{ HASH_BCRYPT, "bcrypt", "$2b$04$" },
	{ HASH_BCRYPT_2A, "bcrypt", "$2a$04$" },
	{ HASH_BCRYPT_2Y, "bcrypt", "$2y$04$" },
	{ HASH_SHA512, "sha512", "$6$rounds=1000$" },
	{ HASH_SHA512_PLAIN, "sha512", "$6$" },
	{ HASH_SHA256, "sha256", "$5$" },
	{ HASH_ARGON2ID, "argon2id", "$argon2id$v=19$m=64,t=1,p=1$" },
	{ HASH_ARGON2ID_OLD, "argon2id", "$argon2id$v=16$m=128,t=1,p=1$" },
	{ HASH_ARGON2I, "argon2i", "$argon2i$v=19$m=64,t=1,p=2$" },
	{ HASH_SCRAM, "scram-sha-256", "{SCRAM-SHA-256}4096," },
	{ NULL, NULL, NULL },
};

struct question {
	const char *hash;
	const char *password;
	size_t length;
	struct err error;
	bool match;
};

static void ask(void *arg)
{
	struct question *q = arg;
	cleanup(secret_cleanup) struct secret *password = secret_new(q->password, q->length);

	q->error = hash_verify(q->hash, password, &q->match);
}

static bool matches(const char *hash, const char *password, size_t length)
{
	struct question q = { .hash = hash, .password = password, .length = length };

	in_fiber(ask, &q);
	assert_ok(q.error);
	return q.match;
}

static void test_every_kind_takes_its_password_only(void **state)
{
	(void)state;
	for (const struct vector *v = vectors; v->hash; v++) {
		const char *kind = "";

		assert_null(hash_check(v->hash, &kind));
		assert_string_equal(kind, v->kind);
		assert_int_equal(hash_cost_length(v->hash), strlen(v->cost));
		assert_memory_equal(v->hash, v->cost, strlen(v->cost));
		assert_true(matches(v->hash, PASSWORD, strlen(PASSWORD)));
		assert_false(matches(v->hash, "correct horsf", 13));
		assert_false(matches(v->hash, "", 0));
	}
}

static void test_password_with_nul_or_too_long_never_fits(void **state)
{
	char hash[HASH_MAX];
	char longest[HASH_PASSWORD_MAX + 1];
	cleanup(secret_cleanup) struct secret *password = NULL;

	(void)state;
	/* crypt(3) would see "correct horse" */
	for (const struct vector *v = vectors; v->hash; v++)
		assert_false(matches(v->hash, PASSWORD "\0more", sizeof(PASSWORD "\0more") - 1));
	memset(longest, 'a', sizeof(longest));
	assert_true(matches(HASH_OF_EMPTY, "", 0));
	assert_false(matches(HASH_OF_EMPTY, "\0x", 2));
	assert_false(matches(HASH_OF_EMPTY, longest, sizeof(longest)));
	password = secret_new(longest, HASH_PASSWORD_MAX);
	assert_ok(hash_make(HASH_FORM_YESCRYPT, password, hash));
	assert_true(matches(hash, longest, HASH_PASSWORD_MAX));
	assert_false(matches(hash, longest, HASH_PASSWORD_MAX + 1));
}

static void test_weak_broken_and_costly_hashes_are_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"secret",
		"x",
		"*",
		"!",
		"!" HASH_SHA256,
		"abiQ6Ep3EYTHc",                 /* DES */
		"$1$abc$OGyl6dDvZCDiGmIVbeuCq/", /* MD5 */
		"$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
		"$6$",
		"$6$abcdefgh",
		"$6$abcdefgh$",
		"$6$rounds=999$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rPerjHm"
		"AqL7r6PK6CIeYnO9.vxpbsevscg/",
		"$6$rounds=99999999$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rP"
		"erjHmAqL7r6PK6CIeYnO9.vxpbsevscg/",
		"$6$rounds=x$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rPerjHmAq"
		"L7r6PK6CIeYnO9.vxpbsevscg/",
		"$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7e",   /* one short */
		"$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eBB", /* one too many */
		"$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7e=",
		"$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB ",
		"$2b$03$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
		"$2b$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
		"$2b$4$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
		"$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6",
		"$y$",
		"$y$j",
		"$y$j75$abcdefgh",
		"$y$j75$abcdefgh$Jakf0CHhzdQOivqISxvBXCIRIaxY0Fs1wJGsJSurry",
		"$y$jJT$abcdefgh$Jakf0CHhzdQOivqISxvBXCIRIaxY0Fs1wJGsJSurry/", /* 4 GiB */
		"$argon2d$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$Kw3/"
		"ZjLNvvrvmWv7DSmJdvIaVuO5yzpUAyMmNiC",
		"$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0",
		"$argon2id$v=20$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$Kw3/"
		"ZjLNvvrvmWv7DSmJdvIaVuO5yzpUAyMmNiC",
		"$argon2id$v=19$m=2097152,t=1,p=1$c2FsdHNhbHRzYWx0$Kw3/"
		"ZjLNvvrvmWv7DSmJdvIaVuO5yzpUA",
		"$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHRzYWx0$Kw3/"
		"ZjLNvvrvmWv7DSmJdvIaVuO5yzpUAyMmNiC",
		"$argon2id$v=19$m=64,t=1,p=9$c2FsdHNhbHRzYWx0$Kw3/"
		"ZjLNvvrvmWv7DSmJdvIaVuO5yzpUAyMmNiC",
		"$argon2id$v=19$m=64,t=1,p=0$c2FsdHNhbHRzYWx0$Kw3/"
		"ZjLNvvrvmWv7DSmJdvIaVuO5yzpUAyMmNiC",
		"$argon2id$v=19$m=-64,t=1,p=1$c2FsdHNhbHRzYWx0$Kw3/"
		"ZjLNvvrvmWv7DSmJdvIaVuO5yzpUAyMmNi",
		"$argon2id$v=19$m=64,t=1,p=1$c2Fs$Kw3/ZjLNvvrvmWv7DSmJdvIaVuO5yzpUAyMmNiCnHLI",
		NULL,
	};
	const char *kind = NULL;

	(void)state;
	for (const char *const *hash = wrong; *hash; hash++)
		if (!hash_check(*hash, &kind))
			fail_msg("accepted: %s", *hash);
	assert_null(kind);
}

static void test_schemes(void **state)
{
	(void)state;
	assert_string_equal(hash_skip_scheme("$6$x"), "$6$x");
	assert_string_equal(hash_skip_scheme("{CRYPT}$6$x"), "$6$x");
	assert_string_equal(hash_skip_scheme("{blf-crypt}$2b$x"), "$2b$x");
	assert_string_equal(hash_skip_scheme("{SHA512-CRYPT}$6$x"), "$6$x");
	assert_string_equal(hash_skip_scheme("{SHA256-CRYPT}$5$x"), "$5$x");
	assert_string_equal(hash_skip_scheme("{ARGON2ID}$argon2id$x"), "$argon2id$x");
	assert_string_equal(hash_skip_scheme("{ARGON2I}$argon2i$x"), "$argon2i$x");
	assert_null(hash_skip_scheme("{PLAIN}secret"));
	assert_null(hash_skip_scheme("{SHA512-CRYPT"));
}

static void test_uncomputable_hash_is_an_error(void **state)
{
	/* well formed, but libxcrypt knows no such yescrypt flavour */
	struct question q = { .hash = "$y$z75$abcdefgh$Jakf0CHhzdQOivqISxvBXCIRIaxY0Fs1wJGsJSurry/",
		.password = PASSWORD,
		.length = strlen(PASSWORD) };

	(void)state;
	in_fiber(ask, &q);
	assert_scope(q.error, ERR_TEMP);
}

static void test_made_hash_fits(void **state)
{
	cleanup(secret_cleanup) struct secret *password = secret_of(PASSWORD);
	cleanup(secret_cleanup) struct secret *empty = secret_of("");
	cleanup(secret_cleanup) struct secret *nul = secret_new("a\0b", 3);
	char first[HASH_MAX], second[HASH_MAX];
	const char *kind = "";

	(void)state;
	assert_ok(hash_make(HASH_FORM_YESCRYPT, password, first));
	assert_ok(hash_make(HASH_FORM_YESCRYPT, password, second));
	assert_string_not_equal(first, second);
	assert_null(hash_check(first, &kind));
	assert_string_equal(kind, "yescrypt");
	assert_true(matches(first, PASSWORD, strlen(PASSWORD)));
	assert_false(matches(first, "Correct horse", strlen(PASSWORD)));
	assert_scope(hash_make(HASH_FORM_YESCRYPT, empty, first), ERR_INVALID);
	assert_scope(hash_make(HASH_FORM_YESCRYPT, nul, first), ERR_INVALID);
}

/* What an unknown tenant costs is what a login of ours costs. */
static void test_nobody_costs_what_made_hashes_cost(void **state)
{
	cleanup(secret_cleanup) struct secret *password = secret_of(PASSWORD);
	char made[HASH_MAX];
	const char *kind = "";

	(void)state;
	assert_ok(hash_make(HASH_FORM_YESCRYPT, password, made));
	assert_null(hash_check(hash_nobody, &kind));
	assert_int_equal(hash_cost_length(hash_nobody), hash_cost_length(made));
	assert_memory_equal(hash_nobody, made, hash_cost_length(made));
	assert_int_equal(strlen(hash_nobody), strlen(made));
	assert_false(matches(hash_nobody, PASSWORD, strlen(PASSWORD)));
}

static unsigned seen_count;
static char seen_cost[HASH_MAX];

static void see(const char *cost, void *arg)
{
	(void)arg;
	seen_count++;
	snprintf(seen_cost, sizeof(seen_cost), "%s", cost);
}

static void test_impossible_passwords_cost_the_same(void **state)
{
	char longest[HASH_PASSWORD_MAX + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	hash_observe(see, NULL);
	seen_count = 0;
	assert_false(matches(HASH_YESCRYPT, longest, sizeof(longest)));
	assert_int_equal(seen_count, 1);
	assert_string_equal(seen_cost, "$y$j75$");
	assert_false(matches(HASH_YESCRYPT, "a\0b", 3));
	assert_int_equal(seen_count, 2);
	hash_observe(NULL, NULL);
}

#define CROWD 12

static struct question crowd[CROWD];

static void spawn_crowd(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = (struct question){ .hash = vectors[i % 10].hash,
			.password = i % 2 ? PASSWORD : "wrong",
			.length = i % 2 ? strlen(PASSWORD) : 5 };
		fiber_spawn("one", ask, &crowd[i]);
	}
}

static void test_many_at_once(void **state)
{
	(void)state;
	in_fiber(spawn_crowd, NULL);
	for (size_t i = 0; i < CROWD; i++) {
		assert_ok(crowd[i].error);
		assert_int_equal(crowd[i].match, i % 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_takes_its_password_only),
		cmocka_unit_test(test_password_with_nul_or_too_long_never_fits),
		cmocka_unit_test(test_weak_broken_and_costly_hashes_are_refused),
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_uncomputable_hash_is_an_error),
		cmocka_unit_test(test_made_hash_fits),
		cmocka_unit_test(test_nobody_costs_what_made_hashes_cost),
		cmocka_unit_test(test_impossible_passwords_cost_the_same),
		cmocka_unit_test(test_many_at_once),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
