/* routing: the first tenant whose every criterion fits, and why the others do not. */
#include "tests/unit/config/fixture.h"

#include <stdio.h>
#include <string.h>

#include "proxy/routing/routing.h"

#define SERVICE                                                                                    \
	"listeners:\n"                                                                             \
	"- {name: in, listen: ['127.0.0.1:1110'], tls: none, plaintext_login: true}\n"             \
	"- {name: out, listen: ['127.0.0.1:1111'], tls: none, plaintext_login: true}\n"            \
	"auth: {pam_service: popgate}\n"

static struct {
	struct arena *arena;
	FILE *out;
	char *reasons;
	size_t size;
} test;

static int setup(void **state)
{
	test.arena = arena_new();
	test.out = NULL;
	test.reasons = NULL;
	return fixture_setup(state);
}

static int teardown(void **state)
{
	arena_free(test.arena);
	free(test.reasons);
	return fixture_teardown(state);
}

static void explain(const struct tenant *tenant, const char *reason, void *arg)
{
	assert_ptr_equal(arg, &test);
	fprintf(test.out, "%s: %s\n", tenant ? tenant->name : "-", reason);
}

static struct account *ask(const struct config *config, const struct route_query *query)
{
	struct account *account;

	free(test.reasons);
	test.out = open_memstream(&test.reasons, &test.size);
	account = route(config, query, test.arena, explain, &test);
	assert_int_equal(fclose(test.out), 0);
	/* Nobody to explain to makes no difference. */
	assert_int_equal(!account, !route(config, query, test.arena, NULL, NULL));
	return account;
}

/* The name of the tenant that serves a query, "-" for none. */
static const char *served_by(const struct config *config, const char *login, const char *listener,
	const char *server_name, const char *address)
{
	struct route_query query = { login, listener, server_name, address };
	struct account *account = ask(config, &query);

	return account ? account->tenant->name : "-";
}

static void the_first_tenant_that_fits_serves(void **state)
{
	const struct config *c = fixture_load_good(SERVICE
		"tenants:\n"
		"- {name: wild, match: {domains: ['*.acme.test']}, imap: {servers: [h]}}\n"
		"- {name: acme, match: {domains: [ACME.test, b.test]}, imap: {servers: [h]}}\n"
		"- {name: sni, match: {server_names: [pop.c.test]}, imap: {servers: [h]}}\n"
		"- {name: lan, match: {addresses: [192.0.2.0/24, 'fd00::/8']}, "
		"imap: {servers: [h]}}\n"
		"- {name: in, match: {listeners: [in]}, imap: {servers: [h]}}\n");

	(void)state;
	assert_string_equal(served_by(c, "a@acme.test", "", "", ""), "acme");
	assert_string_equal(served_by(c, "a@Acme.TEST", "", "", ""), "acme");
	assert_string_equal(served_by(c, "a@b.test", "", "", ""), "acme");
	assert_string_equal(served_by(c, "a@x.acme.test", "", "", ""), "wild");
	assert_string_equal(served_by(c, "a@x.y.acme.test", "", "", ""), "wild");
	assert_string_equal(served_by(c, "a@xacme.test", "", "", ""), "-");
	assert_string_equal(served_by(c, "a", "", "POP.c.test", ""), "sni");
	assert_string_equal(served_by(c, "a@acme.test", "in", "pop.c.test", "192.0.2.1"), "acme");
	assert_string_equal(served_by(c, "a", "out", "other", "::ffff:192.0.2.9"), "lan");
	assert_string_equal(served_by(c, "a", "in", "", "fd00::1"), "lan");
	assert_string_equal(served_by(c, "a", "in", "", "198.51.100.1"), "in");
	assert_string_equal(served_by(c, "a", "out", "", "198.51.100.1"), "-");
	assert_string_equal(served_by(c, "a", "IN", "", ""), "-");
	assert_string_equal(served_by(c, "a", NULL, NULL, NULL), "-");
}

static void every_criterion_must_fit(void **state)
{
	const struct config *c = fixture_load_good(
		SERVICE "tenants:\n"
			"- name: t\n"
			"  match: {domains: [a.test], server_names: [s.test], listeners: [in],\n"
			"          addresses: [192.0.2.1]}\n"
			"  imap: {servers: [h]}\n");

	(void)state;
	assert_string_equal(served_by(c, "x@a.test", "in", "s.test", "192.0.2.1"), "t");
	assert_string_equal(test.reasons, "");
	assert_string_equal(served_by(c, "x@b.test", "in", "s.test", "192.0.2.1"), "-");
	assert_string_equal(test.reasons, "t: domains: b.test is none of a.test\n");
	assert_string_equal(served_by(c, "x", "in", "s.test", "192.0.2.1"), "-");
	assert_string_equal(test.reasons, "t: domains: not known here, must be one of a.test\n");
	assert_string_equal(served_by(c, "x@a.test", "in", "", "192.0.2.1"), "-");
	assert_string_equal(
		test.reasons, "t: server_names: not known here, must be one of s.test\n");
	assert_string_equal(served_by(c, "x@a.test", "out", "s.test", "192.0.2.1"), "-");
	assert_string_equal(test.reasons, "t: listeners: out is none of in\n");
	assert_string_equal(served_by(c, "x@a.test", "in", "s.test", "192.0.2.2"), "-");
	assert_string_equal(test.reasons, "t: addresses: 192.0.2.2 is none of 192.0.2.1\n");
}

