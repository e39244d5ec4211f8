/* proved: to which login, and which tenant, a name leads that Kerberos or NTLM proved. */
#include "tests/unit/config/fixture.h"

#include <string.h>

#include "proxy/login/proved.h"

#define SERVICE                                                                                    \
	"listeners:\n"                                                                             \
	"- {name: in, listen: ['127.0.0.1:1110'], tls: none, plaintext_login: true}\n"             \
	"- {name: out, listen: ['127.0.0.1:1111'], tls: none, plaintext_login: true}\n"            \
	"login_name: {folder_separator: '+', default_domain: default.example}\n"

/* A Maildir tenant; match and auth as YAML. */
#define SERVED(name, match, auth)                                                                  \
	"- {name: " name ", match: {" match "}, maildir: {path: '/m/%{login}'}, auth: {" auth "}}" \
	"\n"
#define BOTH "mechanisms: [gssapi, ntlm], keytab_file: keys, ntlm_users_file: names"

static const struct config *config;

static int setup(void **state)
{
	int result = fixture_setup(state);

	fixture_write("keys", "");
	fixture_write("more", "");
	fixture_write("names", "");
	return result;
}

static struct sasl_peer peer_at(const char *listener)
{
	return (struct sasl_peer){ .config = config, .query = { "", listener, "", "127.0.0.1" } };
}

/* "tenant login" of a name, "-" when it leads nowhere. */
static const char *leads(unsigned mechanism, const char *file, const char *user, const char *realm,
	const char *own_realm)
{
	static char result[200];
	struct sasl_peer peer = peer_at("in");
	struct proved_name name = { user, realm, own_realm };
	char *login = NULL;
	const struct tenant *tenant =
		proved_tenant(&peer, mechanism, file ? fixture_path(file) : NULL, &name, &login);

	if (!tenant)
		return "-";
	snprintf(result, sizeof(result), "%s %s", tenant->name, login);
	free(login);
	return result;
}

static const char *kerberos(const char *user, const char *realm)
{
	return leads(MECH_GSSAPI, "keys", user, realm, "A.EXAMPLE");
}

static const char *ntlm(const char *user)
{
	return leads(MECH_NTLM, NULL, user, NULL, NULL);
}

static void a_principal_is_user_and_realm(void **state)
{
	(void)state;
	config = fixture_load_good(SERVICE "tenants:\n" SERVED("a", "domains: [a.example]", BOTH));
	assert_string_equal(kerberos("joe", "A.EXAMPLE"), "a joe@a.example");
	assert_string_equal(kerberos("Joe", "A.EXAMPLE"), "a Joe@a.example");
	assert_string_equal(kerberos("joe", "B.EXAMPLE"), "-");
	assert_string_equal(kerberos("joe", "a.example"), "-");
	assert_string_equal(kerberos("joe", ""), "-");
	assert_string_equal(leads(MECH_GSSAPI, "keys", "joe", "", ""), "-");
}

/* What is one user to the KDC must not become another, or a folder of his. */
static void names_that_would_be_read_otherwise(void **state)
{
	static const char *const names[] = { "", "joe/admin", "/joe", "a.example/joe/ann",
		"joe+Junk", "+", "joe\\@b.example", "joe@a.example" };

	(void)state;
	/* A Maildir would not take a "/" either. */
	fixture_write("secret", "x\n");
	config = fixture_load_good(
		SERVICE "tenants: [{name: a, auth: {" BOTH "},\n"
			"imap: {servers: [h], master_user: m, master_password_file: secret}}]\n");
	assert_string_equal(kerberos("joe", "A.EXAMPLE"), "a joe@a.example");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_string_equal(kerberos(names[i], "A.EXAMPLE"), "-");
		if (!strchr(names[i], '@') || strchr(names[i], '\\'))
			assert_string_equal(ntlm(names[i]), "-");
	}
}

static void realms_and_login_domain(void **state)
{
	(void)state;
	config = fixture_load_good(SERVICE "tenants:\n" SERVED("a", "domains: [mail.example]",
		BOTH ", realms: [B.EXAMPLE], login_domain: mail.example") SERVED("b",
		"domains: ['*.example']", BOTH ", realms: [C.EXAMPLE, D.EXAMPLE]"));
	assert_string_equal(kerberos("joe", "B.EXAMPLE"), "a joe@mail.example");
	assert_string_equal(kerberos("joe", "C.EXAMPLE"), "b joe@c.example");
	assert_string_equal(kerberos("joe", "D.EXAMPLE"), "b joe@d.example");
	assert_string_equal(kerberos("joe", "A.EXAMPLE"), "-");
	assert_string_equal(ntlm("joe"), "a joe@mail.example");
}

static void ntlm_names(void **state)
{
	(void)state;
	config = fixture_load_good(SERVICE "tenants:\n" SERVED("a", "domains: [a.example]", BOTH)
			SERVED("d", "domains: [default.example]", BOTH));
	assert_string_equal(ntlm("joe"), "d joe");
	assert_string_equal(ntlm("joe@a.example"), "a joe@a.example");
	assert_string_equal(ntlm("joe@b.example"), "-");
}

/* It would open another tenant's mailboxes with this one's keys. */
static void a_login_domain_of_another_tenant(void **state)
{
	(void)state;
	config = fixture_load_good(SERVICE "tenants:\n" SERVED(
		"wicked", "domains: [w.example]", BOTH ", login_domain: a.example") SERVED("a",
		"domains: [a.example]", "mechanisms: [gssapi], keytab_file: more"));
	assert_string_equal(kerberos("joe", "A.EXAMPLE"), "-");
	assert_string_equal(ntlm("joe"), "-");
	assert_string_equal(ntlm("joe@a.example"), "-");
	assert_string_equal(
		leads(MECH_GSSAPI, "more", "joe", "A.EXAMPLE", "A.EXAMPLE"), "a joe@a.example");
}

/* Those only that the connection can reach, and that have what proves. */
static void candidates(void **state)
{
	struct sasl_peer peer;
	const struct tenant *tenant;

	(void)state;
	config = fixture_load_good(SERVICE "tenants:\n" SERVED("elsewhere", "listeners: [out]",
		BOTH) SERVED("one", "domains: [a.example], listeners: [in]",
		"mechanisms: [gssapi], keytab_file: keys") SERVED("two",
		"domains: [b.example], addresses: [127.0.0.0/8]", BOTH)
			SERVED("far", "domains: [c.example], addresses: [192.0.2.0/24]", BOTH));
	peer = peer_at("in");
	tenant = proved_next(&peer, MECH_GSSAPI, NULL);
	assert_string_equal(tenant->name, "one");
	tenant = proved_next(&peer, MECH_GSSAPI, tenant);
	assert_string_equal(tenant->name, "two");
	assert_null(proved_next(&peer, MECH_GSSAPI, tenant));
	assert_string_equal(proved_next(&peer, MECH_NTLM, NULL)->name, "two");
	peer = peer_at("out");
	assert_string_equal(proved_next(&peer, MECH_NTLM, NULL)->name, "elsewhere");
}

#define PROVED(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROVED(a_principal_is_user_and_realm),
		PROVED(names_that_would_be_read_otherwise),
		PROVED(realms_and_login_domain),
		PROVED(ntlm_names),
		PROVED(a_login_domain_of_another_tenant),
		PROVED(candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
