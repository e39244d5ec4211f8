/* config: mistakes that a key, a value or the file's form shows alone, each with its place. */
#include "tests/unit/config/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/keys.h"

/* "@" is the fixture's folder; key lines begin in line 3, behind BASE. */
#define AT "error @/popgate.yaml:"

#define UIDL_TEXTS                                                                                 \
	"with %{uid}, %{uidvalidity}, %{filename}, %{emailid} or %{guid}; numbers also as "        \
	"%{uid:hex8}, %{uid:HEX8} or %{uid:dec10}\n"

#define STATES   "sqlite:PATH, postgresql://USER@HOST/DATABASE or none\n"
#define PASSWORD "a password in it; let ?passfile=PATH name a file that holds it"
#ifdef POPGATE_POSTGRESQL
#define REFUSED(why) AT "3:8: state: " why ", expected " STATES
#else
#define REFUSED(why) AT "3:8: state: this popgate was built without PostgreSQL, expected " STATES
#endif

struct example {
	const char *text;
	const char *reports;
};

static void check(const struct example *examples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text = mem_printf("%s%s", BASE, examples[i].text);

		fixture_expect(text, examples[i].reports);
		free(text);
	}
}

#define CHECK(examples) check((examples), sizeof(examples) / sizeof((examples)[0]))

static void unknown_keys_name_the_nearest(void **state)
{
	static const struct example examples[] = {
		{ "limits:\n  sesions: 5\n",
			AT "4:3: limits.sesions: unknown key, expected \"sessions\"?\n" },
		{ "limit: {}\n", AT "3:1: limit: unknown key, expected \"limits\"?\n" },
		{ "Hostname: x\n", AT "3:1: Hostname: unknown key, expected \"hostname\"?\n" },
		/* A key of another section. */
		{ "users_file: x\n",
			AT "3:1: users_file: unknown key, expected \"auth.users_file\"?\n" },
		/* Nothing near: all that may stand there. */
		{ "admin: {xyzzy: 1}\n",
			AT "3:9: admin.xyzzy: unknown key, expected one of listen, socket\n" },
		/* A tenant's key is none of the whole file. */
		{ "maildir: {path: x}\n",
			AT "3:1: maildir: unknown key, expected \"tenants[].maildir\"?\n" },
		{ "? [a]\n: b\n", AT "3:3: a list or mapping as a key, expected a name\n" },
		{ "\"a\\nb\": 1\n",
			AT "3:1: a?b: unknown key, expected one of hostname, workers, run_as, "
			   "shutdown_grace, shutdown_delay, state, state_expire, tenants_dir, "
			   "admin, log, "
			   "listeners, "
			   "certificates, protocol, timeouts, limits, login_name, auth, maildrop, "
			   "uidl, sessions_per_user, tenants\n" },
	};

	(void)state;
	CHECK(examples);
}

static void slips_are_counted(void **state)
{
	char longest[66];

	(void)state;
	assert_int_equal(edit_distance("port", "port"), 0);
	assert_int_equal(edit_distance("prot", "port"), 1);
	assert_int_equal(edit_distance("ports", "port"), 1);
	assert_int_equal(edit_distance("", "port"), 4);
	assert_int_equal(edit_distance("kitten", "sitting"), 3);
	memset(longest, 'a', sizeof(longest));
	longest[65] = '\0';
	assert_int_equal(edit_distance(longest, "port"), SIZE_MAX);
	assert_true(edit_is_near(2, 4));
	assert_false(edit_is_near(3, 4));
}

static void keys_of_blocks_carry_their_name(void **state)
{
	(void)state;
	fixture_expect(LISTENER "tenants:\n"
				"- name: acme\n"
				"  imap: {servers: [h], prot: 1}\n"
				"- {nam: x, imap: {servers: [h]}}\n",
		AT "4:24: tenants[acme].imap.prot: unknown key, expected \"port\"?\n" AT
		   "5:3: tenants[].name: is missing, expected a name of at most 64 letters, "
		   "digits, \".\", \"_\" and \"-\"\n" AT
		   "5:3: tenants[].match: no login can get here, since tenant \"acme\" "
		   "(@/popgate.yaml:3) comes first and fits all that this one fits; expected a "
		   "narrower match there, or this tenant before it\n" AT
		   "5:4: tenants[].nam: unknown key, expected \"name\"?\n");
}