static void every_tenant_before_is_explained(void **state)
{
	const struct config *c = fixture_load_good(SERVICE
		"tenants:\n"
		"- {name: a, match: {domains: [1.t, 2.t, 3.t, 4.t, 5.t, 6.t, 7.t, 8.t, 9.t]},\n"
		"   imap: {servers: [h]}}\n"
		"- {name: b, match: {addresses: [192.0.2.0/24]}, imap: {servers: [h]}}\n"
		"- {name: c, imap: {servers: [h]}}\n");

	(void)state;
	assert_string_equal(served_by(c, "x@d.test", "", "", "198.51.100.1"), "c");
	assert_string_equal(test.reasons,
		"a: domains: d.test is none of 1.t, 2.t, 3.t, 4.t, 5.t, 6.t, 7.t, 8.t and 1 more\n"
		"b: addresses: 198.51.100.1 is none of 192.0.2.0/24\n");
}

static void the_account_holds_what_the_store_needs(void **state)
{
	const struct config *c =
		fixture_load_good(SERVICE "login_name: {folder_separator: '+', separators: '@%'}\n"
					  "maildrop: {folder: Mail}\n"
					  "tenants: [{name: t, imap: {servers: [h]}}]\n");
	struct route_query query = { "Anna+Junk%Acme.test", "in", "", "192.0.2.1" };
	struct account *account = ask(c, &query);

	(void)state;
	assert_non_null(account);
	assert_ptr_equal(account->tenant, &c->tenants[0]);
	assert_string_equal(account->login, "anna@acme.test");
	assert_string_equal(account->user, "anna");
	assert_string_equal(account->domain, "acme.test");
	assert_string_equal(account->folder, "Junk");
	assert_string_equal(account->client_address, "192.0.2.1");
	query = (struct route_query){ .login = "anna" };
	account = ask(c, &query);
	assert_non_null(account);
	assert_string_equal(account->domain, "");
	assert_string_equal(account->folder, "Mail");
	assert_string_equal(account->client_address, "");
}

static void malformed_logins_are_nobodys(void **state)
{
	const struct config *c = fixture_load_good(SERVICE TENANT);

	(void)state;
	assert_string_equal(served_by(c, "", "", "", ""), "-");
	assert_string_equal(test.reasons, "-: the login is empty\n");
	assert_string_equal(served_by(c, NULL, "", "", ""), "-");
	assert_string_equal(served_by(c, "a\nb", "", "", ""), "-");
	assert_string_equal(test.reasons, "-: the login holds a control character\n");
	assert_string_equal(served_by(c, "\xff", "", "", ""), "-");
	assert_string_equal(test.reasons, "-: the login is not UTF-8\n");
}

static void maildirs_refuse_logins_that_would_leave_their_folder(void **state)
{
	const struct config *c = fixture_load_good(SERVICE
		"login_name: {folder_separator: '+'}\n"
		"tenants:\n"
		"- {name: m, match: {domains: [m.test, '*.m.test']},\n"
		"   maildir: {path: '/m/%{domain}/%{user}'}}\n"
		"- {name: l, match: {listeners: [in]}, maildir: {path: '/l/%{login}'}}\n"
		"- {name: d, match: {listeners: [out]}, maildir: {path: '/d/%{domain}/%{user}'}}\n"
		"- {name: i, imap: {servers: [h]}}\n");

	(void)state;
	assert_string_equal(served_by(c, "anna@m.test", "", "", ""), "m");
	/* Refused, not handed to a later tenant. */
	assert_string_equal(served_by(c, "../x@m.test", "", "", ""), "-");
	assert_string_equal(test.reasons, "m: its user is no name for a folder\n");
	assert_string_equal(served_by(c, "a/b@m.test", "", "", ""), "-");
	assert_string_equal(served_by(c, ".a@m.test", "", "", ""), "-");
	assert_string_equal(served_by(c, "a+../../b@m.test", "", "", ""), "-");
	assert_string_equal(served_by(c, "a@x/..m.test", "", "", ""), "-");
	assert_string_equal(test.reasons, "m: its domain is no name for a folder\n");
	assert_string_equal(served_by(c, "a@x/n.test", "in", "", ""), "-");
	assert_string_equal(test.reasons, "m: domains: x/n.test is none of m.test, *.m.test\n"
					  "l: its domain is no name for a folder\n");
	assert_string_equal(served_by(c, "anna", "in", "", ""), "l");
	assert_string_equal(served_by(c, "anna", "out", "", ""), "-");
	/* An IMAP server has names of its own. */
	assert_string_equal(served_by(c, "ACME/anna@i.test", "", "", ""), "i");
}

int main(void)
{
#define ROUTE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		ROUTE_TEST(the_first_tenant_that_fits_serves),
		ROUTE_TEST(every_criterion_must_fit),
		ROUTE_TEST(every_tenant_before_is_explained),
		ROUTE_TEST(the_account_holds_what_the_store_needs),
		ROUTE_TEST(malformed_logins_are_nobodys),
		ROUTE_TEST(maildirs_refuse_logins_that_would_leave_their_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
