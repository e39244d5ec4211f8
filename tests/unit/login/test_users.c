#include "tests/unit/login/fixture.h"

#include <stdio.h>
#include <string.h>

#include "proxy/login/users.h"

#define SCRAM_OTHER                                                                                \
	"5000,c2FsdHNhbHQ=,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,"                          \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

struct wrong {
	unsigned line;
	char text[80];
};

struct parsed {
	struct err error;
	struct users *users;
	struct wrong wrong[8];
	size_t n_wrong;
};

static void report(unsigned line, const char *text, void *arg)
{
	struct parsed *p = arg;

	assert_true(p->n_wrong < 8);
	p->wrong[p->n_wrong].line = line;
	snprintf(p->wrong[p->n_wrong++].text, sizeof(p->wrong[0].text), "%s", text);
}

static struct parsed parse_octets(const char *text, size_t n)
{
	struct parsed p = { .n_wrong = 0 };
	char *copy = mem_alloc(n + 1);

	memcpy(copy, text, n);
	copy[n] = '\0';
	p.error = users_parse("some.users", copy, n, report, &p, &p.users);
	return p;
}

static struct parsed parse(const char *text)
{
	return parse_octets(text, strlen(text));
}

static void test_lines_comments_and_schemes(void **state)
{
	struct parsed p = parse("# who may enter\n"
				"\n"
				"zoe@a.example:" HASH_SHA512 "\n"
				"  \t\n"
				"ann@a.example:{BLF-CRYPT}" HASH_BCRYPT "\r\n"
				"#bob@a.example:nothing\n"
				"J\xc3\xb6rg:" HASH_ARGON2ID);

	(void)state;
	assert_ok(p.error);
	assert_int_equal(p.users->n, 3);
	assert_string_equal(p.users->entries[0].login, "zoe@a.example");
	assert_string_equal(users_find(p.users, "zoe@a.example")->hash, HASH_SHA512);
	assert_string_equal(users_find(p.users, "ann@a.example")->hash, HASH_BCRYPT);
	assert_string_equal(users_find(p.users, "ann@a.example")->kind, "bcrypt");
	assert_int_equal(users_find(p.users, "ann@a.example")->line, 5);
	assert_string_equal(users_find(p.users, "J\xc3\xb6rg")->hash, HASH_ARGON2ID);
	assert_null(users_find(p.users, "bob@a.example"));
	assert_null(users_find(p.users, "Ann@a.example"));
	assert_null(users_find(p.users, ""));
	users_free(p.users);
}

static void test_scram_keys_among_hashes(void **state)
{
	struct parsed p = parse("ann:" HASH_SHA512 "\n"
				"bob:" HASH_SHA512 "\n"
				"cid:" HASH_SCRAM "\n"
				"dan:{scram-sha-256}" SCRAM_OTHER "\n"
				"eve:{SCRAM-SHA-256}" SCRAM_OTHER "\n");

	(void)state;
	assert_ok(p.error);
	assert_string_equal(users_find(p.users, "cid")->hash, HASH_SCRAM);
	assert_string_equal(users_find(p.users, "dan")->kind, "scram-sha-256");
	assert_non_null(strstr(users_typical_scram(p.users), "}5000,"));
	assert_string_equal(users_typical_hash(p.users), HASH_SHA512);
	users_free(p.users);
	p = parse("ann:" HASH_SHA512 "\n");
	assert_null(users_typical_scram(p.users));
	users_free(p.users);
	/* keys without their scheme are no hash */
	p = parse("ann:" SCRAM_OTHER "\n");
	assert_scope(p.error, ERR_INVALID);
}

static void test_empty_file(void **state)
{
	struct parsed p = parse("");

	(void)state;
	assert_ok(p.error);
	assert_int_equal(p.users->n, 0);
	assert_null(users_find(p.users, "ann"));
	assert_null(users_typical_hash(p.users));
	users_free(p.users);
}

static void test_every_malformed_line_is_told(void **state)
{
	struct parsed p = parse("ann:" HASH_BCRYPT "\n"
				"no colon here\n"
				":" HASH_BCRYPT "\n"
				"bob:" HASH_BCRYPT ":1000\n"
				"cid:secret\n"
				"dan:{PLAIN}secret\n"
				" eve:" HASH_BCRYPT "\n"
				"f\x01"
				"ay:" HASH_BCRYPT "\n");

	(void)state;
	assert_scope(p.error, ERR_INVALID);
	assert_string_equal(p.error.detail, "some.users:2: a line is login:hash");
	assert_int_equal(p.n_wrong, 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(p.wrong[i].line, i + 2);
	assert_string_equal(p.wrong[1].text, "the login is empty");
	assert_non_null(strstr(p.wrong[2].text, "more than one"));
	assert_non_null(strstr(p.wrong[3].text, "accepted kind"));
	assert_non_null(strstr(p.wrong[4].text, "unknown scheme"));
	assert_non_null(strstr(p.wrong[5].text, "white space"));
	assert_non_null(strstr(p.wrong[6].text, "control octet"));
}

static void test_duplicate_login_is_malformed(void **state)
{
	struct parsed p = parse("ann:" HASH_BCRYPT "\nbob:" HASH_BCRYPT "\nann:" HASH_SHA256 "\n");

	(void)state;
	assert_scope(p.error, ERR_INVALID);
	assert_string_equal(p.error.detail, "some.users:3: this login stands in the file already");
	assert_int_equal(p.n_wrong, 1);
}

static void test_first_mistake_of_the_file_is_in_the_error(void **state)
{
	/* found in another order: a duplicate only shows when all lines are read */
	struct parsed p = parse("ann:" HASH_BCRYPT "\nann:" HASH_BCRYPT "\nrubbish\n");

	(void)state;
	assert_string_equal(p.error.detail, "some.users:2: this login stands in the file already");
	assert_int_equal(p.n_wrong, 2);
}

static void test_nul_is_malformed(void **state)
{
	static const char text[] = "ann:" HASH_BCRYPT "\0:x\n";
	struct parsed p = parse_octets(text, sizeof(text) - 1);

	(void)state;
	assert_scope(p.error, ERR_INVALID);
	assert_string_equal(p.error.detail, "some.users:1: the line holds a NUL");
}

static void test_typical_hash_has_the_commonest_cost(void **state)
{
	struct parsed p = parse("a:" HASH_SHA512 "\nb:" HASH_BCRYPT "\nc:" HASH_SHA256
				"\nd:" HASH_BCRYPT "\ne:" HASH_SHA512_PLAIN "\n");

	(void)state;
	assert_ok(p.error);
	assert_string_equal(users_typical_hash(p.users), HASH_BCRYPT);
	users_free(p.users);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_comments_and_schemes),
		cmocka_unit_test(test_scram_keys_among_hashes),
		cmocka_unit_test(test_empty_file),
		cmocka_unit_test(test_every_malformed_line_is_told),
		cmocka_unit_test(test_duplicate_login_is_malformed),
		cmocka_unit_test(test_first_mistake_of_the_file_is_in_the_error),
		cmocka_unit_test(test_nul_is_malformed),
		cmocka_unit_test(test_typical_hash_has_the_commonest_cost),
	};

	return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
