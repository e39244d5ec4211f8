#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/imap/certificate.h"
#include "tests/unit/imap/peer.h"

fiber_fn static void happy(struct peer *p)
{
	peer_begin(p, 3);
	peer_end(p);
}

static void opens_and_closes(void **state)
{
	struct world *w = *state;

	world_run(w, happy, act_open);
	assert_error(w, ERR_OK, "");
	assert_wire(w, "LOGIN \"user@a.example\" \"secret\"\nSELECT \"INBOX\"\nLOGOUT\n");
}

fiber_fn static void silent_about_capabilities(struct peer *p)
{
	peer_send(p, "* OK ready\r\n");
	peer_expect(p, "CAPABILITY");
	peer_send(p, "* CAPABILITY IMAP4rev1\r\n");
	peer_answer(p, "OK done");
	peer_expect(p, "LOGIN \"user@a.example\" \"secret\"");
	peer_answer(p, "OK in");
	peer_expect(p, "CAPABILITY");
	peer_answer(p, "OK nothing to say");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, 0);
	peer_end(p);
}

static void asks_for_capabilities(void **state)
{
	struct world *w = *state;

	world_run(w, silent_about_capabilities, act_open);
	assert_error(w, ERR_OK, "");
}

/* Greetings. */

static const char *greeting;

fiber_fn static void greet_only(struct peer *p)
{
	peer_send(p, "%s\r\n", greeting);
	peer_expect_end(p);
}