static void keys_given_twice(void **state)
{
	static const struct example examples[] = {
		{ "hostname: a\nworkers: 1\nhostname: b\n",
			AT "5:1: hostname: given twice (first in line 3), expected once\n" },
		{ "limits: {sessions: 1}\nlimits: {sessions: x}\n",
			AT "4:1: limits: given twice (first in line 3), expected once\n" },
		{ "limits: {sessions: 1, sessions: 2}\n", AT
			"3:23: limits.sessions: given twice (first in line 3), expected once\n" },
	};

	(void)state;
	CHECK(examples);
}

static void values_out_of_their_type(void **state)
{
	static const struct example examples[] = {
		{ "workers: many\n", AT
			"3:10: workers: \"many\" is not valid, expected a number from 1 to 1024, "
			"or auto\n" },
		{ "workers: -1\n",
			AT "3:10: workers: \"-1\" is not valid, expected a number from 1 "
			   "to 1024, or auto\n" },
		{ "workers:\n", AT "3:9: workers: nothing is given, expected a number from 1 to "
				   "1024, or auto\n" },
		{ "workers: [1]\n",
			AT "3:10: workers: a list, expected a number from 1 to 1024, or auto\n" },
		{ "workers: {a: 1}\n", AT
			"3:10: workers: a mapping, expected a number from 1 to 1024, or auto\n" },
		{ "limits: 5\n",
			AT "3:9: limits: not a mapping, expected a mapping of further keys\n" },
		{ "shutdown_grace: 30\n",
			AT "3:17: shutdown_grace: \"30\" is not valid, expected a duration from 0s "
			   "to 7d, such as 10s, 5m, 2h or 30d\n" },
		{ "shutdown_grace: never\n",
			AT "3:17: shutdown_grace: \"never\" is not valid, expected a duration from "
			   "0s to 7d, such as 10s, 5m, 2h or 30d\n" },
		{ "log: {level: warn}\n",
			AT "3:14: log.level: \"warn\" is not valid, expected error, warning, info "
			   "or debug\n" },
		{ "login_name: {lower_case: yes}\n",
			AT "3:26: login_name.lower_case: \"yes\" is not valid, expected true or "
			   "false\n" },
		{ "maildrop: {also: Junk}\n",
			AT "3:18: maildrop.also: not a list, expected a list such as [a, b]\n" },
		{ "maildrop: {also: [[a]]}\n",
			AT "3:19: maildrop.also: a list or mapping inside the list, expected a "
			   "list such as [a, b]\n" },
		{ "auth: {mechanisms: [user, cram-md5]}\n",
			AT "3:27: auth.mechanisms: \"cram-md5\" is not valid, expected a list of "
			   "user, plain, login, scram-sha-256, gssapi, ntlm, xoauth2, oauthbearer "
			   "or external\n" },
		{ "auth: {mechanisms: [user, user]}\n",
			AT "3:27: auth.mechanisms: user is named twice, expected a list of user, "
			   "plain, login, scram-sha-256, gssapi, ntlm, xoauth2, oauthbearer or "
			   "external\n" },
		{ "state: redis:x\n", AT "3:8: state: \"redis:x\" is not valid, expected " STATES },
		{ "state: 'sqlite:'\n",
			AT "3:8: state: \"sqlite:\" is not valid, expected " STATES },
		/* The address holds a password; it must not be repeated. */
		/* An address that may hold a password is not repeated. */
		{ "state: postgresql:h/d\n",
			REFUSED("not of the form postgresql://USER@HOST/DATABASE") },
		{ "state: postgresql://u:geheim@h/d\n", REFUSED(PASSWORD) },
		{ "state: postgres://u:ge/heim@h/d\n",
			REFUSED("an \"@\" that is not written as %40") },
		{ "state: postgresql://u@h/d?sslmode=require&password=geheim\n",
			REFUSED(PASSWORD) },
		{ "state: postgresql://u@h/d?p%61ssword=geheim\n", REFUSED(PASSWORD) },
		{ "state: postgresql://u@h/d?x=1&sslpassword=geheim\n", REFUSED(PASSWORD) },
		{ "run_as: no-such-account\n",
			AT "3:9: run_as: there is no account \"no-such-account\", expected an "
			   "account of this machine\n" },
		{ "admin: {listen: 9110}\n",
			AT "3:17: admin.listen: \"9110\" is not valid, expected an address with a "
			   "port, such as \"127.0.0.1:9110\" or \"[::1]:9110\"\n" },
		{ "admin: {socket: /nowhere/admin.sock}\n", AT
			"3:17: admin.socket: there is no folder /nowhere, expected the path of a "
			"file in a folder that is there\n" },
		{ "login_name: {default_domain: 'a b'}\n",
			AT "3:30: login_name.default_domain: \"a b\" is not valid, expected a "
			   "domain such as acme.example\n" },
		{ "protocol: {banner: \"a\\r\\n+OK b\"}\n",
			AT "3:20: protocol.banner: the text holds a control character, expected a "
			   "text of 0 to 200 octets\n" },
		{ "hostname: \"a\\0b\"\n",
			AT "3:11: hostname: the text holds a control character, expected a text of "
			   "1 to 255 octets\n" },
		{ "hostname: ''\n",
			AT "3:11: hostname: 0 octets long, expected a text of 1 to 255 octets\n" },
		{ "uidl: {format: serial}\n", AT "3:16: uidl.format: \"serial\" is not valid, "
						 "expected decimal, or a text " UIDL_TEXTS },
		{ "uidl: {format: '%{uid}.%{x}'}\n", AT "3:16: uidl.format: \"%{x}\" is not known, "
							"expected decimal, or a text " UIDL_TEXTS },
		{ "uidl: {format: '%{uid:hex33}'}\n", AT
			"3:16: uidl.format: \"%{uid:hex33}\" is not known, expected decimal, or a "
			"text " UIDL_TEXTS },
		{ "certificates: x.pem\n", AT
			"3:15: certificates: not a list, expected a list of mappings, each after "
			"a \"-\"\n" },
		{ "certificates: [x.pem]\n",
			AT "3:16: certificates: an item that is not a mapping, expected a list of "
			   "mappings, each after a \"-\"\n" },
	};

	(void)state;
	CHECK(examples);
}

