/* config: what a good file becomes: values, defaults, inheritance, paths, tenants_dir, printing. */
#include "tests/unit/config/fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/units.h"

static void a_tenant_is_all_that_is_needed(void **state)
{
	const struct config *c = fixture_load_good(BASE);
	const struct tenant *t = &c->tenants[0];

	(void)state;
	assert_int_equal(c->n_tenants, 1);
	assert_string_equal(c->hostname, "localhost");
	assert_int_equal(c->workers, WORKERS_AUTO);
	assert_string_equal(c->run_as, "");
	assert_int_equal(c->shutdown_grace, 30 * SECOND);
	assert_int_equal(c->state_kind, STATE_SQLITE);
	assert_string_equal(c->state, "/var/lib/popgate/state.db");
	assert_string_equal(c->admin_listen, "127.0.0.1:9110");
	assert_string_equal(c->admin_socket, ADMIN_SOCKET_AUTO);
	assert_string_equal(c->log.file, "");
	assert_int_equal(c->shutdown_delay, 0);
	assert_int_equal(c->log.level, LOG_INFO);
	assert_int_equal(c->protocol.max_command_octets, 512);
	assert_int_equal(c->timeouts.idle, 30 * MINUTE);
	assert_int_equal(c->limits.failure_delay, 2 * SECOND);
	assert_true(c->login_name.lower_case);
	assert_string_equal(c->login_name.separators, "@");
	assert_string_equal(t->name, "t");
	assert_int_equal(t->index, 0);
	assert_int_equal(t->line, 2);
	assert_int_equal(t->store, STORE_IMAP);
	assert_int_equal(t->imap.port, 993);
	assert_int_equal(t->imap.tls, TLS_IMPLICIT);
	assert_true(t->imap.verify);
	assert_string_equal(t->imap.login, "%{login}");
	assert_string_equal(t->imap.ca_file, "");
	assert_null(t->imap.master_password);
	assert_int_equal(t->imap.read_ahead, 4 << 20);
	assert_int_equal(t->imap.oauth2.flow, OAUTH2_NONE);
	assert_string_equal(t->imap.oauth2.scope, "");
	assert_string_equal(t->maildir.path, "");
	assert_int_equal(t->auth.mechanisms, MECH_USER | MECH_PLAIN | MECH_LOGIN);
	assert_string_equal(t->maildrop.folder, "INBOX");
	assert_int_equal(t->maildrop.also.n, 0);
	assert_int_equal(t->maildrop.expire_after, DURATION_NEVER);
	assert_false(t->maildrop.utf8);
	assert_string_equal(t->uidl.format, "decimal");
	assert_int_equal(t->sessions_per_user, 16);
}

