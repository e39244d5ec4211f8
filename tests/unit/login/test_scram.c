/* SCRAM keys: in a users file, from a password, and for logins that have none. */
#include "tests/unit/login/fixture.h"

#include <stdio.h>
#include <string.h>

#include "proxy/login/hash.h"
#include "proxy/login/scram.h"
#include "proxy/login/scram_lookup.h"

/* What the exchange of RFC 7677 section 3 proves, password "pencil". */
#define RFC_SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define STORED   "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SERVER   "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void test_keys_of_rfc_7677(void **state)
{
	struct scram_keys keys, derived;

	(void)state;
	assert_null(scram_parse("4096," RFC_SALT "," STORED "," SERVER, &keys));
	assert_int_equal(keys.iterations, 4096);
	assert_int_equal(keys.salt_length, 16);
	derived = keys;
	memset(derived.stored_key, 0, SCRAM_KEY);
	memset(derived.server_key, 0, SCRAM_KEY);
	assert_true(scram_derive("pencil", &derived));
	assert_memory_equal(derived.stored_key, keys.stored_key, SCRAM_KEY);
	assert_memory_equal(derived.server_key, keys.server_key, SCRAM_KEY);
	assert_true(scram_derive("pencils", &derived));
	assert_memory_not_equal(derived.stored_key, keys.stored_key, SCRAM_KEY);
}

static void test_malformed_keys(void **state)
{
	static const char *const wrong[] = {
		"",
		"4096",
		"4096,",
		"4096," RFC_SALT,
		"4096," RFC_SALT "," STORED,
		"4096," RFC_SALT "," STORED ",",
		"4096," RFC_SALT "," STORED "," SERVER ",",
		"4096," RFC_SALT "," STORED "," SERVER " ",
		"4096,," STORED "," SERVER,
		"4096,c2FsdA==," STORED "," SERVER, /* a salt of 4 octets */
		"4096,W22ZaJ0SNY7soEsUEjb6gQ," STORED "," SERVER,
		"4096,W22ZaJ0SNY7soEsUEjb6gR==," STORED "," SERVER, /* spare bits */
		"4096,W22ZaJ0SNY7soEsUEjb6g!==," STORED "," SERVER,
		"4096, W22ZaJ0SNY7soEsUEjb6g==," STORED "," SERVER,
		"4096," RFC_SALT ",c2hvcnQ=," SERVER,
		"4096," RFC_SALT "," STORED ",c2hvcnQ=",
		"04096," RFC_SALT "," STORED "," SERVER,
		"-4096," RFC_SALT "," STORED "," SERVER,
		"4095," RFC_SALT "," STORED "," SERVER,
		"10000001," RFC_SALT "," STORED "," SERVER,
		"99999999999," RFC_SALT "," STORED "," SERVER,
		"x," RFC_SALT "," STORED "," SERVER,
		NULL,
	};
	struct scram_keys keys;

	(void)state;
	for (const char *const *text = wrong; *text; text++)
		if (!scram_parse(*text, &keys))
			fail_msg("accepted: %s", *text);
	assert_null(scram_parse("10000000," RFC_SALT "," STORED "," SERVER, &keys));
}

static void test_made_keys_fit_their_password(void **state)
{
	char first[HASH_MAX], second[HASH_MAX];
	struct scram_keys keys, again;

	(void)state;
	assert_ok(scram_make("pencil", first, sizeof(first)));
	assert_ok(scram_make("pencil", second, sizeof(second)));
	assert_string_not_equal(first, second);
	assert_true(scram_is(first));
	assert_null(scram_parse(first + strlen(SCRAM_SCHEME), &keys));
	assert_int_equal(keys.iterations, SCRAM_ITERATIONS);
	again = keys;
	assert_true(scram_derive("pencil", &again));
	assert_memory_equal(&again, &keys, sizeof(keys));
}

