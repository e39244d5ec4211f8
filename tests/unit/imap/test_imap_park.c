/* A connection that was given up or lost while the client was silent: opened again, the snapshot
 * stays true, and nothing is removed that is not certain. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/imap/peer.h"

#define MESSAGES 8
#define TEXT     "Subject: x\r\n\r\nbody\r\n"

static struct err first, second;
static enum removal_result results[2];

fiber_fn static struct err fetch(struct world *w, size_t index)
{
	struct collector collector;
	struct err e;

	collector_init(&collector);
	e = w->backend->ops->fetch(
		w->backend, &w->listing.messages[index], FETCH_ALL, 0, &collector.sink);
	assert_got(&collector, TEXT, failed(e) ? 0 : strlen(TEXT));
	return e;
}

/* QUIT with the messages 2 and 4 marked. */
fiber_fn static struct err quit(struct world *w)
{
	static const size_t marked[] = { 1, 3 };
	const struct backend_update update = {
		.remove = marked, .n_remove = 2, .how = DELETE_EXPUNGE
	};

	results[0] = results[1] = REMOVAL_DONE;
	return w->backend->ops->update(w->backend, &update, results);
}

fiber_fn static void rest(struct world *w)
{
	w->backend->ops->rest(w->backend);
	(void)wait_turn().scope;
}

fiber_fn static void begin(struct peer *p)
{
	peer_begin(p, MESSAGES);
	peer_list(p, MESSAGES);
}

fiber_fn static void serve(struct peer *p, unsigned uid)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "UID FETCH %u BODY.PEEK[]", uid);
	peer_expect(p, command);
	peer_send(p, "* %u FETCH (UID %u BODY[] {%zu}\r\n" TEXT ")\r\n", uid, uid, strlen(TEXT));
	peer_answer(p, "OK done");
}

/* The session goes on for a while after `meanwhile`. */
static fiber_fn void (*meanwhile)(struct world *w);

fiber_fn static void act_fetch(struct world *w)
{
	world_open(w);
	world_list(w);
	meanwhile(w);
	first = fetch(w, 0);
	second = fetch(w, 1);
	world_close(w);
}

fiber_fn static void act_quit(struct world *w)
{
	world_open(w);
	world_list(w);
	meanwhile(w);
	first = quit(w);
	world_close(w);
}

fiber_fn static void parked(struct peer *p)
{
	begin(p);
	peer_end(p);
}

/* Only the password that let in lets in again. */
fiber_fn static void again(struct peer *p)
{
	peer_begin(p, MESSAGES);
	serve(p, 1);
	serve(p, 2);
	peer_end(p);
}

static void test_a_silent_session_has_no_connection(void **state)
{
	struct world *w = *state;

	meanwhile = rest;
	w->later[0] = again;
	world_run(w, parked, act_fetch);
	assert_false(failed(first));
	assert_false(failed(second));
	assert_int_equal(w->connects, 2);
}

fiber_fn static void act_rest(struct world *w)
{
	world_open(w);
	world_list(w);
	rest(w);
	rest(w);
	world_close(w);
}

static void test_what_nobody_needs_is_not_opened_again(void **state)
{
	struct world *w = *state;

	world_run(w, parked, act_rest);
	assert_int_equal(w->connects, 1);
}

fiber_fn static void removes_two(struct peer *p)
{
	peer_begin(p, MESSAGES);
	peer_expect(p, "UID STORE 2,4 +FLAGS.SILENT (\\Deleted)");
	peer_answer(p, "OK stored");
	peer_expect(p, "UID EXPUNGE 2,4");
	peer_answer(p, "OK gone");
	peer_expect(p, "UID FETCH 2,4 (UID)");
	peer_answer(p, "OK none");
	peer_end(p);
}

static void test_quit_after_silence_removes_what_was_marked(void **state)
{
	struct world *w = *state;

	meanwhile = rest;
	w->later[0] = removes_two;
	world_run(w, parked, act_quit);
	assert_false(failed(first));
	assert_int_equal(results[0], REMOVAL_DONE);
	assert_int_equal(results[1], REMOVAL_DONE);
}

/* Another mailbox by the same name. */

static const char *selected;

fiber_fn static void another(struct peer *p)
{
	peer_greet(p);
	peer_login(p, "UIDPLUS MOVE");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p, "* 8 EXISTS\r\n%s", selected);
	peer_answer(p, "OK [READ-WRITE] Select completed");
	p->world->connects += 100; /* was here */
	peer_command(p);
	if (!p->failure && strcmp(p->command, "SELECT \"INBOX\"") == 0) {
		peer_send(p, "* 8 EXISTS\r\n%s", selected);
		peer_answer(p, "OK [READ-WRITE] Select completed");
		peer_command(p);
	}
	if (!p->failure && strcmp(p->command, "LOGOUT") != 0)
		peer_fail(p, "%s", p->command);
	peer_close(p);
}