static void values_out_of_range(void **state)
{
	static const struct example examples[] = {
		{ "protocol: {max_command_octets: 1025}\n", AT
			"3:32: protocol.max_command_octets: \"1025\" is out of range, expected a "
			"number from 40 to 1024\n" },
		{ "protocol: {max_command_octets: 39}\n",
			AT "3:32: protocol.max_command_octets: \"39\" is out of range, expected a "
			   "number from 40 to 1024\n" },
		{ "workers: 0\n", AT
			"3:10: workers: \"0\" is out of range, expected a number from 1 to 1024, "
			"or auto\n" },
		{ "limits: {failure_delay: 16s}\n",
			AT "3:25: limits.failure_delay: \"16s\" is out of range, expected a "
			   "duration from 0s to 15s, such as 10s, 5m, 2h or 30d\n" },
		{ "uidl: {max_changed: 101%}\n", AT
			"3:21: uidl.max_changed: \"101%\" is out of range, expected a percentage "
			"from 0 to 100\n" },
		{ "maildrop: {expire_after: 1h}\n",
			AT "3:26: maildrop.expire_after: \"1h\" is out of range, expected a "
			   "duration from 1d to 36500d, such as 10s, 5m, 2h or 30d, or never\n" },
	};

	(void)state;
	CHECK(examples);
}

static void values_of_listeners_and_tenants(void **state)
{
	(void)state;
	fixture_expect(
		"listeners:\n"
		"- name: 'a b'\n"
		"  listen: []\n"
		"  tls: none\n"
		"  plaintext_login: true\n"
		"  proxy_protocol_from: [192.0.2.1/24]\n"
		"- tls: none\n"
		"  plaintext_login: true\n"
		"tenants:\n"
		"- name: x\n"
		"  match: {domains: ['*'], addresses: [acme.example]}\n"
		"  imap: {servers: ['imap.test:993'], port: 0, login: '%{mail}', read_ahead: 4m}\n",
		AT "2:9: listeners[a b].name: \"a b\" is not valid, expected a name of at most 64 "
		   "letters, digits, \".\", \"_\" and \"-\"\n" AT
		   "3:11: listeners[a b].listen: the list is empty, expected a list of addresses "
		   "with ports such as [\"[::]:110\", \"127.0.0.1:1110\"]\n" AT
		   "6:25: listeners[a b].proxy_protocol_from: \"192.0.2.1/24\" has address bits "
		   "behind its prefix (192.0.2.0/24?), expected a list of networks such as "
		   "[192.0.2.0/24, \"2001:db8::/32\"]\n" AT
		   "7:3: listeners[].name: is missing, expected a name of at most 64 letters, "
		   "digits, \".\", \"_\" and \"-\"\n" AT
		   "7:3: listeners[].listen: is missing, expected a list of addresses with ports "
		   "such as [\"[::]:110\", \"127.0.0.1:1110\"]\n" AT
		   "11:21: tenants[x].match.domains: \"*\" is not valid, expected a list of "
		   "domains such as [acme.example, \"*.acme.example\"]\n" AT
		   "11:39: tenants[x].match.addresses: \"acme.example\" is not valid, expected a "
		   "list of networks such as [192.0.2.0/24, \"2001:db8::/32\"]\n" AT
		   "12:20: tenants[x].imap.servers: \"imap.test:993\" is not valid, expected a "
		   "list of server names or addresses such as [imap.acme.example]\n" AT
		   "12:44: tenants[x].imap.port: \"0\" is out of range, expected a number from 1 "
		   "to 65535\n" AT "12:54: tenants[x].imap.login: \"%{mail}\" is not known, "
		   "expected a text with %{login}, %{user} or %{domain}\n" AT
		   "12:77: tenants[x].imap.read_ahead: \"4m\" is not valid, expected a size from "
		   "0 to 1G, such as 512, 64K or 20M\n");
}