static void every_type_of_value(void **state)
{
	const struct config *c = fixture_load_good(
		"hostname: pop.acme.example\n"
		"workers: 4\n"
		"state: none\n"
		"admin: {listen: '', socket: /tmp/admin.sock}\n"
		"shutdown_delay: 5s\n"
		"log:\n"
		"  format: json\n"
		"  file: /tmp/log\n"
		"listeners:\n"
		"- name: a\n"
		"  listen: ['*:1110', '127.0.0.1:1110']\n"
		"  tls: none\n"
		"  plaintext_login: true\n"
		"  minimum_tls: 1.0\n"
		"  proxy_protocol_from: [192.0.2.0/24, '2001:db8::/32', 198.51.100.7]\n"
		"limits:\n"
		"timeouts: {idle: 1h}\n"
		"tenants:\n"
		"- name: x\n"
		"  match:\n"
		"    domains: [x.example, '*.x.example']\n"
		"  imap: {servers: ['::1', imap.x.example], port: 143, tls: starttls, read_ahead: "
		"4M}\n"
		"  auth: {mechanisms: [plain, user]}\n"
		"  maildrop: {also: [Junk, 'A b'], order: newest_first, max_messages: 5, "
		"newer_than: 2d,\n"
		"    exact_rfc822_size: false, on_delete: trash, utf8: true}\n"
		"  sessions_per_user: 1\n");
	const struct listener_config *l = &c->listeners[0];
	const struct tenant *t = &c->tenants[0];

	(void)state;
	assert_string_equal(c->hostname, "pop.acme.example");
	assert_int_equal(c->workers, 4);
	assert_int_equal(c->state_kind, STATE_NONE);
	assert_string_equal(c->state, "");
	assert_string_equal(c->admin_listen, "");
	assert_string_equal(c->admin_socket, "/tmp/admin.sock");
	assert_int_equal(c->shutdown_delay, 5 * SECOND);
	assert_string_equal(c->log.file, "/tmp/log");
	assert_int_equal(c->log.format, LOG_JSON);
	assert_int_equal(c->timeouts.idle, HOUR);
	assert_int_equal(c->n_listeners, 1);
	assert_int_equal(l->listen.n, 2);
	assert_string_equal(l->listen.items[0], "*:1110");
	assert_int_equal(l->minimum_tls, TLS_V1_0);
	assert_int_equal(l->proxy_protocol_from.n, 3);
	assert_true(network_list_contains(&l->proxy_protocol_from, "2001:db8::1"));
	assert_int_equal(t->match.domains.n, 2);
	assert_string_equal(t->match.domains.items[1], "*.x.example");
	assert_string_equal(t->imap.servers.items[0], "::1");
	assert_int_equal(t->imap.port, 143);
	assert_int_equal(t->auth.mechanisms, MECH_USER | MECH_PLAIN);
	assert_string_equal(t->maildrop.also.items[1], "A b");
	assert_int_equal(t->maildrop.order, ORDER_NEWEST_FIRST);
	assert_int_equal(t->maildrop.max_messages, 5);
	assert_int_equal(t->maildrop.newer_than, 2 * DAY);
	assert_false(t->maildrop.exact_rfc822_size);
	assert_int_equal(t->maildrop.on_delete, DELETE_TRASH);
	assert_true(t->maildrop.utf8);
	assert_int_equal(t->sessions_per_user, 1);
}

static void tenants_inherit_key_by_key(void **state)
{
	const struct config *c = fixture_load_good(
		LISTENER "tenants:\n"
			 "- {name: a, match: {domains: [a.test]}, imap: {servers: [h]},\n"
			 "   maildrop: {mark_seen: false}, sessions_per_user: 3}\n"
			 "- {name: b, match: {domains: [b.test]}, imap: {servers: [h]},\n"
			 "   maildrop: {folder: B, also: []}, auth: {mechanisms: [plain]}}\n"
			 /* Behind the tenants, and in effect for them all the same. */
			 "maildrop: {folder: Top, also: [Junk]}\n"
			 "auth: {mechanisms: [user]}\n"
			 "sessions_per_user: 9\n");

	(void)state;
	assert_string_equal(c->tenants[0].maildrop.folder, "Top");
	assert_int_equal(c->tenants[0].maildrop.also.n, 1);
	assert_false(c->tenants[0].maildrop.mark_seen);
	assert_int_equal(c->tenants[0].auth.mechanisms, MECH_USER);
	assert_int_equal(c->tenants[0].sessions_per_user, 3);
	assert_string_equal(c->tenants[1].maildrop.folder, "B");
	assert_int_equal(c->tenants[1].maildrop.also.n, 0);
	assert_true(c->tenants[1].maildrop.mark_seen);
	assert_int_equal(c->tenants[1].auth.mechanisms, MECH_PLAIN);
	assert_int_equal(c->tenants[1].sessions_per_user, 9);
}

static void paths_belong_to_the_folder_of_their_file(void **state)
{
	const struct config *c;

	(void)state;
	fixture_write("users", "");
	fixture_mkdir("t");
	fixture_write("t/users", "");
	fixture_write("t/b.yaml",
		"{name: b, match: {domains: [b.test]}, auth: {users_file: users},\n"
		" maildir: {path: 'mail/%{user}'}}\n");
	c = fixture_load_good(LISTENER "tenants_dir: t\n"
				       "auth: {users_file: users}\n"
				       "state: sqlite:state.db\n"
				       "tenants: [{name: a, match: {domains: [a.test]}, maildir: "
				       "{path: '/m/%{login}'}}]\n");
	assert_string_equal(c->state, fixture_path("state.db"));
	assert_string_equal(c->tenants_dir, fixture_path("t"));
	assert_string_equal(c->tenants[0].auth.users_file, fixture_path("users"));
	assert_string_equal(c->tenants[0].maildir.path, "/m/%{login}");
	assert_string_equal(c->tenants[1].auth.users_file, fixture_path("t/users"));
	assert_string_equal(c->tenants[1].maildir.path, fixture_path("t/mail/%{user}"));
}