static void run_another(
	struct world *w, const char *select, enum err_scope of_fetch, const char *detail)
{
	selected = select;
	meanwhile = rest;
	w->later[0] = another;
	world_run(w, parked, act_fetch);
	assert_int_equal(first.scope, of_fetch);
	assert_int_equal(second.scope, of_fetch);
	assert_int_equal(w->connects, 102);
	world_run(w, parked, act_quit);
	assert_int_equal(first.scope, ERR_TEMP);
	assert_non_null(strstr(first.detail, detail));
	assert_int_equal(results[0], REMOVAL_FAILED);
	assert_int_equal(results[1], REMOVAL_FAILED);
	assert_int_equal(w->connects, 102);
}

static void test_a_mailbox_renumbered_meanwhile_loses_nothing(void **state)
{
	run_another(*state, "* OK [UIDVALIDITY 8] new\r\n* OK [UIDNEXT 9] next\r\n", ERR_GONE,
		"renumbered");
}

static void test_a_mailbox_restored_meanwhile_loses_nothing(void **state)
{
	run_another(*state, "* OK [UIDVALIDITY 7] old\r\n* OK [UIDNEXT 8] next\r\n", ERR_TEMP,
		"went back");
}

fiber_fn static void refuse(struct peer *p)
{
	peer_greet(p);
	peer_expect(p, "LOGIN \"user@a.example\" \"secret\"");
	peer_answer(p, "NO [AUTHENTICATIONFAILED] not any more");
	peer_drain(p);
}

/* An account is locked by many wrong logins: there is one. */
static void test_a_password_that_is_refused_is_tried_once(void **state)
{
	struct world *w = *state;

	meanwhile = rest;
	w->later[0] = w->later[1] = refuse;
	world_run(w, parked, act_fetch);
	assert_int_equal(first.scope, ERR_TEMP);
	assert_non_null(strstr(first.detail, "not any more"));
	assert_int_equal(second.scope, ERR_TEMP);
	assert_int_equal(w->connects, 2);
}

fiber_fn static void act_fetch_thrice(struct world *w)
{
	world_open(w);
	world_list(w);
	rest(w);
	w->e = fetch(w, 0);
	first = fetch(w, 0);
	second = fetch(w, 1);
	world_close(w);
}

fiber_fn static void vanish(struct peer *p)
{
	(void)p;
}

static void test_a_server_that_is_away_is_tried_by_each_fetch(void **state)
{
	struct world *w = *state;

	w->later[0] = vanish;
	w->later[1] = again;
	world_run(w, parked, act_fetch_thrice);
	assert_int_equal(w->e.scope, ERR_TEMP);
	assert_false(failed(first));
	assert_false(failed(second));
}

/* The server ends an idle connection. */

static bool with_bye;

fiber_fn static void log_out_idle(struct peer *p)
{
	begin(p);
	if (with_bye)
		peer_send(p, "* BYE Disconnected for inactivity\r\n");
}

fiber_fn static void let_it_come(struct world *w)
{
	(void)w;
	(void)wait_turn().scope;
	(void)wait_turn().scope;
}

static void test_a_connection_that_died_idle_is_opened_again(void **state)
{
	struct world *w = *state;

	meanwhile = let_it_come;
	for (int bye = 0; bye < 2; bye++) {
		with_bye = bye;
		w->later[0] = again;
		world_run(w, log_out_idle, act_fetch);
		assert_false(failed(first));
		assert_false(failed(second));
		w->later[0] = removes_two;
		world_run(w, log_out_idle, act_quit);
		assert_false(failed(first));
		assert_int_equal(results[1], REMOVAL_DONE);
	}
}

/* In one segment with the end of an answer: nothing is left to be read from the socket. */
fiber_fn static void bye_at_once(struct peer *p)
{
	peer_begin(p, MESSAGES);
	peer_expect(p, LIST_COMMAND);
	for (unsigned uid = 1; uid <= MESSAGES; uid++)
		peer_send(p, "* %u FETCH (UID %u RFC822.SIZE 100 FLAGS ())\r\n", uid, uid);
	peer_send(p, "%s OK done\r\n* BYE [UNAVAILABLE] restarting\r\n", p->tag);
	peer_drain(p);
}

static void test_a_bye_behind_an_answer_is_seen(void **state)
{
	struct world *w = *state;

	meanwhile = let_it_come;
	w->later[0] = again;
	world_run(w, bye_at_once, act_fetch);
	assert_false(failed(first));
	assert_false(failed(second));
	assert_int_equal(w->connects, 2);
}

fiber_fn static void tell_news(struct peer *p)
{
	begin(p);
	peer_settle(p);
	peer_send(p, "* 9 EXISTS\r\n* 1 RECENT\r\n");
	peer_expect(p, "NOOP");
	peer_answer(p, "OK still here");
	serve(p, 1);
	serve(p, 2);
	peer_end(p);
}