/* The client prepares the password; so must we. */
static void test_passwords_are_prepared(void **state)
{
	struct scram_keys composed = { .iterations = 4096, .salt_length = 8 }, apart = composed;
	struct scram_keys none = composed;
	unsigned char zero[SCRAM_KEY] = { 0 };
	char made[HASH_MAX];

	(void)state;
	assert_true(scram_derive("gr\u00f6\u00dfe", &composed));
	assert_true(scram_derive("gro\u0308\u00dfe", &apart));
	assert_memory_equal(composed.stored_key, apart.stored_key, SCRAM_KEY);
	/* no password of anybody: a control character, no UTF-8, nothing left */
	assert_false(scram_derive("a\ab", &none));
	assert_memory_equal(none.stored_key, zero, SCRAM_KEY);
	assert_false(scram_derive("\xff", &none));
	assert_false(scram_derive("\u00ad", &none));
	assert_scope(scram_make("a\ab", made, sizeof(made)), ERR_INVALID);
	assert_scope(scram_make("", made, sizeof(made)), ERR_INVALID);
}

/* Lookups */

static struct {
	struct config config;
	struct tenant tenants[3];
} world;

static int world_setup(void **state)
{
	const char *none = "";

	memset(&world, 0, sizeof(world));
	world.config.tenants = world.tenants;
	world.config.n_tenants = 3;
	world.config.login_name.lower_case = true;
	world.config.login_name.separators = "@";
	world.config.login_name.default_domain = none;
	world.config.login_name.folder_separator = none;
	for (size_t i = 0; i < 3; i++) {
		struct tenant *tenant = &world.tenants[i];
		static const char *domains[] = { "plain.test", "one.test", "two.test" };

		tenant->name = domains[i];
		tenant->match.domains = (struct string_list){ &domains[i], 1 };
		tenant->store = STORE_IMAP;
		tenant->maildrop.folder = "INBOX";
		tenant->auth.users_file = none;
		tenant->auth.mechanisms = MECH_PLAIN;
	}
	for (size_t i = 1; i < 3; i++)
		world.tenants[i].auth.mechanisms = MECH_PLAIN | MECH_SCRAM_SHA_256;
	return folder_setup(state);
}

static void users_of(size_t tenant, const char *name, const char *text)
{
	world.tenants[tenant].auth.users_file = path_of(name);
	write_file(path_of(name), text);
}

struct lookup {
	const char *login;
	struct scram_keys keys;
	bool known;
	struct err error;
};

static void look(void *arg)
{
	struct lookup *l = arg;
	struct route_query query = { .login = l->login };

	l->error = scram_lookup(&world.config, &query, &l->keys, &l->known);
}

static struct lookup look_up(const char *login)
{
	struct lookup l = { .login = login };

	in_fiber(look, &l);
	return l;
}

static bool same(const struct lookup *a, const struct lookup *b)
{
	return a->keys.iterations == b->keys.iterations &&
	       a->keys.salt_length == b->keys.salt_length &&
	       memcmp(a->keys.salt, b->keys.salt, a->keys.salt_length) == 0 &&
	       memcmp(a->keys.stored_key, b->keys.stored_key, SCRAM_KEY) == 0 &&
	       memcmp(a->keys.server_key, b->keys.server_key, SCRAM_KEY) == 0;
}

#define KEYS_5000 "{SCRAM-SHA-256}5000,c2FsdHNhbHQ=," STORED "," SERVER

static void test_known_logins_get_their_keys(void **state)
{
	struct lookup l;

	(void)state;
	users_of(1, "known.users", "ann@one.test:" HASH_SCRAM "\n");
	users_of(2, "known2.users", "ann@two.test:" KEYS_5000 "\n");
	l = look_up("Ann@one.test");
	assert_ok(l.error);
	assert_true(l.known);
	assert_int_equal(l.keys.iterations, 4096);
	assert_memory_equal(l.keys.salt, "saltsaltsaltsalt", 16);
	l = look_up("ann@two.test");
	assert_true(l.known);
	assert_int_equal(l.keys.iterations, 5000);
}

