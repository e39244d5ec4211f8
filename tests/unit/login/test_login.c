#include "tests/unit/login/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/login/hash.h"
#include "proxy/login/login.h"
#include "proxy/login/users.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/wait.h"

/* One login attempt; password NULL: the octets are given. */
struct attempt {
	struct tenant tenant;
	struct account account;
	bool unknown_tenant;
	const char *password;
	enum credential_kind kind;
	struct err error;
	bool given;       /* the store was given the password */
	bool given_other; /* the store was given something else */
};

static unsigned work;
static char last_cost[HASH_MAX];

static void see(const char *cost, void *arg)
{
	(void)arg;
	work++;
	snprintf(last_cost, sizeof(last_cost), "%s", cost);
}

static unsigned warnings;
static char last_warning[1024];

static void hear(const char *line, void *arg)
{
	(void)arg;
	if (!strstr(line, "users_file_failed"))
		return;
	warnings++;
	snprintf(last_warning, sizeof(last_warning), "%s", line);
}

#define ATTEMPTS 4

/* The n-th attempt of a test, fresh. Not on the stack: a tenant is large. */
static struct attempt *attempt_at(size_t n, enum store_kind store, const char *users_file)
{
	static struct attempt attempts[ATTEMPTS];
	struct attempt *a = &attempts[n];

	memset(a, 0, sizeof(*a));
	a->tenant.name = "acme";
	a->tenant.store = store;
	a->tenant.auth.users_file = users_file;
	a->tenant.auth.pam_service = "";
	a->tenant.imap.master_user = "";
	return a;
}

static void run(void *arg)
{
	struct attempt *a = arg;
	cleanup(credentials_done) struct credentials credentials =
		credentials_of_password(MECH_PLAIN, a->account.login, secret_of(a->password));
	struct store_credentials given;

	a->account.tenant = &a->tenant;
	a->account.client_address = "192.0.2.1";
	a->error = login_verify(a->unknown_tenant ? NULL : &a->account, &credentials, &given);
	a->given = given.password == credentials.secret;
	a->given_other = given.token || given.delegated || (given.password && !a->given);
}

static struct err try_login(struct attempt *a, const char *login, const char *password)
{
	a->account.login = login;
	a->password = password;
	work = 0;
	in_fiber(run, a);
	assert_false(a->given_other);
	return a->error;
}

/* What one attempt costs: how many computations, with which parameters. */
static void assert_cost(struct attempt *a, const char *login, const char *password,
	enum err_scope scope, const char *cost)
{
	assert_scope(try_login(a, login, password), scope);
	assert_int_equal(work, 1);
	assert_string_equal(last_cost, cost);
}

static int setup(void **state)
{
	hash_observe(see, NULL);
	log_capture(hear, NULL);
	return folder_setup(state);
}

static int teardown(void **state)
{
	hash_observe(NULL, NULL);
	log_capture(NULL, NULL);
	return folder_teardown(state);
}

/* Runs first: nothing is cached. */
static void test_unknown_tenant_costs_a_default_hash(void **state)
{
	struct attempt *a = attempt_at(0, STORE_MAILDIR, "");

	(void)state;
	a->unknown_tenant = true;
	assert_cost(a, "ann", PASSWORD, ERR_AUTH, "$y$j9T$");
}

static void test_every_failure_costs_the_same(void **state)
{
	const char *path = path_of("equal.users");
	struct attempt *a = attempt_at(0, STORE_MAILDIR, path);

	(void)state;
	write_file(path, "ann:" HASH_YESCRYPT "\nbob:" HASH_YESCRYPT "\ncid:" HASH_BCRYPT "\n");
	assert_cost(a, "ann", PASSWORD, ERR_OK, "$y$j75$");
	assert_cost(a, "ann", "wrong", ERR_AUTH, "$y$j75$");
	assert_cost(a, "nobody", PASSWORD, ERR_AUTH, "$y$j75$");
	assert_cost(a, "ann", "", ERR_AUTH, "$y$j75$");
	a->unknown_tenant = true;
	assert_cost(a, "ann", PASSWORD, ERR_AUTH, "$y$j75$");
}

