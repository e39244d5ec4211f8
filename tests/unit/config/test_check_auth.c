/* config: how users prove who they are, and what that needs. */
#include "tests/unit/config/fixture.h"

#include <stdio.h>
#include <string.h>

#define AT   "error @/popgate.yaml:"
#define WARN "warning @/popgate.yaml:"

#define SECURE                                                                                     \
	"certificates: [{certificate: one.pem, key: one.key}]\n"                                   \
	"listeners: [{name: p, listen: ['127.0.0.1:1110'], ca_file: one.pem}]\n"

static void proved_logins_need_a_way_into_the_server(void **state)
{
	(void)state;
	fixture_write("users", "");
	fixture_write("secret", "x\n");
	fixture_certificate("one");
	fixture_expect(LISTENER "tenants:\n"
				"- name: t\n"
				"  imap: {servers: [h]}\n"
				"  auth: {mechanisms: [scram-sha-256], users_file: users}\n",
		AT "5:10: tenants[t].auth.mechanisms: with scram-sha-256 the client shows no "
		   "password that the IMAP server could be given, expected imap.master_user, by "
		   "which it is entered\n");
	fixture_expect(SECURE "tenants:\n"
			      "- name: t\n"
			      "  imap: {servers: [h]}\n"
			      "  auth: {mechanisms: [plain, external]}\n",
		AT "6:10: tenants[t].auth.mechanisms: with external the client shows no password "
		   "that the IMAP server could be given, expected imap.master_user, by which it "
		   "is entered\n");
	(void)fixture_load_good(
		SECURE "tenants:\n"
		       "- name: t\n"
		       "  match: {domains: [t.test]}\n"
		       "  imap: {servers: [h], master_user: m, master_password_file: secret}\n"
		       "  auth: {mechanisms: [scram-sha-256, external], users_file: users}\n"
		       "- name: u\n"
		       "  maildir: {path: '/m/%{login}'}\n"
		       "  auth: {mechanisms: [scram-sha-256, external], users_file: users}\n");
}

static void scram_needs_a_users_file(void **state)
{
	const struct config *c;

	(void)state;
	fixture_write("users", "");
	fixture_expect(LISTENER "tenants:\n"
				"- name: t\n"
				"  maildir: {path: '/m/%{login}'}\n"
				"  auth: {mechanisms: [plain, scram-sha-256], pam_service: p}\n",
		AT "5:10: tenants[t].auth.mechanisms: scram-sha-256 needs keys that only a users "
		   "file holds, expected auth.users_file\n");
	c = fixture_load_good(
		LISTENER "tenants:\n"
			 "- name: t\n"
			 "  maildir: {path: '/m/%{login}'}\n"
			 "  auth: {mechanisms: [scram-sha-256], users_file: users}\n");
	assert_int_equal(
		c->tenants[0].auth.mechanisms, MECH_SCRAM_SHA_256 | MECH_SCRAM_SHA_256_PLUS);
}

static void certificates_log_in_without_passwords(void **state)
{
	const struct config *c;

	(void)state;
	fixture_certificate("one");
	c = fixture_load_good(SECURE "tenants:\n"
				     "- name: t\n"
				     "  maildir: {path: '/m/%{login}'}\n"
				     "  auth: {mechanisms: [external]}\n");
	assert_int_equal(c->listeners[0].certificate_login, CERTIFICATE_EMAIL_OR_CN);
	assert_non_null(strstr(c->listeners[0].ca_file, "/one.pem"));
	fixture_expect(LISTENER "tenants:\n"
				"- name: t\n"
				"  maildir: {path: '/m/%{login}'}\n"
				"  auth: {mechanisms: [external]}\n",
		WARN "5:10: tenants[t].auth.mechanisms: no listener asks clients for a "
		     "certificate, so nobody is offered external; expected a listener with "
		     "ca_file\n");
}

static void authorities_of_a_listener(void **state)
{
	(void)state;
	fixture_certificate("one");
	fixture_write("junk", "no certificate\n");
	fixture_expect("listeners:\n"
		       "- {name: p, listen: ['127.0.0.1:1110'], tls: none, plaintext_login: true,\n"
		       "   ca_file: one.pem}\n" TENANT,
		AT "3:4: listeners[p].ca_file: there are no client certificates without TLS, "
		   "expected tls: starttls or implicit\n");
	fixture_expect("certificates: [{certificate: one.pem, key: one.key}]\n"
		       "listeners:\n"
		       "- {name: p, listen: ['127.0.0.1:1110'], ca_file: junk}\n" TENANT,
		AT "3:41: listeners[p].ca_file: @/junk: certificate: no certificate or crl found, "
		   "expected a PEM "
		   "file of certificates\n");
}