static void files_of_the_service_manager(void **state)
{
	const char *text = LISTENER "auth: {users_file: '${CREDENTIALS_DIRECTORY}/users'}\n" TENANT;
	const struct config *c;

	(void)state;
	fixture_mkdir("credentials");
	fixture_write("credentials/users", "");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", fixture_path("credentials"), 1), 0);
	c = fixture_load_good(text);
	assert_string_equal(c->tenants[0].auth.users_file, fixture_path("credentials/users"));
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	fixture_expect(text,
		"error @/popgate.yaml:2:20: auth.users_file: CREDENTIALS_DIRECTORY is not set, as "
		"systemd does for a service, expected a file that can be read\n");
}

static void tenants_dir_is_read_in_order_behind_the_main_file(void **state)
{
	const struct config *c;

	(void)state;
	fixture_mkdir("t");
	fixture_write("t/b.yaml", "name: b\nmatch: {domains: [b.test]}\nimap: {servers: [h]}\n");
	fixture_write("t/a.yaml", "# first\n\nname: a\nmatch: {domains: [a.test]}\n"
				  "imap: {servers: [h]}\n");
	fixture_write("t/.hidden.yaml", "not: read");
	fixture_write("t/other.yml", "not: read");
	fixture_write("t/.yaml", "not: read");
	c = fixture_load_good(
		LISTENER "tenants_dir: t\n"
			 "tenants: [{name: z, match: {domains: [z.test]}, imap: {servers: [h]}}]\n"
			 "sessions_per_user: 5\n");
	assert_int_equal(c->n_tenants, 3);
	assert_string_equal(c->tenants[0].name, "z");
	assert_string_equal(c->tenants[1].name, "a");
	assert_string_equal(c->tenants[2].name, "b");
	assert_int_equal(c->tenants[2].index, 2);
	assert_int_equal(c->tenants[2].sessions_per_user, 5);
	assert_string_equal(c->tenants[1].file, fixture_path("t/a.yaml"));
	assert_int_equal(c->tenants[1].line, 3);
}

static void listeners_and_certificates_have_defaults(void **state)
{
	(void)state;
	/* The default certificate is not there, so this fails; the addresses show in the report. */
	fixture_expect(TENANT, "error @/popgate.yaml:1:1: certificates: none is given, and the "
			       "default does not work (/etc/popgate/tls/cert.pem: No such file or "
			       "directory), expected a certificate and key, or listeners with "
			       "tls: none\n");
}

static void certificates_of_tls_listeners(void **state)
{
	const struct config *c;

	(void)state;
	fixture_certificate("one");
	c = fixture_load_good("certificates: [{certificate: one.pem, key: one.key}]\n" TENANT);
	assert_int_equal(c->n_certificates, 1);
	assert_string_equal(c->certificates[0].key, fixture_path("one.key"));
	assert_int_equal(c->n_listeners, 2);
	assert_string_equal(c->listeners[0].name, "pop3");
	assert_string_equal(c->listeners[0].listen.items[0], "[::]:110");
	assert_int_equal(c->listeners[0].tls, TLS_STARTTLS);
	assert_false(c->listeners[0].plaintext_login);
	assert_int_equal(c->listeners[0].minimum_tls, TLS_V1_2);
	assert_string_equal(c->listeners[1].name, "pop3s");
	assert_string_equal(c->listeners[1].listen.items[0], "[::]:995");
	assert_int_equal(c->listeners[1].tls, TLS_IMPLICIT);
}

static void master_passwords_are_read(void **state)
{
	const struct config *c;
	char *printed;

	(void)state;
	fixture_write("users", "");
	fixture_write("master", "geheim\n");
	c = fixture_load_good(LISTENER "auth: {users_file: users}\n"
				       "tenants: [{name: t, imap: {servers: [h], master_user: m, "
				       "master_password_file: master}}]\n");
	assert_int_equal(secret_length(c->tenants[0].imap.master_password), 6);
	assert_memory_equal(secret_data(c->tenants[0].imap.master_password), "geheim", 6);
	printed = fixture_print(c);
	assert_null(strstr(printed, "geheim"));
	free(printed);
}