/* SCRAM keys serve PLAIN and USER too, at the cost of their iterations. */
static void test_every_failure_with_scram_keys_costs_the_same(void **state)
{
	const char *path = path_of("scram.users"), *cost = "{SCRAM-SHA-256}4096,";
	struct attempt *a = attempt_at(0, STORE_MAILDIR, path);

	(void)state;
	write_file(path, "ann:" HASH_SCRAM "\nbob:" HASH_SCRAM "\ncid:" HASH_BCRYPT "\n");
	assert_cost(a, "ann", PASSWORD, ERR_OK, cost);
	assert_cost(a, "ann", "wrong", ERR_AUTH, cost);
	assert_cost(a, "nobody", PASSWORD, ERR_AUTH, cost);
	assert_cost(a, "ann", "", ERR_AUTH, cost);
}

static void judge(void *arg)
{
	struct attempt *a = arg;
	char login[] = "ann", authorization[] = "";
	struct credentials credentials = { .kind = a->kind,
		.mechanism = MECH_SCRAM_SHA_256,
		.login = login,
		.authorization = authorization,
		.why = a->kind == CREDENTIAL_REFUSED ? mem_strdup("wrong proof") : NULL };
	struct store_credentials given;

	a->account.tenant = &a->tenant;
	a->error = login_verify(a->unknown_tenant ? NULL : &a->account, &credentials, &given);
	a->given_other = given.token || given.delegated || given.password;
	free(credentials.why);
}

/* What the mechanism found needs no further work, and takes none. */
static struct err judged(struct attempt *a, enum credential_kind kind, bool unknown_tenant)
{
	a->kind = kind;
	a->unknown_tenant = unknown_tenant;
	work = 0;
	in_fiber(judge, a);
	assert_int_equal(work, 0);
	assert_false(a->given_other);
	return a->error;
}

static void test_what_a_mechanism_has_proved_or_refuted(void **state)
{
	struct attempt *maildir = attempt_at(0, STORE_MAILDIR, "/nonexistent");
	struct attempt *imap = attempt_at(1, STORE_IMAP, "");
	struct attempt *master = attempt_at(2, STORE_IMAP, "");

	(void)state;
	master->tenant.imap.master_user = "popgate";
	assert_scope(judged(maildir, CREDENTIAL_PROVED, true), ERR_AUTH);
	assert_scope(judged(maildir, CREDENTIAL_REFUSED, true), ERR_AUTH);
	assert_scope(judged(maildir, CREDENTIAL_REFUSED, false), ERR_AUTH);
	assert_string_equal(maildir->error.detail, "wrong proof");
	assert_ok(judged(maildir, CREDENTIAL_PROVED, false));
	assert_ok(judged(master, CREDENTIAL_PROVED, false));
	assert_scope(judged(master, CREDENTIAL_REFUSED, false), ERR_AUTH);
	assert_scope(judged(imap, CREDENTIAL_PROVED, false), ERR_PERM);
}

static void test_empty_password_never_enters(void **state)
{
	struct attempt *a = attempt_at(0, STORE_MAILDIR, path_of("hollow.users"));

	(void)state;
	write_file(a->tenant.auth.users_file, "ann:" HASH_OF_EMPTY "\n");
	assert_cost(a, "ann", "", ERR_AUTH, "$2b$04$");
}

static void test_file_without_logins_costs_too(void **state)
{
	struct attempt *a = attempt_at(0, STORE_MAILDIR, path_of("empty.users"));

	(void)state;
	write_file(a->tenant.auth.users_file, "# nobody yet\n");
	assert_scope(try_login(a, "ann", PASSWORD), ERR_AUTH);
	assert_int_equal(work, 1);
}

