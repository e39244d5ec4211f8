/* authorize: who may open whose mailbox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/entry/authorize.h"

static struct tenant acme = { .name = "acme" }, other = { .name = "other" };

static struct account account_of(const struct tenant *tenant, const char *login)
{
	return (struct account){ .tenant = tenant, .login = login };
}

static void masters(struct tenant *tenant, const char **logins, size_t n)
{
	tenant->auth.masters = (struct string_list){ logins, n };
}

static enum err_scope ask(const char *actor, const struct tenant *tenant, const char *owner)
{
	struct account a = account_of(&acme, actor), o = account_of(tenant, owner);

	return authorize(&a, owner ? &o : NULL).scope;
}

static void test_everybody_may_open_his_own(void **state)
{
	(void)state;
	masters(&acme, NULL, 0);
	assert_int_equal(ask("ann", &acme, "ann"), ERR_OK);
}

static void test_nobody_opens_anothers_unless_a_master(void **state)
{
	const char *logins[] = { "root", "boss" };

	(void)state;
	masters(&acme, NULL, 0);
	assert_int_equal(ask("ann", &acme, "zoe"), ERR_PERM);
	masters(&acme, logins, 2);
	assert_int_equal(ask("ann", &acme, "zoe"), ERR_PERM);
	assert_int_equal(ask("boss", &acme, "zoe"), ERR_OK);
	assert_int_equal(ask("Boss", &acme, "zoe"), ERR_PERM);
	assert_int_equal(ask("bos", &acme, "boss"), ERR_PERM);
}

static void test_everybody_may_ask_where_the_server_decides(void **state)
{
	const char *all[] = { AUTH_MASTERS_ALL };

	(void)state;
	masters(&acme, all, 1);
	assert_int_equal(ask("ann", &acme, "zoe"), ERR_OK);
}

static void test_nobody_reaches_into_another_tenant(void **state)
{
	const char *all[] = { AUTH_MASTERS_ALL, "boss" };

	(void)state;
	masters(&acme, all, 2);
	masters(&other, all, 2);
	assert_int_equal(ask("boss", &other, "zoe"), ERR_PERM);
	/* nor to a login of the same name there */
	assert_int_equal(ask("boss", &other, "boss"), ERR_PERM);
}

static void test_mailbox_of_nobody_looks_like_one_that_is_forbidden(void **state)
{
	struct account ann = account_of(&acme, "ann"), zoe = account_of(&acme, "zoe");
	struct err none, forbidden;

	(void)state;
	masters(&acme, NULL, 0);
	none = authorize(&ann, NULL);
	forbidden = authorize(&ann, &zoe);
	assert_int_equal(none.scope, ERR_PERM);
	assert_int_equal(forbidden.scope, ERR_PERM);
	assert_string_equal(none.detail, forbidden.detail);
}

static void test_own_name_as_authorization_asks_for_nothing(void **state)
{
	char ann[] = "ann", zoe[] = "zoe", none[] = "";
	struct credentials credentials = { .login = ann, .authorization = none };

	(void)state;
	assert_false(asks_for_another(&credentials));
	credentials.authorization = ann;
	assert_false(asks_for_another(&credentials));
	credentials.authorization = zoe;
	assert_true(asks_for_another(&credentials));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everybody_may_open_his_own),
		cmocka_unit_test(test_nobody_opens_anothers_unless_a_master),
		cmocka_unit_test(test_everybody_may_ask_where_the_server_decides),
		cmocka_unit_test(test_nobody_reaches_into_another_tenant),
		cmocka_unit_test(test_mailbox_of_nobody_looks_like_one_that_is_forbidden),
		cmocka_unit_test(test_own_name_as_authorization_asks_for_nothing),
	};

	return cmocka_run_group_tests_name("authorize", tests, NULL, NULL);
}