static void refuses_greetings(void **state)
{
	static const struct {
		const char *greeting;
		enum err_scope scope;
		const char *detail;
	} cases[] = {
		{ "* PREAUTH welcome", ERR_PERM, "PREAUTH" },
		{ "* BYE go away", ERR_TEMP, "BYE go away" },
		{ "* BYE [INUSE] full", ERR_IN_USE, "full" },
		{ "* BYE [UNAVAILABLE] maintenance", ERR_TEMP, "maintenance" },
		{ "+OK POP3 ready", ERR_TEMP, "imap.test" },
		{ "220 mail ESMTP", ERR_TEMP, "imap.test" },
		{ "* NO thanks", ERR_TEMP, "does not greet" },
		{ "HTTP/1.1 400 Bad Request", ERR_TEMP, "does not greet" },
		{ "* 1 FETCH (UID 1)\r\n* OK ready", ERR_TEMP, "does not greet" },
		{ "* 1 EXISTS\r\n* OK ready", ERR_TEMP, "does not greet" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		greeting = cases[i].greeting;
		world_run(w, greet_only, act_open);
		assert_error(w, cases[i].scope, cases[i].detail);
		assert_int_equal(buffer_used(&w->peer.wire), 0);
	}
}

/* Login. */

static const char *answer;

fiber_fn static void refuse_login(struct peer *p)
{
	peer_greet(p);
	peer_expect(p, "LOGIN \"user@a.example\" \"secret\"");
	peer_answer(p, answer);
	peer_expect_end(p);
}

static void maps_login_errors(void **state)
{
	static const struct {
		const char *answer;
		enum err_scope scope;
	} cases[] = {
		{ "NO Login failed", ERR_AUTH },
		{ "NO [ALERT] Login failed", ERR_AUTH },
		{ "NO [AUTHENTICATIONFAILED] Login failed", ERR_AUTH },
		{ "NO [AUTHORIZATIONFAILED] Login failed", ERR_AUTH },
		{ "NO [EXPIRED] Login failed", ERR_AUTH },
		{ "NO [UNAVAILABLE] Login failed", ERR_TEMP },
		{ "NO [LIMIT] Login failed", ERR_TEMP },
		{ "NO [SERVERBUG] Login failed", ERR_TEMP },
		{ "NO [THROTTLED] Login failed", ERR_TEMP },
		{ "NO [INUSE] Login failed", ERR_IN_USE },
		{ "NO [NOPERM] Login failed", ERR_PERM },
		{ "NO [CONTACTADMIN] Login failed", ERR_PERM },
		{ "no [contactadmin x] Login failed", ERR_PERM },
		{ "NO [PRIVACYREQUIRED] Login failed", ERR_PERM },
		{ "NO [LIMITLESS] Login failed", ERR_AUTH },
		{ "BAD Login failed", ERR_TEMP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		answer = cases[i].answer;
		world_run(w, refuse_login, act_open);
		assert_error(w, cases[i].scope, "Login failed");
		assert_error(w, cases[i].scope, "imap.test");
	}
}

fiber_fn static void answer_another_tag(struct peer *p)
{
	peer_greet(p);
	peer_command(p);
	peer_send(p, "99 BAD who are you\r\n");
	peer_expect_end(p);
}

static void another_tag_is_no_answer(void **state)
{
	struct world *w = *state;

	world_run(w, answer_another_tag, act_open);
	assert_error(w, ERR_TEMP, "malformed");
}

fiber_fn static void refuse_passwords(struct peer *p)
{
	peer_send(p, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n");
	peer_expect_end(p);
}

static void respects_logindisabled(void **state)
{
	struct world *w = *state;

	world_run(w, refuse_passwords, act_open);
	assert_error(w, ERR_PERM, "LOGINDISABLED");
	assert_int_equal(buffer_used(&w->peer.wire), 0);
}

fiber_fn static void expect_special(struct peer *p)
{
	peer_greet(p);
	peer_expect(p, "LOGIN \"a\\\\b\" \" p\\\"w{3}\"");
	peer_answer(p, "NO [AUTHENTICATIONFAILED] no");
	peer_expect_end(p);
}

static void set_password(struct world *w, const char *data, size_t n)
{
	secret_free(w->password);
	w->password = secret_new(data, n);
}

static void quotes_specials(void **state)
{
	struct world *w = *state;

	w->account.login = "a\\b";
	set_password(w, " p\"w{3}", 7);
	world_run(w, expect_special, act_open);
	assert_error(w, ERR_AUTH, "");
}

fiber_fn static void expect_nothing(struct peer *p)
{
	peer_greet(p);
	peer_expect_end(p);
}

static void refuses_control_octets(void **state)
{
	static const struct {
		const char *login;
		const char *password;
		size_t n;
	} cases[] = {
		{ "user", "a\0b", 3 },
		{ "user", "a\r", 2 },
		{ "user", "a\nb", 3 },
		{ "us\r\ner", "a", 1 },
		{ "us\ner", "a", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		w->account.login = cases[i].login;
		set_password(w, cases[i].password, cases[i].n);
		world_run(w, expect_nothing, act_open);
		assert_error(w, ERR_AUTH, "cannot express");
	}
}

fiber_fn static void expect_plain(struct peer *p)
{
	peer_greet(p);
	peer_expect(p, "AUTHENTICATE PLAIN AHVzZXJAYS5leGFtcGxlAGfDvG4=");
	peer_answer(p, "NO [AUTHENTICATIONFAILED] no");
	peer_expect_end(p);
}

static void sends_8_bit_by_plain(void **state)
{
	struct world *w = *state;

	set_password(w, "g\xc3\xbcn", 4);
	world_run(w, expect_plain, act_open);
	assert_error(w, ERR_AUTH, "");
}

fiber_fn static void expect_plain_in_two_steps(struct peer *p)
{
	peer_send(p, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED] ready\r\n");
	peer_expect(p, "AUTHENTICATE PLAIN");
	peer_send(p, "* OK still here\r\n+ \r\n");
	peer_expect_line(p, "AHVzZXJAYS5leGFtcGxlAHNlY3JldA==");
	peer_answer(p, "OK [CAPABILITY IMAP4rev1] in");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, 0);
	peer_end(p);
}

static void plain_without_initial_response(void **state)
{
	struct world *w = *state;

	world_run(w, expect_plain_in_two_steps, act_open);
	assert_error(w, ERR_OK, "");
}

fiber_fn static void refuse_plain_at_once(struct peer *p)
{
	peer_send(p, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED] ready\r\n");
	peer_expect(p, "AUTHENTICATE PLAIN");
	peer_answer(p, "NO [UNAVAILABLE] not today");
	peer_expect_end(p);
}

static void no_password_after_a_refusal(void **state)
{
	struct world *w = *state;

	world_run(w, refuse_plain_at_once, act_open);
	assert_error(w, ERR_TEMP, "not today");
}

fiber_fn static void accept_plain_at_once(struct peer *p)
{
	peer_send(p, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED] ready\r\n");
	peer_expect(p, "AUTHENTICATE PLAIN");
	peer_answer(p, "OK in, whoever you are");
	peer_expect_end(p);
}

static void no_login_without_a_password(void **state)
{
	struct world *w = *state;

	world_run(w, accept_plain_at_once, act_open);
	assert_error(w, ERR_TEMP, "malformed");
}

fiber_fn static void expect_literals(struct peer *p)
{
	peer_send(p, "* OK [CAPABILITY IMAP4rev1] ready\r\n");
	peer_expect(p, "LOGIN {5}");
	peer_send(p, "+ go\r\n");
	peer_expect_line(p, "\xc3\xbcser {4}");
	peer_send(p, "+ go\r\n");
	peer_expect_line(p, "g\xc3\xbcn");
	peer_answer(p, "NO [AUTHENTICATIONFAILED] no");
	peer_expect_end(p);
}

static void sends_8_bit_as_literals(void **state)
{
	struct world *w = *state;

	w->account.login = "\xc3\xbcser";
	set_password(w, "g\xc3\xbcn", 4);
	world_run(w, expect_literals, act_open);
	assert_error(w, ERR_AUTH, "");
}

fiber_fn static void expect_master(struct peer *p)
{
	peer_greet(p);
	/* user NUL master NUL key */
	peer_expect(p, "AUTHENTICATE PLAIN dXNlcgBtYXN0ZXIAa2V5");
	peer_answer(p, "OK [CAPABILITY IMAP4rev1] in");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, 0);
	peer_end(p);
}

static void enters_by_master_user(void **state)
{
	struct world *w = *state;
	struct secret *key = secret_new("key", 3);

	w->tenant.imap.login = "%{user}";
	w->tenant.imap.master_user = "master";
	w->tenant.imap.master_password = key;
	set_password(w, "never sent", 10);
	world_run(w, expect_master, act_open);
	secret_free(key);
	assert_error(w, ERR_OK, "");
}

fiber_fn static void no_plain(struct peer *p)
{
	peer_send(p, "* OK [CAPABILITY IMAP4rev1] ready\r\n");
	peer_expect_end(p);
}

static void master_user_needs_plain(void **state)
{
	struct world *w = *state;
	struct secret *key = secret_new("key", 3);

	w->tenant.imap.master_user = "master";
	w->tenant.imap.master_password = key;
	world_run(w, no_plain, act_open);
	secret_free(key);
	assert_error(w, ERR_PERM, "AUTH=PLAIN");
}

static void no_password_at_all(void **state)
{
	struct world *w = *state;

	secret_free(w->password);
	w->password = NULL;
	world_run(w, expect_nothing, act_open);
	assert_error(w, ERR_PERM, "no password");
}

fiber_fn static void expect_id(struct peer *p)
{
	peer_greet(p);
	peer_expect(p, "ID (\"name\" \"popgate\" \"x-originating-ip\" \"192.0.2.9\")");
	peer_send(p, "* ID (\"name\" \"Dovecot\")\r\n");
	peer_answer(p, answer);
	peer_login(p, "UIDPLUS");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, 0);
	peer_end(p);
}

static void sends_the_client_address(void **state)
{
	struct world *w = *state;

	w->tenant.imap.send_client_address = true;
	answer = "OK thanks";
	world_run(w, expect_id, act_open);
	assert_error(w, ERR_OK, "");
	answer = "BAD none of your business";
	world_run(w, expect_id, act_open);
	assert_error(w, ERR_OK, "");
}

/* SELECT. */

fiber_fn static void refuse_select(struct peer *p)
{
	peer_greet(p);
	peer_login(p, "UIDPLUS");
	peer_expect(p, "SELECT \"Gel&APY-scht\"");
	peer_answer(p, answer);
	peer_expect_end(p);
}

static void maps_select_errors(void **state)
{
	static const struct {
		const char *answer;
		enum err_scope scope;
	} cases[] = {
		{ "NO User is authenticated but not connected.", ERR_PERM },
		{ "NO [NONEXISTENT] no such mailbox", ERR_PERM },
		{ "NO [UNAVAILABLE] later", ERR_TEMP },
		{ "NO [INUSE] locked", ERR_IN_USE },
		{ "NO [SERVERBUG] oops", ERR_TEMP },
		{ "BAD what?", ERR_TEMP },
		{ "OK without a UIDVALIDITY", ERR_PERM },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		w->account.folder = "Gelöscht";
		answer = cases[i].answer;
		world_run(w, refuse_select, act_open);
		assert_error(w, cases[i].scope, "Gelöscht");
	}
}

static const char *select_lines;
static bool select_suffices;
static uint32_t exists, uidnext;

fiber_fn static void tell_select(struct peer *p)
{
	peer_greet(p);
	peer_login(p, "UIDPLUS");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p, "%s", select_lines);
	peer_answer(p, "OK [READ-WRITE]");
	if (select_suffices)
		peer_end(p);
	else
		peer_expect_end(p);
}