static void test_what_the_store_is_given(void **state)
{
	const char *path = path_of("given.users");
	struct attempt *maildir = attempt_at(0, STORE_MAILDIR, path);
	struct attempt *imap = attempt_at(1, STORE_IMAP, path);
	struct attempt *master = attempt_at(2, STORE_IMAP, path);
	struct attempt *direct = attempt_at(3, STORE_IMAP, "");

	(void)state;
	write_file(path, "ann:" HASH_BCRYPT "\n");
	master->tenant.imap.master_user = "popgate";
	assert_ok(try_login(maildir, "ann", PASSWORD));
	assert_false(maildir->given);
	assert_ok(try_login(imap, "ann", PASSWORD));
	assert_true(imap->given);
	assert_ok(try_login(master, "ann", PASSWORD));
	assert_false(master->given);
	assert_scope(try_login(imap, "ann", "wrong"), ERR_AUTH);
	assert_false(imap->given);
	assert_scope(try_login(master, "ann", "wrong"), ERR_AUTH);
	/* the server itself decides */
	assert_ok(try_login(direct, "ann", "whatever"));
	assert_true(direct->given);
	assert_int_equal(work, 0);
	assert_scope(try_login(direct, "ann", ""), ERR_AUTH);
}

/* Whoever the configuration lets nobody check must not get in unchecked. */
static void test_tenant_without_a_source_lets_nobody_in(void **state)
{
	struct attempt *maildir = attempt_at(0, STORE_MAILDIR, NULL);
	struct attempt *master = attempt_at(1, STORE_IMAP, "");

	(void)state;
	maildir->tenant.auth.pam_service = NULL;
	master->tenant.imap.master_user = "popgate";
	assert_scope(try_login(maildir, "ann", PASSWORD), ERR_PERM);
	assert_scope(try_login(master, "ann", PASSWORD), ERR_PERM);
}

static void test_pam_service_is_asked(void **state)
{
	struct attempt *a = attempt_at(0, STORE_IMAP, "");

	(void)state;
	a->tenant.auth.pam_service = "popgate-no-such-service";
	assert_true(failed(try_login(a, "ann", PASSWORD)));
	assert_non_null(strstr(a->error.detail, "popgate-no-such-service"));
	assert_false(a->given);
}

static void test_change_of_the_file_is_seen_at_the_next_login(void **state)
{
	const char *path = path_of("changing.users"), *other = path_of("other.users");
	struct attempt *a = attempt_at(0, STORE_MAILDIR, path);

	(void)state;
	write_file(path, "ann:" HASH_BCRYPT "\n");
	assert_ok(try_login(a, "ann", PASSWORD));
	assert_scope(try_login(a, "bob", PASSWORD), ERR_AUTH);
	/* rewritten in place, then replaced by another file */
	write_file(path, "ann:" HASH_BCRYPT "\nbob:" HASH_BCRYPT "\n");
	assert_ok(try_login(a, "bob", PASSWORD));
	write_file(other, "ann:" HASH_BCRYPT "\ncid:" HASH_BCRYPT "\n");
	assert_int_equal(rename(other, path), 0);
	assert_ok(try_login(a, "cid", PASSWORD));
	assert_scope(try_login(a, "bob", PASSWORD), ERR_AUTH);
}

static void test_missing_or_malformed_file_is_temporary(void **state)
{
	struct attempt *missing = attempt_at(0, STORE_MAILDIR, path_of("no-such.users"));
	struct attempt *malformed = attempt_at(1, STORE_MAILDIR, path_of("bad.users"));
	struct attempt *not_a_file = attempt_at(2, STORE_MAILDIR, folder());

	(void)state;
	warnings = 0;
	assert_scope(try_login(missing, "ann", PASSWORD), ERR_TEMP);
	assert_non_null(strstr(missing->error.detail, "no-such.users: No such file"));
	write_file(malformed->tenant.auth.users_file, "ann:" HASH_BCRYPT "\nann\n");
	assert_scope(try_login(malformed, "ann", PASSWORD), ERR_TEMP);
	assert_non_null(strstr(malformed->error.detail, "bad.users:2: a line is login:hash"));
	assert_scope(try_login(malformed, "ann", PASSWORD), ERR_TEMP);
	assert_scope(try_login(not_a_file, "ann", PASSWORD), ERR_TEMP);
	/* the caller logs the error itself */
	assert_int_equal(warnings, 0);
	write_file(malformed->tenant.auth.users_file, "ann:" HASH_BCRYPT "\n");
	assert_ok(try_login(malformed, "ann", PASSWORD));
}