static void required_keys(void **state)
{
	(void)state;
	fixture_expect(LISTENER "certificates: [{}]\n"
				"tenants:\n"
				"- name: a\n"
				"  match: {domains: [a.test]}\n"
				"  imap:\n"
				"- name: b\n"
				"  auth: {pam_service: x}\n"
				"  maildir: {}\n",
		AT "2:16: certificates[].certificate: is missing, expected a file that can be "
		   "read\n" AT "2:16: certificates[].key: is missing, expected a file that can be "
		   "read\n" AT
		   "6:3: tenants[a].imap.servers: is missing, expected a list of server "
		   "names or addresses such as [imap.acme.example]\n" AT
		   "9:3: tenants[b].maildir.path: is missing, expected a text with %{login}, "
		   "%{user} or %{domain}\n");
}

static void files_that_cannot_be_read(void **state)
{
	(void)state;
	fixture_mkdir("folder");
	fixture_expect(LISTENER "tenants_dir: nowhere\n"
				"auth: {users_file: missing, keytab_file: folder}\n" TENANT,
		AT "2:14: tenants_dir: @/nowhere cannot be read (No such file or directory), "
		   "expected a folder that can be read\n" AT
		   "3:20: auth.users_file: @/missing cannot be read (No such file or directory), "
		   "expected a file that can be read\n" AT
		   "3:42: auth.keytab_file: @/folder cannot be read (Is a directory), expected a "
		   "file that can be read\n");
	fixture_write("file", "");
	fixture_expect(BASE "tenants_dir: file\n",
		AT "3:14: tenants_dir: @/file cannot be read (Not a directory), expected a folder "
		   "that can be read\n");
}

static void the_file_itself(void **state)
{
	(void)state;
	fixture_load(NULL);
	assert_string_equal(fixture_reports(),
		"error @/popgate.yaml: cannot be read: No such file or directory\n");
	fixture_mkdir("popgate.yaml");
	fixture_load(NULL);
	assert_string_equal(fixture_reports(),
		"error @/popgate.yaml: cannot be read: this is a folder, expected a YAML file\n");
	assert_int_equal(rmdir(fixture_path("popgate.yaml")), 0);
	fixture_expect("", "error @/popgate.yaml: the file is empty, expected a mapping of keys\n");
	fixture_expect("# only this\n",
		"error @/popgate.yaml: the file is empty, expected a mapping of keys\n");
	fixture_expect("- a\n", AT "1:1: no mapping, expected \"key: value\" lines\n");
	fixture_expect("hostname\n", AT "1:1: no mapping, expected \"key: value\" lines\n");
	fixture_expect(BASE "---\na: b\n", AT "3:1: a second document begins, expected one\n");
	fixture_expect("{}\n",
		AT "1:1: certificates: none is given, and the default does not work "
		   "(/etc/popgate/tls/cert.pem: No such file or directory), expected a "
		   "certificate and key, or listeners with tls: none\n" AT
		   "1:1: tenants: there is none: nobody could log in, expected at least one\n");
}

static void a_file_without_permission(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip();
	fixture_write("popgate.yaml", BASE);
	assert_int_equal(chmod(fixture_path("popgate.yaml"), 0), 0);
	fixture_load(NULL);
	assert_string_equal(
		fixture_reports(), "error @/popgate.yaml: cannot be read: Permission denied\n");
}