fiber_fn static void act_select(struct world *w)
{
	world_open(w);
	if (!failed(w->e)) {
		exists = ((struct imap *)w->backend)->exists;
		uidnext = ((struct imap *)w->backend)->uidnext;
	}
	world_close(w);
}

static void takes_what_select_tells(void **state)
{
	static const struct {
		const char *lines;
		enum err_scope scope;
		const char *detail;
		uint32_t exists, uidnext;
	} cases[] = {
		{ "* 2 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 9] x\r\n", ERR_OK, "", 2,
			9 },
		{ "* 4294967295 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n", ERR_TEMP, "more than" },
		{ "* 2 EXISTS \r\n* OK [UIDVALIDITY 7] x\r\n", ERR_OK, "", 2, 0 },
		{ "* 2 exists\n* ok [uidvalidity 7] x\n* 3 Exists\n", ERR_OK, "", 3, 0 },
		{ "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* 1 EXISTSX\r\n", ERR_OK, "", 0, 0 },
		{ "* OK [UIDVALIDITY 7] x\r\n", ERR_PERM, "no EXISTS" },
		{ "* 2 EXISTS\r\n", ERR_PERM, "no UIDVALIDITY" },
		{ "* 2 EXISTS\r\n* OK [UIDVALIDITY 0] x\r\n", ERR_PERM, "no UIDVALIDITY" },
		{ "* 2 EXISTS\r\n* OK [UIDVALIDITY 4294967296] x\r\n", ERR_PERM, "no UIDVALIDITY" },
		{ "* 2 EXISTS\r\n* OK [UIDVALIDITY 7 x\r\n", ERR_PERM, "no UIDVALIDITY" },
		{ "* 2 EXISTS\r\n* OK look: [UIDVALIDITY 7] x\r\n", ERR_PERM, "no UIDVALIDITY" },
		/* What is in a literal, or behind it, is no line. */
		{ "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n"
		  "* 1 FETCH (X {12}\r\n* 9 EXISTS\r\n FLAGS ())\r\n",
			ERR_OK, "", 2, 0 },
		{ "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* LIST () \"/\" {1}\r\na* 9 EXISTS\r\n",
			ERR_OK, "", 2, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		select_lines = cases[i].lines;
		select_suffices = cases[i].scope == ERR_OK;
		exists = uidnext = 0;
		world_run(w, tell_select, act_select);
		assert_error(w, cases[i].scope, cases[i].detail);
		assert_int_equal(exists, cases[i].exists);
		assert_int_equal(uidnext, cases[i].uidnext);
	}
}

/* Something goes wrong at the n-th step: 0 greeting, 1 login, 2 SELECT, 3 the listing. */

static unsigned step;
static void (*mishap)(struct peer *p);

fiber_fn static void go_wrong(struct peer *p)
{
	if (step > 0)
		peer_greet(p);
	if (step > 1)
		peer_login(p, "UIDPLUS");
	if (step > 2) {
		peer_expect(p, "SELECT \"INBOX\"");
		peer_select(p, 2);
	}
	if (step > 0)
		peer_command(p);
	mishap(p);
}

fiber_fn static void vanish(struct peer *p)
{
	peer_close(p);
}

fiber_fn static void vanish_in_a_line(struct peer *p)
{
	peer_send(p, "* OK [UIDVALI");
	peer_close(p);
}

fiber_fn static void say_bye(struct peer *p)
{
	peer_send(p, "* BYE [UNAVAILABLE] shutting down\r\n");
	peer_expect_end(p);
}

fiber_fn static void say_nothing(struct peer *p)
{
	/* The client comes to wait first, or its deadline would lie behind the new time. */
	peer_settle(p);
	clock_advance(p->world->tenant.imap.command_timeout);
	peer_expect_end(p);
}

fiber_fn static void cancel_client(struct peer *p)
{
	fiber_cancel(p->world->client);
	peer_expect_end(p);
}

fiber_fn static void babble(struct peer *p)
{
	peer_send(p, "* 1 FETCH (((\r\n");
	peer_expect_end(p);
}

static void at_every_step(void **state)
{
	static const struct {
		void (*mishap)(struct peer *p);
		enum err_scope scope;
		const char *detail;
	} cases[] = {
		{ vanish, ERR_TEMP, "imap.test" },
		{ vanish_in_a_line, ERR_TEMP, "closed" },
		{ say_bye, ERR_TEMP, "shutting down" },
		{ say_nothing, ERR_TEMP, "no answer within 60.0 s" },
		{ cancel_client, ERR_CANCELED, "" },
		{ babble, ERR_TEMP, "imap.test" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (step = 0; step < 4; step++) {
			struct world *w = *state;

			mishap = cases[i].mishap;
			w->backend = NULL;
			world_run(w, go_wrong, act_list);
			assert_error(w, cases[i].scope, cases[i].detail);
		}
}

fiber_fn static void act_with_deadline(struct world *w)
{
	deadline(5000);
	act_list(w);
}

fiber_fn static void say_nothing_for_5_s(struct peer *p)
{
	peer_settle(p);
	clock_advance(5000);
	peer_expect_end(p);
}

static void the_callers_deadline_is_no_fault_of_the_server(void **state)
{
	for (step = 0; step < 4; step++) {
		struct world *w = *state;

		mishap = say_nothing_for_5_s;
		world_run(w, go_wrong, act_with_deadline);
		assert_error(w, ERR_TIMEOUT, "");
	}
}

/* A server that answers slowly, but answers, is no timeout. */
fiber_fn static void dawdle(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	for (int i = 0; i < 5; i++) {
		peer_send(p, "* OK still here\r\n");
		peer_settle(p);
		clock_advance(59000);
	}
	peer_answer(p, "OK done");
	peer_end(p);
}

static void progress_resets_the_timeout(void **state)
{
	struct world *w = *state;

	world_run(w, dawdle, act_list);
	assert_error(w, ERR_OK, "");
}

fiber_fn static void never_say_goodbye(struct peer *p)
{
	char octet;

	peer_begin(p, 0);
	peer_expect(p, "LOGOUT");
	peer_settle(p);
	clock_advance(2000);
	peer_settle(p);
	if (recv(stream_fd(p->stream), &octet, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		peer_fail(p, "the client still waits");
}

/* What was sent held the password: it must not stay there. */
fiber_fn static void act_look_into_the_buffer(struct world *w)
{
	world_open(w);
	if (!failed(w->e) && ((struct imap *)w->backend)->stream->out.data)
		w->e = err_make(ERR_INVALID, "what was sent is still in memory");
	world_close(w);
}

static void wipes_the_password(void **state)
{
	struct world *w = *state;

	world_run(w, happy, act_look_into_the_buffer);
	assert_error(w, ERR_OK, "");
}

static void waits_2_s_for_a_goodbye(void **state)
{
	struct world *w = *state;

	world_run(w, never_say_goodbye, act_open);
	assert_error(w, ERR_OK, "");
}

/* STARTTLS. */

static struct tls_context *server_context;

fiber_fn static void begin_tls(struct peer *p)
{
	struct err e = stream_tls_accept(p->stream, server_context);

	if (failed(e))
		peer_fail(p, "%s", e.detail);
}

fiber_fn static void starttls_server(struct peer *p)
{
	peer_send(p, "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n");
	peer_expect(p, "STARTTLS");
	/* All of it in one segment: what comes behind the OK was never said. */
	peer_send(
		p, "%s OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n2 OK injected\r\n", p->tag);
	begin_tls(p);
	peer_expect(p, "CAPABILITY");
	peer_send(p, "* CAPABILITY IMAP4rev1\r\n");
	peer_answer(p, "OK done");
	peer_login(p, "UIDPLUS");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, 0);
	peer_end(p);
}

static void starttls_drops_what_was_said_before(void **state)
{
	struct world *w = *state;

	w->tenant.imap.tls = TLS_STARTTLS;
	w->tenant.imap.verify = false;
	world_run(w, starttls_server, act_open);
	assert_error(w, ERR_OK, "");
}

fiber_fn static void starttls_bye(struct peer *p)
{
	peer_send(p, "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n");
	peer_expect(p, "STARTTLS");
	peer_send(p, "* BYE [AUTHENTICATIONFAILED] forged\r\n%s OK begin\r\n", p->tag);
	begin_tls(p);
	peer_close(p);
}

static void starttls_forgets_a_bye(void **state)
{
	struct world *w = *state;

	w->tenant.imap.tls = TLS_STARTTLS;
	w->tenant.imap.verify = false;
	world_run(w, starttls_bye, act_open);
	assert_error(w, ERR_TEMP, "closed the connection");
}

fiber_fn static void starttls_untrusted(struct peer *p)
{
	struct err e;

	peer_send(p, "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n");
	peer_expect(p, "STARTTLS");
	peer_answer(p, "OK begin");
	e = stream_tls_accept(p->stream, server_context);
	if (!failed(e))
		peer_fail(p, "the client trusts anyone");
}

static void starttls_verifies(void **state)
{
	struct world *w = *state;

	w->tenant.imap.tls = TLS_STARTTLS;
	world_run(w, starttls_untrusted, act_open);
	assert_error(w, ERR_TEMP, "certificate");
	assert_wire(w, "STARTTLS\n");
}

fiber_fn static void starttls_missing(struct peer *p)
{
	peer_greet(p);
	peer_expect_end(p);
}

static void never_without_starttls(void **state)
{
	struct world *w = *state;

	w->tenant.imap.tls = TLS_STARTTLS;
	world_run(w, starttls_missing, act_open);
	assert_error(w, ERR_PERM, "STARTTLS");
}

fiber_fn static void starttls_refused(struct peer *p)
{
	peer_send(p, "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n");
	peer_expect(p, "STARTTLS");
	peer_answer(p, "NO not now");
	peer_expect_end(p);
}

static void never_after_starttls_refused(void **state)
{
	struct world *w = *state;

	w->tenant.imap.tls = TLS_STARTTLS;
	world_run(w, starttls_refused, act_open);
	assert_error(w, ERR_TEMP, "not now");
}

static void never_preauth_with_starttls(void **state)
{
	struct world *w = *state;

	w->tenant.imap.tls = TLS_STARTTLS;
	greeting = "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome";
	world_run(w, greet_only, act_open);
	assert_error(w, ERR_PERM, "PREAUTH");
}

fiber_fn static void implicit_server(struct peer *p)
{
	begin_tls(p);
	happy(p);
}

static void implicit_tls(void **state)
{
	struct world *w = *state;

	w->tenant.imap.tls = TLS_IMPLICIT;
	w->tenant.imap.ca_file = certificate_file();
	world_run(w, implicit_server, act_open);
	assert_error(w, ERR_OK, "");
}

fiber_fn static void clear_server(struct peer *p)
{
	peer_greet(p);
	peer_drain(p);
}

static void no_tls_where_tls_is_due(void **state)
{
	struct world *w = *state;

	w->tenant.imap.tls = TLS_IMPLICIT;
	w->tenant.imap.verify = false;
	world_run(w, clear_server, act_open);
	assert_error(w, ERR_TEMP, "TLS");
}

static int setup(void **state)
{
	const struct tls_certificate *certificate = certificate_make("imap.test");
	struct err e = tls_server_new(certificate, 1, TLS_V1_2, NULL, &server_context);

	if (failed(e))
		return -1;
	return runtime_setup(state);
}

static int teardown(void **state)
{
	tls_context_free(server_context);
	certificate_remove();
	return runtime_teardown(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opens_and_closes),
		TEST(asks_for_capabilities),
		TEST(refuses_greetings),
		TEST(maps_login_errors),
		TEST(another_tag_is_no_answer),
		TEST(respects_logindisabled),
		TEST(quotes_specials),
		TEST(refuses_control_octets),
		TEST(sends_8_bit_by_plain),
		TEST(plain_without_initial_response),
		TEST(no_password_after_a_refusal),
		TEST(no_login_without_a_password),
		TEST(sends_8_bit_as_literals),
		TEST(enters_by_master_user),
		TEST(master_user_needs_plain),
		TEST(no_password_at_all),
		TEST(sends_the_client_address),
		TEST(maps_select_errors),
		TEST(takes_what_select_tells),
		TEST(at_every_step),
		TEST(the_callers_deadline_is_no_fault_of_the_server),
		TEST(progress_resets_the_timeout),
		TEST(wipes_the_password),
		TEST(waits_2_s_for_a_goodbye),
		TEST(starttls_drops_what_was_said_before),
		TEST(starttls_forgets_a_bye),
		TEST(starttls_verifies),
		TEST(never_without_starttls),
		TEST(never_after_starttls_refused),
		TEST(never_preauth_with_starttls),
		TEST(implicit_tls),
		TEST(no_tls_where_tls_is_due),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
