/* A connection that a session left: who gets it, who does not, and when it goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "backends/imap/imap_warm.h"
#include "tests/unit/imap/peer.h"

static int warm_new(void **state)
{
	int rc = world_new(state);

	((struct world *)*state)->tenant.imap.keep_warm = 60000;
	return rc;
}

fiber_fn static void session(struct world *w)
{
	if (failed(w->e))
		return;
	world_open(w);
	if (!failed(w->e))
		world_close(w);
	(void)wait_turn().scope;
	(void)wait_turn().scope;
}

/* Something that happens between the first session and the second. */
static fiber_fn void (*between)(struct world *w);

fiber_fn static void act_two(struct world *w)
{
	imap_warm_keep(true);
	session(w);
	if (between)
		between(w);
	session(w);
	imap_warm_keep(false);
}

fiber_fn static void one(struct peer *p)
{
	peer_begin(p, 1);
	peer_end(p);
}

/* Another SELECT, and nothing else. */
fiber_fn static void two(struct peer *p)
{
	peer_begin(p, 1);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, 2);
	peer_end(p);
}

fiber_fn static void act_listed(struct world *w)
{
	imap_warm_keep(true);
	session(w);
	world_open(w);
	world_list(w);
	world_close(w);
	imap_warm_keep(false);
}

fiber_fn static void two_listed(struct peer *p)
{
	peer_begin(p, 1);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, 2);
	peer_list(p, 2);
	peer_end(p);
}

static void test_the_next_session_costs_one_select(void **state)
{
	struct world *w = *state;

	between = NULL;
	world_run(w, two_listed, act_listed);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 2);
	assert_int_equal(w->connects, 1);
}

fiber_fn static void wrong(struct peer *p)
{
	peer_greet(p);
	peer_expect(p, "LOGIN \"user@a.example\" \"Secret\"");
	peer_answer(p, "NO [AUTHENTICATIONFAILED] wrong");
	peer_drain(p);
}

fiber_fn static void change_password(struct world *w)
{
	secret_free(w->password);
	w->password = secret_new("Secret", 6);
}

static void test_another_password_asks_the_server(void **state)
{
	struct world *w = *state;

	between = change_password;
	w->later[0] = wrong;
	world_run(w, one, act_two);
	assert_error(w, ERR_AUTH, "wrong");
}

/* Whatever tells one session from another. */

static struct account other;

fiber_fn static void change_login(struct world *w)
{
	w->account.login = "user2@a.example";
}

fiber_fn static void change_folder(struct world *w)
{
	w->account.folder = "Archive";
}

fiber_fn static void change_address(struct world *w)
{
	w->account.client_address = "192.0.2.10";
}

fiber_fn static void change_tenant(struct world *w)
{
	static struct tenant tenant;

	tenant = w->tenant;
	w->account.tenant = &tenant;
}

fiber_fn static void any_session(struct peer *p)
{
	peer_greet(p);
	do
		peer_command(p);
	while (!p->failure && strncmp(p->command, "LOGIN ", 6) != 0 &&
		(peer_answer(p, "OK done"), true));
	peer_answer(p, "OK [CAPABILITY IMAP4rev1 UIDPLUS] Logged in");
	peer_command(p);
	peer_select(p, 1);
	peer_end(p);
}

static void test_only_the_same_session_fits(void **state)
{
	static void (*const changes[])(
		struct world *) = { change_login, change_folder, change_address, change_tenant };
	struct world *w = *state;
	struct account before = w->account;

	w->tenant.imap.send_client_address = true;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		w->account = before;
		between = changes[i];
		w->later[0] = any_session;
		world_run(w, any_session, act_two);
		assert_error(w, ERR_OK, "");
		assert_int_equal(w->connects, 2);
	}
}

/* Whose credentials they are. */
fiber_fn static void as_another(struct peer *p)
{
	peer_greet(p);
	peer_expect(p, "AUTHENTICATE PLAIN dXNlckBhLmV4YW1wbGUAdXNlckBhLmV4YW1wbGUAc2VjcmV0");
	peer_answer(p, "OK [CAPABILITY IMAP4rev1] Logged in");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, 1);
	peer_end(p);
}

fiber_fn static void act_actor(struct world *w)
{
	imap_warm_keep(true);
	session(w);
	other = w->account;
	w->actor = &other;
	session(w);
	imap_warm_keep(false);
}

static void test_an_actor_enters_by_himself(void **state)
{
	struct world *w = *state;

	w->later[0] = as_another;
	world_run(w, one, act_actor);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->connects, 2);
}

/* When it goes. */

static bool left;

fiber_fn static void leaves(struct peer *p)
{
	peer_begin(p, 1);
	peer_expect(p, "LOGOUT");
	left = true;
	peer_send(p, "* BYE\r\n");
	peer_answer(p, "OK done");
	peer_expect_end(p);
}

fiber_fn static void settle(struct world *w)
{
	for (int i = 0; i < 4; i++)
		peer_settle(&w->peer);
}

fiber_fn static void act_one_and_wait(struct world *w)
{
	imap_warm_keep(true);
	session(w);
	settle(w);
	clock_advance(50000);
	settle(w);
	assert_false(left);
	clock_advance(10000);
	settle(w);
	assert_true(left);
	imap_warm_keep(false);
}

static void test_it_goes_when_nobody_comes(void **state)
{
	left = false;
	world_run(*state, leaves, act_one_and_wait);
}

fiber_fn static void let_it_expire(struct world *w)
{
	(void)w;
	clock_advance(60000);
}