#ifdef POPGATE_GSSAPI
static void mechanisms_that_live_on_a_file(void **state)
{
	(void)state;
	fixture_write("keytab", "");
	fixture_expect(BASE "auth: {mechanisms: [gssapi, ntlm]}\n",
		AT "3:8: auth.mechanisms: nothing to check gssapi against, expected "
		   "auth.keytab_file too\n" AT
		   "3:8: auth.mechanisms: nothing to check ntlm against, expected "
		   "auth.ntlm_users_file too\n" AT
		   "3:8: auth.mechanisms: with ntlm the client shows no password that the IMAP "
		   "server could be given, expected imap.master_user, by which it is entered\n");
	fixture_expect(LISTENER "tenants:\n"
				"- name: t\n"
				"  imap: {servers: [h]}\n"
				"  auth: {keytab_file: keytab}\n",
		WARN "5:10: tenants[t].auth.keytab_file: without effect, since auth.mechanisms has "
		     "no gssapi\n");
	/* As config_print writes it. */
	fixture_expect(LISTENER "tenants:\n"
				"- name: t\n"
				"  imap: {servers: [h]}\n"
				"  auth: {keytab_file: '', ntlm_users_file: ''}\n",
		"");
	fixture_expect(BASE "auth: {mechanisms: [gssapi], keytab_file: ''}\n",
		AT "3:8: auth.mechanisms: nothing to check gssapi against, expected "
		   "auth.keytab_file too\n");
	fixture_expect(BASE "auth: {mechanisms: [gssapi], keytab_file: missing}\n",
		AT "3:43: auth.keytab_file: @/missing cannot be read (No such file or directory), "
		   "expected a file that can be read\n");
}

static void realms_that_would_be_one_domain(void **state)
{
	(void)state;
	fixture_write("keytab", "");
	fixture_load_good(
		BASE "auth: {mechanisms: [gssapi], keytab_file: keytab, realms: [A, B]}\n");
	fixture_load_good(BASE "auth: {mechanisms: [gssapi], keytab_file: keytab, realms: [A], "
			       "login_domain: a.example}\n");
	fixture_expect(BASE "auth:\n"
			    "  mechanisms: [gssapi]\n"
			    "  keytab_file: keytab\n"
			    "  realms: [A, B]\n"
			    "  login_domain: a.example\n",
		AT "7:3: auth.login_domain: users of the same name in several auth.realms would "
		   "be one login, expected one realm, or no auth.login_domain\n");
}

/* Nobody sends a password, so that nobody has to check one. */
static void proved_logins_need_no_source_of_passwords(void **state)
{
	(void)state;
	fixture_write("keytab", "");
	fixture_load_good(LISTENER "tenants:\n"
				   "- name: t\n"
				   "  maildir: {path: '/m/%{login}'}\n"
				   "  auth: {mechanisms: [gssapi, ntlm], keytab_file: keytab,\n"
				   "    ntlm_users_file: keytab}\n");
}
#endif

static void masters_are_logins(void **state)
{
	(void)state;
	fixture_write("users", "");
	fixture_write("secret", "x\n");
	fixture_expect(LISTENER "tenants:\n"
				"- name: t\n"
				"  maildir: {path: '/m/%{login}'}\n"
				"  auth: {users_file: users, masters: ['*']}\n",
		AT "5:29: tenants[t].auth.masters: with \"*\" everybody could open every mailbox "
		   "here, since no IMAP server sees who asks; expected logins\n");
	fixture_expect(LISTENER
		"tenants:\n"
		"- name: t\n"
		"  imap: {servers: [h], master_user: m, master_password_file: secret}\n"
		"  auth: {users_file: users, masters: ['*']}\n",
		AT "5:29: tenants[t].auth.masters: with \"*\" everybody could open every mailbox "
		   "here, since no IMAP server sees who asks; expected logins\n");
	fixture_expect(BASE "auth: {masters: ['*']}\n", "");
	fixture_expect(BASE "auth: {masters: [Boss@acme.test]}\n",
		AT "3:8: auth.masters: \"Boss@acme.test\" fits no login, since "
		   "login_name.lower_case makes them lower case, expected it in lower case\n");
	fixture_expect(BASE "auth: {masters: [Boss@acme.test]}\n"
			    "login_name: {lower_case: false}\n",
		"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(proved_logins_need_a_way_into_the_server),
		TEST(scram_needs_a_users_file),
		TEST(certificates_log_in_without_passwords),
		TEST(authorities_of_a_listener),
#ifdef POPGATE_GSSAPI
		TEST(mechanisms_that_live_on_a_file),
		TEST(realms_that_would_be_one_domain),
		TEST(proved_logins_need_no_source_of_passwords),
#endif
		TEST(masters_are_logins),
	};

	return cmocka_run_group_tests_name("check_auth", tests, NULL, NULL);
}