static void yaml_syntax(void **state)
{
	(void)state;
	fixture_expect("hostname: a\n  b: [\n",
		AT "2:4: mapping values are not allowed in this context, expected YAML\n");
	fixture_expect("a: [1, 2\n",
		AT "2:1: did not find expected ',' or ']' while parsing a flow "
		   "sequence, expected YAML\n");
	fixture_expect("a: *b\n", AT "1:4: found undefined alias, expected YAML\n");
	fixture_expect("a: \"\n", AT "2:1: found unexpected end of stream while scanning a quoted "
				     "scalar, expected YAML\n");
	fixture_expect("a:\n\t- b\n", AT "2:1: found character that cannot start any token while "
					 "scanning for the next token, expected YAML, "
					 "which is indented by spaces, never by tabs\n");
}

static void text_that_is_not_utf8(void **state)
{
	(void)state;
	fixture_expect("# \xc3\xbc\nhostname: \xc3\xbc\xff\n",
		AT "2:12: invalid leading UTF-8 octet, expected UTF-8 text\n");
	fixture_write_octets("popgate.yaml", "hostname: a\0b\n", 14);
	fixture_load(NULL);
	assert_string_equal(fixture_reports(),
		AT "1:12: control characters are not allowed, expected UTF-8 text\n");
}

static void aliases_cannot_blow_up(void **state)
{
	/* A cycle; and a list of 1200 aliases to a list of 1200. */
	struct buffer text = { 0 };

	(void)state;
	fixture_load(LISTENER "tenants: &t [*t, {name: a, imap: &i {servers: *t, oauth2: *i}}]\n");
	assert_non_null(strstr(fixture_reports(), "a list or mapping inside the list"));

	buffer_printf(&text, "tenants:\n- &t\n  name: a\n  imap: {servers: [h]}\n"
			     "  maildrop:\n    also: &l\n");
	for (unsigned i = 0; i < 1200; i++)
		buffer_printf(&text, "    - f%u\n", i);
	for (unsigned i = 0; i < 1200; i++)
		buffer_printf(&text, "- *t\n");
	buffer_append(&text, "", 1);
	fixture_load(text.data + text.start);
	assert_non_null(strstr(fixture_reports(), "more than 1000000 values"));
	buffer_done(&text);
}

static void nesting_is_bounded(void **state)
{
	char *deep = mem_alloc(200001);

	(void)state;
	memset(deep, '[', 200000);
	deep[200000] = '\0';
	fixture_expect(deep, AT "1:33: nested too deeply, expected 32 levels at most\n");
	free(deep);
}

static void many_mistakes_are_counted(void **state)
{
	struct buffer text = { 0 };
	size_t lines = 0;

	(void)state;
	for (unsigned i = 0; i < 1500; i++)
		buffer_printf(&text, "xyzzy%u: 1\n", i);
	buffer_append(&text, "", 1);
	fixture_load(text.data + text.start);
	buffer_done(&text);
	for (const char *p = fixture_reports(); (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, 1001);
	assert_non_null(strstr(fixture_reports(), "error and 502 more\n"));
}

static void mistakes_of_all_files_come_in_order(void **state)
{
	(void)state;
	fixture_mkdir("t");
	fixture_write(
		"t/b.yaml", "name: b\nmatch: {domains: [b.test]}\nimap: {servers: [h], a: 1}\n");
	fixture_write("t/a.yaml", "name: a\nb: *c\n");
	fixture_write("t/c.yaml", "");
	fixture_expect(LISTENER "tenants_dir: t\nworkers: x\nhostname: ''\n", AT
		"3:10: workers: \"x\" is not valid, expected a number from 1 to 1024, or auto\n" AT
		"4:11: hostname: 0 octets long, expected a text of 1 to 255 octets\n"
		"error @/t/a.yaml:2:4: found undefined alias, expected YAML\n"
		"error @/t/b.yaml:3:22: imap.a: unknown key, expected one of servers, port, "
		"tls, ca_file, verify, client_certificate, client_key, login, delegate_folder, "
		"master_user, "
		"master_password_file, connect_timeout, command_timeout, keep_warm, "
		"send_client_address, read_ahead, oauth2\n"
		"error @/t/c.yaml: the file is empty, expected a mapping of keys\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unknown_keys_name_the_nearest),
		TEST(slips_are_counted),
		TEST(keys_of_blocks_carry_their_name),
		TEST(keys_given_twice),
		TEST(values_out_of_their_type),
		TEST(values_out_of_range),
		TEST(values_of_listeners_and_tenants),
		TEST(required_keys),
		TEST(files_that_cannot_be_read),
		TEST(the_file_itself),
		TEST(a_file_without_permission),
		TEST(yaml_syntax),
		TEST(text_that_is_not_utf8),
		TEST(aliases_cannot_blow_up),
		TEST(nesting_is_bounded),
		TEST(many_mistakes_are_counted),
		TEST(mistakes_of_all_files_come_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