static void assert_unknown(const char *login, uint32_t iterations, size_t salt_length)
{
	struct lookup l = look_up(login), again = look_up(login);

	assert_ok(l.error);
	assert_false(l.known);
	assert_int_equal(l.keys.iterations, iterations);
	assert_int_equal(l.keys.salt_length, salt_length);
	assert_true(same(&l, &again));
}

static void test_others_get_keys_that_look_like_the_files(void **state)
{
	struct lookup a, b;

	(void)state;
	users_of(0, "plain.users", "ann@plain.test:" HASH_SCRAM "\n");
	users_of(1, "many.users",
		"ann@one.test:" HASH_SCRAM "\nbob@one.test:" KEYS_5000 "\ncid@one.test:" KEYS_5000
		"\neve@one.test:" HASH_SHA512 "\n");
	assert_unknown("nobody@one.test", 5000, 8);
	assert_unknown("eve@one.test", 5000, 8);   /* a hash, no keys */
	assert_unknown("ann@plain.test", 5000, 8); /* the tenant does not take it */
	assert_unknown("ann@nowhere.test", 5000, 8);
	assert_unknown("", 5000, 8);
	assert_unknown("\xff", 5000, 8);
	a = look_up("nobody@one.test");
	b = look_up("nobodx@one.test");
	assert_false(same(&a, &b));
	b = look_up("NOBODY@one.test");
	assert_true(same(&a, &b));
	a = look_up("x@nowhere.test");
	b = look_up("X@NOWHERE.TEST");
	assert_true(same(&a, &b));
}

static void test_shown_salts_survive_additions(void **state)
{
	struct lookup before, after;

	(void)state;
	users_of(1, "growing.users", "ann@one.test:" HASH_SCRAM "\nbob@one.test:" HASH_SCRAM "\n");
	before = look_up("nobody@one.test");
	users_of(1, "growing.users",
		"ann@one.test:" HASH_SCRAM "\nbob@one.test:" HASH_SCRAM "\ncid@one.test:" HASH_SCRAM
		"\n");
	after = look_up("nobody@one.test");
	assert_true(same(&before, &after));
	/* another file, other salts: nobody can compute them without it */
	users_of(1, "growing.users", "ann@one.test:" HASH_SCRAM "\nbob@one.test:" KEYS_5000 "\n");
	after = look_up("nobody@one.test");
	assert_false(same(&before, &after));
}

static void test_file_without_keys_shows_those_of_new_ones(void **state)
{
	(void)state;
	users_of(1, "hashes.users", "eve@one.test:" HASH_SHA512 "\n");
	assert_unknown("eve@one.test", SCRAM_ITERATIONS, SCRAM_SALT_NEW);
	users_of(1, "nothing.users", "");
	assert_unknown("eve@one.test", SCRAM_ITERATIONS, SCRAM_SALT_NEW);
}

static void test_unreadable_file_is_temporary(void **state)
{
	struct lookup l;

	(void)state;
	world.tenants[1].auth.users_file = path_of("missing.users");
	l = look_up("ann@one.test");
	assert_scope(l.error, ERR_TEMP);
	l = look_up("ann@nowhere.test");
	assert_scope(l.error, ERR_TEMP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_of_rfc_7677),
		cmocka_unit_test(test_malformed_keys),
		cmocka_unit_test(test_made_keys_fit_their_password),
		cmocka_unit_test(test_passwords_are_prepared),
		cmocka_unit_test_setup_teardown(
			test_known_logins_get_their_keys, world_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_others_get_keys_that_look_like_the_files,
			world_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(
			test_shown_salts_survive_additions, world_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_file_without_keys_shows_those_of_new_ones,
			world_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(
			test_unreadable_file_is_temporary, world_setup, folder_teardown),
	};

	return cmocka_run_group_tests_name("scram", tests, NULL, NULL);
}
