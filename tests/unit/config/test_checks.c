/* config: mistakes that several keys make together. */
#include "tests/unit/config/fixture.h"

#include <stdio.h>
#include <string.h>

#define AT   "error @/popgate.yaml:"
#define WARN "warning @/popgate.yaml:"
#define NOTE "note @/popgate.yaml:"

/* Two tenants, the second in line 4; what is reported of it. */
static void expect_second_tenant(const char *first, const char *second, bool hidden)
{
	char *text = mem_printf(LISTENER "tenants:\n"
					 "- {name: a, imap: {servers: [h]}, match: {%s}}\n"
					 "- {name: b, imap: {servers: [h]}, match: {%s}}\n",
		first, second);

	fixture_load(text);
	free(text);
	if (hidden)
		assert_string_equal(fixture_reports(), AT
			"4:35: tenants[b].match: no login can get here, since tenant \"a\" "
			"(@/popgate.yaml:3) comes first and fits all that this one fits; expected "
			"a narrower match there, or this tenant before it\n");
	else
		assert_string_equal(fixture_reports(), "");
}

static void tenants_that_no_login_can_reach(void **state)
{
	static const char *const hidden[][2] = {
		{ "", "" },
		{ "", "domains: [b.test]" },
		{ "domains: [a.test]", "domains: [A.test]" },
		{ "domains: [a.test, b.test]", "domains: [b.test], listeners: [p]" },
		{ "domains: ['*.test']", "domains: [a.test, '*.b.test']" },
		{ "server_names: [a.test]", "server_names: [a.test], domains: [x.test]" },
		{ "listeners: [p]", "" },
		{ "listeners: [p]", "domains: [x.test]" },
		{ "addresses: [192.0.2.0/24]", "addresses: [192.0.2.1, 192.0.2.128/25]" },
		{ "addresses: ['::/0']", "" },
		{ "domains: [a.test], addresses: ['::/0']", "domains: [a.test]" },
	};
	static const char *const reachable[][2] = {
		{ "domains: [a.test]", "" },
		{ "domains: [a.test]", "domains: [a.test, b.test]" },
		{ "domains: ['*.test']", "domains: [test]" },
		{ "domains: ['*.a.test']", "domains: ['*.test']" },
		{ "domains: [a.test], server_names: [s.test]", "domains: [a.test]" },
		{ "server_names: ['*.test']", "domains: [a.test]" },
		{ "addresses: [192.0.2.0/25]", "addresses: [192.0.2.0/24]" },
		{ "addresses: [0.0.0.0/0]", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		expect_second_tenant(hidden[i][0], hidden[i][1], true);
	for (size_t i = 0; i < sizeof(reachable) / sizeof(reachable[0]); i++)
		expect_second_tenant(reachable[i][0], reachable[i][1], false);
}

static void a_listener_more_makes_a_tenant_reachable(void **state)
{
	static const char text[] =
		"listeners:\n"
		"- {name: p, listen: ['127.0.0.1:1110'], tls: none, plaintext_login: true}\n"
		"- {name: q, listen: ['127.0.0.1:1111'], tls: none, plaintext_login: true}\n"
		"tenants:\n"
		"- {name: a, imap: {servers: [h]}, match: {listeners: [p]}}\n"
		"- {name: b, imap: {servers: [h]}}\n";

	(void)state;
	fixture_load_good(text);
}

static void tenants_of_one_name(void **state)
{
	(void)state;
	fixture_mkdir("t");
	fixture_write("t/x.yaml", "name: a\nmatch: {domains: [x.test]}\nimap: {servers: [h]}\n");
	fixture_expect(LISTENER "tenants_dir: t\n"
				"tenants:\n"
				"- {name: a, imap: {servers: [h]}, match: {domains: [a.test]}}\n",
		"error @/t/x.yaml:1:1: name: another tenant has this name (@/popgate.yaml:4), "
		"expected one of its own\n");
}

static void a_tenant_has_one_store(void **state)
{
	(void)state;
	fixture_expect(LISTENER "tenants:\n- name: a\n",
		AT "3:3: tenants[a]: the tenant has no mail store, expected imap or maildir\n");
	fixture_expect(LISTENER "auth: {pam_service: x}\n"
				"tenants:\n"
				"- name: a\n"
				"  imap: {servers: [h]}\n"
				"  maildir: {path: '/m/%{login}'}\n",
		AT "6:3: tenants[a].maildir: the tenant has imap too, expected one of them\n");
	fixture_expect(LISTENER, AT "1:1: tenants: there is none: nobody could log in, expected at "
				    "least one\n");
	fixture_mkdir("empty");
	fixture_expect(LISTENER "tenants_dir: empty\n",
		WARN "2:1: tenants_dir: there is no tenant: nobody can log in\n");
}

static void maildirs_need_a_password_source(void **state)
{
	(void)state;
	fixture_write("users", "");
	fixture_expect(LISTENER "tenants: [{name: m, maildir: {path: '/m/%{login}'}}]\n",
		AT "2:21: tenants[m].maildir: nobody checks passwords, expected auth.users_file or "
		   "auth.pam_service\n");
	fixture_expect(LISTENER "auth: {users_file: users}\n"
				"tenants: [{name: m, maildir: {path: '/m/%{login}'}}]\n",
		"");
	fixture_expect(LISTENER "tenants: [{name: m, auth: {pam_service: popgate}, maildir: {path: "
				"'/m/%{login}'}}]\n",
		"");
	/* One mistake, not two. */
	fixture_expect(LISTENER "auth: {users_file: missing}\n"
				"tenants: [{name: m, maildir: {path: '/m/%{login}'}}]\n",
		AT "2:20: auth.users_file: @/missing cannot be read (No such file or directory), "
		   "expected a file that can be read\n");
	fixture_expect(LISTENER "auth: {users_file: users, pam_service: x}\n" TENANT,
		WARN "2:27: auth.pam_service: without effect, since auth.users_file checks the "
		     "passwords\n");
}

static void maildir_paths_that_users_would_share(void **state)
{
	(void)state;
	fixture_expect(LISTENER "auth: {pam_service: x}\n"
				"tenants: [{name: m, maildir: {path: '/m'}}]\n",
		WARN "3:31: tenants[m].maildir.path: without %{login} or %{user} every login gets "
		     "the same mail\n");
	fixture_expect(LISTENER "auth: {pam_service: x}\n"
				"tenants: [{name: m, maildir: {path: '/m/%{user}'}}]\n",
		WARN "3:31: tenants[m].maildir.path: without %{domain} the same user of several "
		     "domains gets the same mail\n");
	fixture_expect(LISTENER "auth: {pam_service: x}\n"
				"tenants: [{name: m, match: {domains: ['*.test']}, maildir: {path: "
				"'/m/%{user}'}}]\n",
		WARN "3:61: tenants[m].maildir.path: without %{domain} the same user of several "
		     "domains gets the same mail\n");
	fixture_expect(LISTENER "auth: {pam_service: x}\n"
				"tenants: [{name: m, match: {domains: [a.test]}, maildir: {path: "
				"'/m/%{user}'}}]\n",
		"");
}

static void master_users_need_a_password_and_a_password_source(void **state)
{
	(void)state;
	fixture_write("users", "");
	fixture_write("master", "geheim\n");
	fixture_write("empty", "\n");
	fixture_expect(LISTENER
		"tenants: [{name: t, imap: {servers: [h], master_user: m, master_password_file: "
		"master}}]\n",
		AT "2:42: tenants[t].imap.master_user: the server is entered by the master's "
		   "password, so any password would do for any login; expected auth.users_file or "
		   "auth.pam_service, which check it here\n");
	fixture_expect(LISTENER "auth: {users_file: users}\n"
				"tenants: [{name: t, imap: {servers: [h], master_user: m}}]\n",
		AT "3:42: tenants[t].imap.master_user: without its password, expected "
		   "imap.master_password_file too\n");
	fixture_expect(LISTENER
		"tenants: [{name: t, imap: {servers: [h], master_password_file: master}}]\n",
		AT "2:42: tenants[t].imap.master_password_file: nobody's password, expected "
		   "imap.master_user too\n");
	fixture_expect(LISTENER
		"auth: {users_file: users}\n"
		"tenants: [{name: t, imap: {servers: [h], master_user: m, master_password_file: "
		"empty}}]\n",
		AT "3:58: tenants[t].imap.master_password_file: @/empty: the file is empty, "
		   "expected a file "
		   "with the password as its only line\n");
	/* A users file alone, and the server checks the password too. */
	fixture_expect(LISTENER "auth: {users_file: users}\n" TENANT, "");
}

static void files_of_the_imap_side(void **state)
{
	(void)state;
	fixture_certificate("one");
	fixture_certificate("two");
	fixture_write("junk", "no certificate\n");
	fixture_expect(LISTENER
		"tenants: [{name: t, imap: {servers: [h], ca_file: one.pem, client_certificate: "
		"one.pem, client_key: one.key}}]\n",
		"");
	fixture_load(LISTENER "tenants:\n"
			      "- name: t\n"
			      "  imap:\n"
			      "    servers: [h]\n"
			      "    ca_file: junk\n"
			      "    client_certificate: one.pem\n"
			      "    client_key: two.key\n");
	assert_non_null(strstr(fixture_reports(), AT "6:5: tenants[t].imap.ca_file: @/junk"));
	assert_non_null(strstr(fixture_reports(),
		AT "7:5: tenants[t].imap.client_certificate: @/two.key: the key does not fit"));
	fixture_expect(LISTENER "tenants: [{name: t, imap: {servers: [h], client_key: one.key}}]\n",
		AT "2:42: tenants[t].imap.client_key: a key without its certificate, expected "
		   "imap.client_certificate too\n");
}

static void ports_and_modes_of_the_imap_side(void **state)
{
	(void)state;
	fixture_expect(LISTENER "tenants: [{name: t, imap: {servers: [h], tls: starttls}}]\n",
		WARN "2:42: tenants[t].imap.tls: port 993 is that of tls: implicit, expected port: "
		     "143 or tls: implicit\n");
	fixture_expect(LISTENER "tenants: [{name: t, imap: {servers: [h], port: 143}}]\n", WARN
		"2:42: tenants[t].imap.port: port 143 is that of tls: starttls, expected port: "
		"993 or tls: starttls\n");
	fixture_expect(LISTENER
		"tenants: [{name: t, imap: {servers: [127.0.0.1, '::1', localhost, h], tls: none, "
		"port: 143}}]\n",
		WARN "2:71: tenants[t].imap.tls: passwords and mail travel in clear to h\n");
	fixture_expect(LISTENER "tenants: [{name: t, imap: {servers: [h], login: 'all'}}]\n",
		WARN "2:42: tenants[t].imap.login: without %{login} or %{user} every login is the "
		     "same user there\n");
}

static void folders_of_the_maildrop(void **state)
{
	(void)state;
	fixture_expect(BASE "maildrop: {also: [Junk, Inbox, Junk]}\n",
		AT "3:12: maildrop.also: \"Inbox\" is in the maildrop twice, expected each folder "
		   "once\n" AT "3:12: maildrop.also: \"Junk\" is in the maildrop twice, expected "
		   "each folder once\n");
	fixture_expect(BASE "maildrop: {trash: '', on_delete: trash}\n",
		AT "3:12: maildrop.trash: empty, expected a folder for on_delete: trash\n");
	fixture_expect(BASE "maildrop: {trash: ''}\n", "");
	fixture_expect(BASE "maildrop: {trash: Junk, also: [Junk], on_delete: trash}\n",
		AT "3:12: maildrop.trash: \"Junk\" is in the maildrop itself, expected another "
		   "folder for on_delete: trash\n");
	fixture_expect(BASE "state: none\nmaildrop: {on_delete: hide}\n",
		AT "4:12: maildrop.on_delete: what is hidden has to be remembered, expected "
		   "another state than none\n");
	fixture_expect(BASE "maildrop: {on_delete: hide}\n", "");
}

static void an_inherited_mistake_is_told_once(void **state)
{
	(void)state;
	fixture_expect(LISTENER "maildrop: {also: [INBOX]}\n"
				"tenants:\n"
				"- {name: a, imap: {servers: [h]}, match: {domains: [a.test]}}\n"
				"- {name: b, imap: {servers: [h]}, match: {domains: [b.test]}}\n"
				"- {name: c, imap: {servers: [h]}, maildrop: {also: [INBOX]}}\n",
		AT "2:12: maildrop.also: \"INBOX\" is in the maildrop twice, expected each folder "
		   "once\n" AT "6:46: tenants[c].maildrop.also: \"INBOX\" is in the maildrop "
		   "twice, expected each folder once\n");
}

static void listeners_of_one_name_or_address(void **state)
{
	(void)state;
	fixture_expect("listeners:\n"
		       "- {name: p, listen: ['127.0.0.1:110'], tls: none, plaintext_login: true}\n"
		       "- name: p\n"
		       "  listen: ['*:110', '127.0.0.1:0110', '[::]:110']\n"
		       "  tls: none\n"
		       "  plaintext_login: true\n" TENANT,
		AT "3:3: listeners[p].name: another listener has this name (line 2), expected one "
		   "of its own\n" AT "4:3: listeners[p].listen: 127.0.0.1:0110 is listened on "
		   "twice, expected each address once\n" AT
		   "4:3: listeners[p].listen: [::]:110 is listened on twice, expected each address "
		   "once\n");
	fixture_expect("listeners: []\n" TENANT,
		AT "1:12: listeners: the list is empty, expected a list of mappings, each after a "
		   "\"-\"\n");
}

static void listeners_that_tenants_name(void **state)
{
	(void)state;
	fixture_expect(LISTENER
		"tenants: [{name: t, match: {listeners: [p, q]}, imap: {servers: [h]}}]\n",
		AT "2:29: tenants[t].match.listeners: there is no listener \"q\", expected one of "
		   "listeners, such as \"p\"\n");
}

static void listeners_where_nobody_could_log_in(void **state)
{
	(void)state;
	fixture_expect("listeners: [{name: p, listen: ['*:110'], tls: none}]\n" TENANT,
		AT "1:13: listeners[p].plaintext_login: nobody can log in: there is no TLS here, "
		   "no mechanism that works without, and passwords are not allowed in clear; "
		   "expected tls: starttls or implicit, or plaintext_login: true\n");
}

static void certificates_must_work(void **state)
{
	(void)state;
	fixture_certificate("one");
	fixture_certificate("two");
	fixture_write("junk", "no certificate\n");
	fixture_load("certificates:\n"
		     "- {certificate: one.pem, key: two.key}\n"
		     "- {certificate: junk, key: one.key}\n"
		     "- {certificate: one.pem, key: one.key}\n" TENANT);
	assert_non_null(strstr(fixture_reports(),
		AT "2:4: certificates[].certificate: @/two.key: the key does not fit"));
	assert_non_null(strstr(fixture_reports(), AT "3:4: certificates[].certificate: @/junk"));
	assert_null(strstr(fixture_reports(), AT "4:"));
	fixture_expect("certificates: []\n" TENANT,
		AT "1:1: listeners[pop3].tls: TLS needs a certificate, expected one in "
		   "certificates\n" AT
		   "1:1: listeners[pop3s].tls: TLS needs a certificate, expected one in "
		   "certificates\n");
}

static void separators_of_login_names(void **state)
{
	(void)state;
	fixture_expect(BASE "login_name: {separators: '@x'}\n",
		AT "3:14: login_name.separators: a letter, digit, blank, \"/\" or what is not "
		   "ASCII cannot separate, expected punctuation such as \"@%#\"\n");
	fixture_expect(BASE "login_name: {separators: '%', folder_separator: '@'}\n",
		AT "3:31: login_name.folder_separator: it separates user and domain already, "
		   "expected another character\n");
	fixture_expect(BASE "login_name: {separators: '@+', folder_separator: '+'}\n",
		AT "3:32: login_name.folder_separator: it separates user and domain already, "
		   "expected another character\n");
	fixture_expect(BASE "login_name: {separators: '@%#', folder_separator: '+'}\n", "");
}

static void values_that_an_rfc_warns_of(void **state)
{
	(void)state;
	fixture_expect(BASE "protocol: {max_command_octets: 254}\ntimeouts: {idle: 9m}\n", WARN
		"3:12: protocol.max_command_octets: RFC 2449 asks for 255 octets at least\n" WARN
		"4:12: timeouts.idle: RFC 1939 asks for 10m at least\n");
	fixture_expect(BASE "protocol: {max_command_octets: 255}\ntimeouts: {idle: 10m}\n", "");
}

static void banners_that_mean_something_else(void **state)
{
	(void)state;
	fixture_expect(BASE "protocol: {banner: 'ready <1896.697@pop.x.example>'}\n",
		AT "3:12: protocol.banner: text in <> offers APOP, which is not supported, "
		   "expected none\n");
	fixture_expect(BASE "protocol: {banner: '[AUTH] only'}\n",
		AT "3:12: protocol.banner: text that begins with [ is a response code, expected "
		   "other text\n");
	fixture_expect(BASE "protocol: {banner: 'Grüße'}\n",
		AT "3:12: protocol.banner: a client that has not asked for UTF8 gets it, expected "
		   "ASCII\n");
	fixture_expect(BASE "protocol: {banner: 'Mail <3 [all] ready'}\n", "");
}

static void notices_come_from_an_address(void **state)
{
	const struct config *c;

	(void)state;
	c = fixture_load_good(BASE "hostname: pop.x.example\n");
	assert_string_equal(c->tenants[0].maildrop.notice_from, "postmaster@pop.x.example");
	c = fixture_load_good(BASE "maildrop: {notice_from: help+mail@x.example}\n");
	assert_string_equal(c->tenants[0].maildrop.notice_from, "help+mail@x.example");
	fixture_expect(BASE "maildrop: {notice_from: 'Help <help@x.example>'}\n",
		AT "3:12: maildrop.notice_from: \"Help <help@x.example>\" is no mail address, "
		   "expected one such as postmaster@example.org\n");
	/* It matters only where there are notices. */
	fixture_expect(BASE "hostname: 'the pop'\n", "");
	fixture_expect(BASE "hostname: 'the pop'\nmaildrop: {quota_warning: 90}\n",
		AT "4:12: maildrop.quota_warning: the notice would come from "
		   "\"postmaster@the pop\", which is no mail address; expected "
		   "maildrop.notice_from, or a domain as hostname\n");
}

static void notices_need_a_state(void **state)
{
	(void)state;
	fixture_expect(BASE "state: none\nmaildrop: {quota_warning: 90}\n",
		AT "4:12: maildrop.quota_warning: without a state nobody remembers that the "
		   "notice was given, expected state: sqlite:PATH\n");
	fixture_expect(BASE "state: none\nmaildrop: {quota_warning: 0}\n", "");
}

static void expiry_that_cannot_happen(void **state)
{
	(void)state;
	fixture_expect(BASE "maildrop: {expire_after: 30d, on_delete: ignore}\n",
		AT "3:12: maildrop.expire_after: with on_delete: ignore nothing is removed, "
		   "expected never\n");
	fixture_expect(BASE "maildrop: {expire_after: 30d, newer_than: 30d}\n",
		WARN "3:12: maildrop.expire_after: nothing expires: older messages are not shown "
		     "(newer_than), and what is not shown is not removed\n");
	fixture_expect(BASE "maildrop: {expire_after: 30d, newer_than: 31d}\n", "");
	fixture_expect(BASE "maildrop: {newer_than: 30d, on_delete: ignore}\n", "");
}

static void templates_need_what_tells_messages_apart(void **state)
{
	(void)state;
	fixture_expect(BASE "uidl: {format: '%{uid:hex8}%{uidvalidity:hex8}'}\n", "");
	fixture_expect(BASE "uidl: {format: '%{emailid}-%{uidvalidity}'}\n", "");
	fixture_expect(BASE "uidl: {format: '%{uidvalidity:hex8}'}\n",
		"error @/popgate.yaml:3:8: uidl.format: all messages would have the same, "
		"expected "
		"%{uid}, %{filename}, %{emailid} or %{guid} in it\n");
	fixture_expect(BASE "uidl: {format: '%{filename}'}\n",
		WARN "3:8: uidl.format: no message of an IMAP server has %{filename}: they all get "
		     "numbers\n");
}

static void keys_without_effect_are_noted(void **state)
{
	(void)state;
	fixture_expect(LISTENER "tenants: [{name: t, imap: {servers: [imap.test],\n"
				"  oauth2: {token_url: 'https://t.test', client_id: a}}}]\n",
		NOTE "3:3: tenants[t].imap.oauth2: is accepted, but not in effect in this "
		     "version\n");
	fixture_expect(BASE "log: {transcript: [a]}\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tenants_that_no_login_can_reach),
		TEST(a_listener_more_makes_a_tenant_reachable),
		TEST(tenants_of_one_name),
		TEST(a_tenant_has_one_store),
		TEST(maildirs_need_a_password_source),
		TEST(maildir_paths_that_users_would_share),
		TEST(master_users_need_a_password_and_a_password_source),
		TEST(files_of_the_imap_side),
		TEST(ports_and_modes_of_the_imap_side),
		TEST(folders_of_the_maildrop),
		TEST(an_inherited_mistake_is_told_once),
		TEST(listeners_of_one_name_or_address),
		TEST(listeners_that_tenants_name),
		TEST(listeners_where_nobody_could_log_in),
		TEST(certificates_must_work),
		TEST(separators_of_login_names),
		TEST(values_that_an_rfc_warns_of),
		TEST(banners_that_mean_something_else),
		TEST(notices_come_from_an_address),
		TEST(notices_need_a_state),
		TEST(expiry_that_cannot_happen),
		TEST(templates_need_what_tells_messages_apart),
		TEST(keys_without_effect_are_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