static void test_last_good_copy_serves_and_the_log_says_so_once(void **state)
{
	const char *path = path_of("good.users");
	struct attempt *a = attempt_at(0, STORE_MAILDIR, path);

	(void)state;
	write_file(path, "ann:" HASH_BCRYPT "\n");
	assert_ok(try_login(a, "ann", PASSWORD));
	warnings = 0;
	write_file(path, "ann:" HASH_BCRYPT "\nrubbish\n");
	for (int i = 0; i < 3; i++)
		assert_ok(try_login(a, "ann", PASSWORD));
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(last_warning, "good.users:2"));
	/* malformed again, in another way; then gone */
	write_file(path, "ann:" HASH_BCRYPT "\n\nmore rubbish\n");
	for (int i = 0; i < 3; i++)
		assert_scope(try_login(a, "ann", "wrong"), ERR_AUTH);
	assert_int_equal(warnings, 2);
	assert_int_equal(unlink(path), 0);
	for (int i = 0; i < 3; i++)
		assert_ok(try_login(a, "ann", PASSWORD));
	assert_int_equal(warnings, 3);
	/* good again: heard of at once, and a new failure is told anew */
	write_file(path, "bob:" HASH_BCRYPT "\n");
	assert_ok(try_login(a, "bob", PASSWORD));
	assert_scope(try_login(a, "ann", PASSWORD), ERR_AUTH);
	assert_int_equal(unlink(path), 0);
	assert_ok(try_login(a, "bob", PASSWORD));
	assert_int_equal(warnings, 4);
}

#define CROWD 20

static struct attempt crowd[CROWD];

static void spawn_crowd(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < CROWD; i++)
		fiber_spawn("login", run, &crowd[i]);
}

/* Many fibers share the copy of a file, also while it is first read. */
static void test_many_fibers_share_a_file(void **state)
{
	const char *path = path_of("crowd.users");

	(void)state;
	write_file(path, "ann:" HASH_BCRYPT "\nbob:" HASH_ARGON2ID "\n");
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = *attempt_at(0, STORE_MAILDIR, path);
		crowd[i].account.login = i % 2 ? "ann" : "bob";
		crowd[i].password = i % 3 ? PASSWORD : "wrong";
	}
	in_fiber(spawn_crowd, NULL);
	for (size_t i = 0; i < CROWD; i++)
		assert_scope(crowd[i].error, i % 3 ? ERR_OK : ERR_AUTH);
}

static void look_up_and_change(void *arg)
{
	const char *path = arg;
	const struct users *users = NULL;

	/* while the others' hashes are computed, their copy of the file goes */
	assert_int_equal(rename(path_of("moved.users"), path), 0);
	(void)failed(users_cached(path, &users));
}

static void spawn_crowd_and_change(void *arg)
{
	spawn_crowd(NULL);
	fiber_spawn("change", look_up_and_change, arg);
}

static void test_file_changes_while_hashes_are_computed(void **state)
{
	const char *path = path_of("moving.users");

	(void)state;
	write_file(path, "ann:" HASH_BCRYPT "\n");
	write_file(path_of("moved.users"), "ann:" HASH_SHA512 "\n");
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = *attempt_at(0, STORE_MAILDIR, path);
		crowd[i].account.login = "ann";
		crowd[i].password = PASSWORD;
	}
	in_fiber(spawn_crowd_and_change, (void *)(uintptr_t)path);
	for (size_t i = 0; i < CROWD; i++)
		assert_ok(crowd[i].error);
}

static void pass_a_second(void *arg)
{
	(void)arg;
	clock_advance(1000);
}