static void aliases_stand_for_what_they_name(void **state)
{
	const struct config *c = fixture_load_good(LISTENER
		"tenants:\n"
		"- {name: a, match: {domains: [a.test]}, imap: &i {servers: [h], port: 1993}}\n"
		"- {name: b, match: {domains: [b.test]}, imap: *i}\n");

	(void)state;
	assert_int_equal(c->tenants[1].imap.port, 1993);
	assert_string_equal(c->tenants[1].imap.servers.items[0], "h");
}

static void a_byte_order_mark_is_skipped(void **state)
{
	(void)state;
	fixture_load_good("\xef\xbb\xbf" BASE);
}

/* In place: comments name lines, which differ. */
static char *without_comments(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		size_t n = strcspn(from, "\n") + 1;

		if (from[strspn(from, " ")] != '#') {
			memmove(to, from, n);
			to += n;
		}
		from += n;
	}
	*to = '\0';
	return text;
}

#ifdef POPGATE_POSTGRESQL
static void state_is_a_database_server(void **state)
{
	static const char uri[] = "postgresql://gate@[::1]:5433/mail?sslmode=verify-full"
				  "&passfile=/run/secrets/mail&application_name=p%40ssword";
	cleanup(free_cleanup) char *text = mem_printf("%sstate: %s\n", BASE, uri);
	const struct config *c = fixture_load_good(text);
	cleanup(free_cleanup) char *printed = NULL;

	(void)state;
	assert_int_equal(c->state_kind, STATE_POSTGRESQL);
	assert_string_equal(c->state, uri);
	printed = fixture_print(c);
	assert_non_null(strstr(printed, uri));
}
#endif

static void what_is_printed_loads_again_and_prints_the_same(void **state)
{
	static const char text[] =
		"hostname: \"a \\\"quoted\\\" back\\\\slash ü\"\n"
		"run_as: root\n"
		"listeners:\n"
		"- {name: a, listen: ['*:1110'], tls: none, plaintext_login: true,\n"
		"   proxy_protocol_from: ['::ffff:192.0.2.0/120', '::/0']}\n"
		"login_name: {separators: '@%', folder_separator: '+', default_domain: d.test}\n"
		"tenants_dir: t\n"
		"tenants:\n"
		"- name: on\n"
		"  match: {domains: [x.test], addresses: [192.0.2.0/24]}\n"
		"  imap: {servers: ['::1'], ca_file: one.pem, client_certificate: one.pem,\n"
		"         client_key: one.key, login: '%{user}'}\n"
		"  maildrop: {folder: 'true', also: ['#a', '- b', ' c'], newer_than: 90s}\n";
	char *first, *again;

	(void)state;
	fixture_certificate("one");
	fixture_mkdir("t");
	fixture_write("t/a.yaml", "{name: a, auth: {users_file: ../one.pem}, maildir: {path: "
				  "'/m/%{login}', folder_layout: fs}}");
	first = fixture_print(fixture_load_good(text));
	assert_non_null(strstr(first, "# tenants_dir: "));
	again = fixture_print(fixture_load_good(first));
	assert_string_equal(without_comments(again), without_comments(first));
	free(first);
	free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tenant_is_all_that_is_needed),
		TEST(every_type_of_value),
		TEST(tenants_inherit_key_by_key),
		TEST(paths_belong_to_the_folder_of_their_file),
		TEST(files_of_the_service_manager),
		TEST(tenants_dir_is_read_in_order_behind_the_main_file),
		TEST(listeners_and_certificates_have_defaults),
		TEST(certificates_of_tls_listeners),
		TEST(master_passwords_are_read),
#ifdef POPGATE_POSTGRESQL
		TEST(state_is_a_database_server),
#endif
		TEST(aliases_stand_for_what_they_name),
		TEST(a_byte_order_mark_is_skipped),
		TEST(what_is_printed_loads_again_and_prints_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