static void test_nobody_gets_it_later(void **state)
{
	struct world *w = *state;

	between = let_it_expire;
	w->later[0] = one;
	world_run(w, one, act_two);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->connects, 2);
}

static void test_off_means_off(void **state)
{
	struct world *w = *state;

	between = NULL;
	w->later[0] = one;
	w->tenant.imap.keep_warm = 0;
	world_run(w, one, act_two);
	assert_int_equal(w->connects, 2);
	/* Nor where the process does not want it. */
	w->tenant.imap.keep_warm = 60000;
	world_run(w, one, act_open);
	assert_int_equal(w->connects, 1);
}

enum { POLLS = 14, POLL_EVERY = 50000 };

/* It polls for longer than a login may last. */
fiber_fn static void act_polls(struct world *w)
{
	imap_warm_keep(true);
	for (int i = 0; i < POLLS && !failed(w->e); i++) {
		session(w);
		clock_advance(POLL_EVERY);
		(void)wait_turn().scope;
	}
	imap_warm_keep(false);
}

static unsigned logins;

fiber_fn static void polled(struct peer *p)
{
	logins++;
	peer_begin(p, 1);
	for (;;) {
		peer_command(p);
		if (p->failure || strcmp(p->command, "LOGOUT") == 0)
			break;
		peer_select(p, 1);
	}
	peer_answer(p, "OK done");
	peer_close(p);
}

static void test_a_login_must_not_be_old(void **state)
{
	struct world *w = *state;

	logins = 0;
	for (size_t i = 0; i < 3; i++)
		w->later[i] = polled;
	world_run(w, polled, act_polls);
	assert_error(w, ERR_OK, "");
	assert_int_equal(logins, 2);
}

/* What became of it meanwhile. */

fiber_fn static void vanish(struct peer *p)
{
	peer_begin(p, 1);
}

fiber_fn static void say_bye(struct peer *p)
{
	peer_begin(p, 1);
	peer_send(p, "* BYE Idle for too long\r\n");
}

fiber_fn static void vanish_in_select(struct peer *p)
{
	peer_begin(p, 1);
	peer_expect(p, "SELECT \"INBOX\"");
}

fiber_fn static void refuse_select(struct peer *p)
{
	peer_begin(p, 1);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_answer(p, "NO [UNAVAILABLE] not on this connection");
	peer_drain(p);
}

fiber_fn static void fall_silent(struct peer *p)
{
	peer_begin(p, 1);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_settle(p);
	clock_advance(10000);
	peer_drain(p);
}

static void test_a_dead_one_does_not_show(void **state)
{
	static void (*const deaths[])(
		struct peer *) = { vanish, say_bye, vanish_in_select, refuse_select, fall_silent };
	struct world *w = *state;

	between = NULL;
	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		w->later[0] = one;
		world_run(w, deaths[i], act_two);
		assert_error(w, ERR_OK, "");
		assert_int_equal(w->connects, 2);
	}
}

fiber_fn static void act_at_once(struct world *w)
{
	struct backend *earlier;

	imap_warm_keep(true);
	world_open(w);
	earlier = w->backend;
	world_open(w);
	world_close(w);
	imap_backend.close(earlier);
	(void)wait_turn().scope;
	session(w);
	imap_warm_keep(false);
}

/* Two sessions at once, then one: the connection given last is kept, and taken. */
static void test_one_for_each_login(void **state)
{
	struct world *w = *state;

	w->later[0] = one;
	world_run(w, two, act_at_once);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->connects, 2);
}

static unsigned farewells;

fiber_fn static void act_many(struct world *w)
{
	imap_warm_keep(true);
	for (unsigned i = 0; i < WARM_MAX + 10 && !failed(w->e); i++) {
		w->account.login = arena_printf(w->arena, "user%u@a.example", i);
		session(w);
	}
	settle(w);
	assert_int_equal(farewells, 10);
	/* The last one is among those that are left, the first is not. */
	session(w);
	assert_int_equal(w->connects, WARM_MAX + 10);
	w->account.login = "user0@a.example";
	session(w);
	assert_int_equal(w->connects, WARM_MAX + 11);
	imap_warm_keep(false);
}

fiber_fn static void any_sessions(struct peer *p)
{
	peer_greet(p);
	do {
		peer_command(p);
		if (strncmp(p->command, "LOGIN ", 6) == 0)
			peer_answer(p, "OK [CAPABILITY IMAP4rev1 UIDPLUS] Logged in");
		else if (strncmp(p->command, "SELECT ", 7) == 0)
			peer_select(p, 1);
	} while (!p->failure && strcmp(p->command, "LOGOUT") != 0);
	farewells++;
	peer_answer(p, "OK done");
	peer_close(p);
}

static void test_there_is_a_limit(void **state)
{
	struct world *w = *state;

	farewells = 0;
	for (size_t i = 0; i < WORLD_PEERS; i++)
		w->later[i] = any_sessions;
	world_run(w, any_sessions, act_many);
	assert_error(w, ERR_OK, "");
	assert_int_equal(farewells, WARM_MAX + 11);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, warm_new, world_free)
	const struct CMUnitTest tests[] = {
		TEST(test_the_next_session_costs_one_select),
		TEST(test_another_password_asks_the_server),
		TEST(test_only_the_same_session_fits),
		TEST(test_an_actor_enters_by_himself),
		TEST(test_it_goes_when_nobody_comes),
		TEST(test_nobody_gets_it_later),
		TEST(test_off_means_off),
		TEST(test_a_login_must_not_be_old),
		TEST(test_a_dead_one_does_not_show),
		TEST(test_one_for_each_login),
		TEST(test_there_is_a_limit),
	};

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}