/* Nothing on this machine tells that a folder further up has gone: only a look does. */
static void test_file_is_looked_at_now_and_then_whatever_is_heard(void **state)
{
	struct attempt *a = attempt_at(0, STORE_MAILDIR, path_of("up/within/far.users"));

	(void)state;
	assert_int_equal(mkdir(path_of("up"), 0700), 0);
	assert_int_equal(mkdir(path_of("up/within"), 0700), 0);
	write_file(a->tenant.auth.users_file, "ann:" HASH_BCRYPT "\n");
	assert_ok(try_login(a, "ann", PASSWORD));
	assert_int_equal(rename(path_of("up"), path_of("away")), 0);
	warnings = 0;
	in_fiber(pass_a_second, NULL);
	assert_ok(try_login(a, "ann", PASSWORD));
	assert_int_equal(warnings, 1);
	assert_int_equal(unlink(path_of("away/within/far.users")), 0);
	assert_int_equal(rmdir(path_of("away/within")), 0);
}

/* A password is hashed once; a wrong one, and one whose hash changed, each time. */
static void test_password_that_fitted_is_not_hashed_again(void **state)
{
	const char *path = path_of("cache.users"), *cost = "$y$j75$";
	struct attempt *a = attempt_at(0, STORE_MAILDIR, path);

	(void)state;
	write_file(path, "ann:" HASH_YESCRYPT "\nbob:" HASH_YESCRYPT "\n");
	a->tenant.auth.password_cache = 1000;
	assert_cost(a, "ann", PASSWORD, ERR_OK, cost);
	assert_ok(try_login(a, "ann", PASSWORD));
	assert_int_equal(work, 0);
	assert_cost(a, "ann", "wrong", ERR_AUTH, cost);
	assert_cost(a, "ann", "wrong", ERR_AUTH, cost);
	assert_cost(a, "nobody", PASSWORD, ERR_AUTH, cost);
	in_fiber(pass_a_second, NULL);
	assert_cost(a, "ann", PASSWORD, ERR_OK, cost);
	write_file(path, "ann:" HASH_OF_EMPTY "\n");
	assert_scope(try_login(a, "ann", PASSWORD), ERR_AUTH);
	assert_int_equal(work, 1);
}

static void test_password_cache_can_be_turned_off(void **state)
{
	const char *path = path_of("uncached.users");
	struct attempt *a = attempt_at(0, STORE_MAILDIR, path);

	(void)state;
	write_file(path, "ann:" HASH_BCRYPT "\n");
	assert_cost(a, "ann", PASSWORD, ERR_OK, "$2b$04$");
	assert_cost(a, "ann", PASSWORD, ERR_OK, "$2b$04$");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_tenant_costs_a_default_hash),
		cmocka_unit_test(test_every_failure_costs_the_same),
		cmocka_unit_test(test_every_failure_with_scram_keys_costs_the_same),
		cmocka_unit_test(test_what_a_mechanism_has_proved_or_refuted),
		cmocka_unit_test(test_empty_password_never_enters),
		cmocka_unit_test(test_file_without_logins_costs_too),
		cmocka_unit_test(test_what_the_store_is_given),
		cmocka_unit_test(test_tenant_without_a_source_lets_nobody_in),
		cmocka_unit_test(test_pam_service_is_asked),
		cmocka_unit_test(test_change_of_the_file_is_seen_at_the_next_login),
		cmocka_unit_test(test_missing_or_malformed_file_is_temporary),
		cmocka_unit_test(test_last_good_copy_serves_and_the_log_says_so_once),
		cmocka_unit_test(test_many_fibers_share_a_file),
		cmocka_unit_test(test_file_changes_while_hashes_are_computed),
		cmocka_unit_test(test_file_is_looked_at_now_and_then_whatever_is_heard),
		cmocka_unit_test(test_password_that_fitted_is_not_hashed_again),
		cmocka_unit_test(test_password_cache_can_be_turned_off),
	};

	return cmocka_run_group_tests_name("login", tests, setup, teardown);
}