static void test_news_is_no_end(void **state)
{
	struct world *w = *state;

	meanwhile = let_it_come;
	world_run(w, tell_news, act_fetch);
	assert_false(failed(first));
	assert_false(failed(second));
	assert_int_equal(w->connects, 1);
}

/* Nobody knows what the server did before it vanished. */

static const char *last_words;

fiber_fn static void vanish_in_removal(struct peer *p)
{
	begin(p);
	do
		peer_command(p);
	while (!p->failure && strcmp(p->command, last_words) != 0 &&
		(peer_answer(p, "OK done"), true));
}

static void test_a_removal_is_never_repeated(void **state)
{
	static const char *const commands[] = { "UID STORE 2,4 +FLAGS.SILENT (\\Deleted)",
		"UID EXPUNGE 2,4", "UID FETCH 2,4 (UID)" };

	meanwhile = let_it_come;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct world *w = *state;

		last_words = commands[i];
		w->later[0] = removes_two;
		world_run(w, vanish_in_removal, act_quit);
		assert_int_equal(first.scope, ERR_TEMP);
		assert_int_equal(results[0], REMOVAL_FAILED);
		assert_int_equal(results[1], REMOVAL_FAILED);
		assert_int_equal(w->connects, 1);
	}
}

/* What was fetched ahead belongs to the connection. */

fiber_fn static void ahead_server(struct peer *p)
{
	begin(p);
	serve(p, 1);
	peer_expect(p, "UID FETCH 2:4 BODY.PEEK[]");
	for (unsigned uid = 2; uid <= 4; uid++)
		peer_send(p, "* %u FETCH (UID %u BODY[] {%zu}\r\n" TEXT ")\r\n", uid, uid,
			strlen(TEXT));
	peer_answer(p, "OK done");
	peer_end(p);
}

fiber_fn static void ask_again(struct peer *p)
{
	peer_begin(p, MESSAGES);
	serve(p, 3);
	peer_end(p);
}

fiber_fn static void act_ahead(struct world *w)
{
	world_open(w);
	world_list(w);
	first = fetch(w, 0);
	second = fetch(w, 1);
	rest(w);
	w->e = fetch(w, 2);
	world_close(w);
}

static void test_what_was_fetched_ahead_is_given_back(void **state)
{
	struct world *w = *state;

	w->tenant.imap.read_ahead = 1000;
	w->later[0] = ask_again;
	world_run(w, ahead_server, act_ahead);
	assert_false(failed(first));
	assert_false(failed(second));
	assert_error(w, ERR_OK, "");
}

/* As after Kerberos credentials that the client handed on, which are not kept. */
fiber_fn static void act_without_keys(struct world *w)
{
	world_open(w);
	world_list(w);
	imap_keys_done((struct imap *)w->backend);
	rest(w);
	first = fetch(w, 0);
	world_close(w);
}

fiber_fn static void stay(struct peer *p)
{
	begin(p);
	serve(p, 1);
	peer_end(p);
}

static void test_without_a_way_back_the_connection_stays(void **state)
{
	struct world *w = *state;

	world_run(w, stay, act_without_keys);
	assert_false(failed(first));
	assert_int_equal(w->connects, 1);
}

static void test_handed_on_credentials_are_no_way_back(void **state)
{
	struct world *w = *state;
	struct imap imap = { .account = &w->account, .settings = &w->tenant.imap };
	struct store_credentials credentials = { .delegated = w };

	imap_keys_keep(&imap, &credentials);
	assert_false(imap.keys.fit);
	/* They are not what the server is entered with. */
	w->tenant.imap.master_user = "master";
	imap_keys_keep(&imap, &credentials);
	assert_true(imap.keys.fit);
	/* Nor is the password then, which need not be kept. */
	credentials = (struct store_credentials){ .password = w->password };
	imap_keys_keep(&imap, &credentials);
	assert_true(imap.keys.fit);
	assert_null(imap.keys.password);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_new, world_free)
	const struct CMUnitTest tests[] = {
		TEST(test_a_silent_session_has_no_connection),
		TEST(test_what_nobody_needs_is_not_opened_again),
		TEST(test_quit_after_silence_removes_what_was_marked),
		TEST(test_a_mailbox_renumbered_meanwhile_loses_nothing),
		TEST(test_a_mailbox_restored_meanwhile_loses_nothing),
		TEST(test_a_password_that_is_refused_is_tried_once),
		TEST(test_a_server_that_is_away_is_tried_by_each_fetch),
		TEST(test_a_connection_that_died_idle_is_opened_again),
		TEST(test_a_bye_behind_an_answer_is_seen),
		TEST(test_news_is_no_end),
		TEST(test_a_removal_is_never_repeated),
		TEST(test_what_was_fetched_ahead_is_given_back),
		TEST(test_without_a_way_back_the_connection_stays),
		TEST(test_handed_on_credentials_are_no_way_back),
	};

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}
