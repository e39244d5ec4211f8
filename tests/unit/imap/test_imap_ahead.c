/* What is asked for before the client does: when, how far, and that it never shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/imap/peer.h"

#define MESSAGES 8
#define OCTETS   100 /* of each, as peer_list says */

/* What the client asks for, one after the other. */
static struct wish {
	size_t index;
	enum fetch_part part;
	enum err_scope scope; /* what is to come of it */
} wishes[256];
static size_t n_wishes;

static void wish(size_t index, enum fetch_part part, enum err_scope scope)
{
	wishes[n_wishes++] = (struct wish){ index, part, scope };
}

static void text_of(uint32_t uid, enum fetch_part part, char ret[OCTETS + 1])
{
	int n = snprintf(ret, OCTETS + 1, "Subject: message %u\r\n\r\n", uid);

	if (part == FETCH_ALL) {
		memset(ret + n, 'a' + (int)(uid % 26), (size_t)(OCTETS - n));
		ret[OCTETS] = '\0';
	}
}

fiber_fn static void fulfil(struct world *w, const struct wish *wish)
{
	const struct backend_message *message = &w->listing.messages[wish->index];
	char text[OCTETS + 1];
	struct collector collector;
	struct err e;

	collector_init(&collector);
	e = w->backend->ops->fetch(w->backend, message, wish->part, 0, &collector.sink);
	if (e.scope != wish->scope)
		fail_msg("message %zu: %s: %s", wish->index, err_scope_name(e.scope), e.detail);
	text_of(message->uid, wish->part, text);
	assert_got(&collector, text, failed(e) ? 0 : strlen(text));
}

fiber_fn static void act_wishes(struct world *w)
{
	world_open(w);
	world_list(w);
	for (size_t i = 0; i < n_wishes && !failed(w->e); i++)
		fulfil(w, &wishes[i]);
	world_close(w);
}

static int ahead_new(void **state)
{
	int rc = world_new(state);

	n_wishes = 0;
	((struct world *)*state)->tenant.imap.read_ahead = 1000;
	return rc;
}

fiber_fn static void give(struct peer *p, uint32_t uid, enum fetch_part part)
{
	const char *section = part == FETCH_ALL ? "" : "HEADER";
	char text[OCTETS + 1];

	text_of(uid, part, text);
	peer_send(p, "* %u FETCH (UID %u BODY[%s] {%zu}\r\n%s)\r\n", uid, uid, section,
		strlen(text), text);
}

fiber_fn static void begin(struct peer *p)
{
	peer_begin(p, MESSAGES);
	peer_list(p, MESSAGES);
}

/* Expects a FETCH of that set and answers it, in order of UID. */
fiber_fn static void serve(
	struct peer *p, const char *set, uint32_t from, uint32_t to, enum fetch_part part)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "UID FETCH %s BODY.PEEK[%s]", set,
		part == FETCH_ALL ? "" : "HEADER");
	peer_expect(p, command);
	for (uint32_t uid = from; uid <= to; uid++)
		give(p, uid, part);
	peer_answer(p, "OK done");
}

/* One after the other: two more come along, then four; nothing comes twice. */
fiber_fn static void in_order_server(struct peer *p)
{
	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	serve(p, "2:4", 2, 4, FETCH_ALL);
	serve(p, "5:8", 5, 8, FETCH_ALL);
	peer_end(p);
}

static void test_messages_in_order_come_ahead(void **state)
{
	for (size_t i = 0; i < MESSAGES; i++)
		wish(i, FETCH_ALL, ERR_OK);
	world_run(*state, in_order_server, act_wishes);
}

/* An empty message comes along as any other. */
fiber_fn static void empty_server(struct peer *p)
{
	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	peer_expect(p, "UID FETCH 2:4 BODY.PEEK[]");
	peer_send(p, "* 2 FETCH (UID 2 BODY[] {0}\r\n)\r\n");
	give(p, 3, FETCH_ALL);
	give(p, 4, FETCH_ALL);
	peer_answer(p, "OK done");
	peer_end(p);
}

/* The first message as wished, then the second, whatever comes of it. */
fiber_fn static void fetch_second(struct world *w, struct collector *collector)
{
	world_open(w);
	world_list(w);
	fulfil(w, &wishes[0]);
	collector_init(collector);
	w->e = w->backend->ops->fetch(
		w->backend, &w->listing.messages[1], FETCH_ALL, 0, &collector->sink);
}

fiber_fn static void act_empty(struct world *w)
{
	struct collector collector;

	fetch_second(w, &collector);
	assert_got(&collector, "", 0);
	fulfil(w, &wishes[1]);
	world_close(w);
}

static void test_an_empty_message(void **state)
{
	struct world *w = *state;

	wish(0, FETCH_ALL, ERR_OK);
	wish(2, FETCH_ALL, ERR_OK);
	world_run(w, empty_server, act_empty);
	assert_error(w, ERR_OK, "");
}

/* The newest first; headers as well. */
fiber_fn static void backwards_server(struct peer *p)
{
	begin(p);
	serve(p, "8", 8, 8, FETCH_TOP);
	serve(p, "5:7", 5, 7, FETCH_TOP);
	serve(p, "1:4", 1, 4, FETCH_TOP);
	peer_end(p);
}

static void test_backwards_as_well(void **state)
{
	struct world *w = *state;

	w->tenant.imap.read_ahead = 4 * 4096;
	for (size_t i = MESSAGES; i-- > 0;)
		wish(i, FETCH_TOP, ERR_OK);
	world_run(w, backwards_server, act_wishes);
}

/* Sizes that add up to the limit are the limit. */
fiber_fn static void limited_server(struct peer *p)
{
	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	serve(p, "2:3", 2, 3, FETCH_ALL);
	serve(p, "4:5", 4, 5, FETCH_ALL);
	peer_end(p);
}

static void test_octets_are_limited(void **state)
{
	struct world *w = *state;

	w->tenant.imap.read_ahead = OCTETS + OCTETS / 2;
	for (size_t i = 0; i < 5; i++)
		wish(i, FETCH_ALL, ERR_OK);
	world_run(w, limited_server, act_wishes);
}

fiber_fn static void lonely_server(struct peer *p)
{
	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	serve(p, "2", 2, 2, FETCH_ALL);
	serve(p, "3", 3, 3, FETCH_ALL);
	peer_end(p);
}

static void test_it_can_be_turned_off(void **state)
{
	struct world *w = *state;

	w->tenant.imap.read_ahead = 0;
	for (size_t i = 0; i < 3; i++)
		wish(i, FETCH_ALL, ERR_OK);
	world_run(w, lonely_server, act_wishes);
}

/* The client goes elsewhere: what came along is of no use, and is fetched when it is wanted. */
fiber_fn static void elsewhere_server(struct peer *p)
{
	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	serve(p, "2:4", 2, 4, FETCH_ALL);
	serve(p, "7", 7, 7, FETCH_TOP);
	serve(p, "3", 3, 3, FETCH_ALL);
	peer_end(p);
}

static void test_client_that_goes_elsewhere(void **state)
{
	wish(0, FETCH_ALL, ERR_OK);
	wish(1, FETCH_ALL, ERR_OK);
	wish(6, FETCH_TOP, ERR_OK);
	wish(2, FETCH_ALL, ERR_OK);
	world_run(*state, elsewhere_server, act_wishes);
}

/* What is missing of a run is asked for in its turn, and told then. */
fiber_fn static void gappy_server(struct peer *p)
{
	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	peer_expect(p, "UID FETCH 2:4 BODY.PEEK[]");
	give(p, 4, FETCH_ALL);
	give(p, 2, FETCH_ALL);
	peer_answer(p, "NO [SERVERBUG] the third one is broken");
	peer_expect(p, "UID FETCH 3:7 BODY.PEEK[]");
	peer_answer(p, "OK nothing there");
	peer_expect(p, "UID FETCH 3 BODY.PEEK[]");
	peer_answer(p, "OK nothing there");
	peer_expect(p, "UID FETCH 4 BODY.PEEK[]");
	give(p, 4, FETCH_ALL);
	peer_answer(p, "OK done");
	peer_end(p);
}

static void test_what_is_missing_is_told_in_its_turn(void **state)
{
	wish(0, FETCH_ALL, ERR_OK);
	wish(1, FETCH_ALL, ERR_OK);
	wish(2, FETCH_ALL, ERR_GONE);
	wish(3, FETCH_ALL, ERR_OK);
	world_run(*state, gappy_server, act_wishes);
}

/* A server that tells the UID behind the body, or quotes it: whose the body is shows at its end. */
fiber_fn static void late_server(struct peer *p)
{
	char text[OCTETS + 1];

	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	peer_expect(p, "UID FETCH 2:4 BODY.PEEK[]");
	for (uint32_t uid = 2; uid <= 4; uid++) {
		text_of(uid, FETCH_ALL, text);
		peer_send(p, "* %u FETCH (BODY[] {%u}\r\n%s UID %u)\r\n", uid, OCTETS, text, uid);
	}
	peer_answer(p, "OK done");
	serve(p, "2", 2, 2, FETCH_ALL);
	serve(p, "3", 3, 3, FETCH_ALL);
	peer_end(p);
}

static void test_uid_behind_the_body(void **state)
{
	wish(0, FETCH_ALL, ERR_OK);
	wish(1, FETCH_ALL, ERR_OK);
	wish(2, FETCH_ALL, ERR_OK);
	world_run(*state, late_server, act_wishes);
}

/* Bodies of messages that nobody asked for, and one twice, are not handed to anyone. */
fiber_fn static void generous_server(struct peer *p)
{
	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	peer_expect(p, "UID FETCH 2:4 BODY.PEEK[]");
	give(p, 2, FETCH_ALL);
	give(p, 3, FETCH_ALL);
	peer_send(p, "* 3 FETCH (UID 3 BODY[] {5}\r\nforge)\r\n");
	give(p, 8, FETCH_ALL);
	give(p, 4, FETCH_ALL);
	peer_answer(p, "OK done");
	peer_end(p);
}

static void test_bodies_nobody_asked_for(void **state)
{
	for (size_t i = 0; i < 4; i++)
		wish(i, FETCH_ALL, ERR_OK);
	world_run(*state, generous_server, act_wishes);
}

fiber_fn static void repeating_server(struct peer *p)
{
	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	peer_expect(p, "UID FETCH 2:4 BODY.PEEK[]");
	give(p, 2, FETCH_ALL);
	give(p, 2, FETCH_ALL);
	peer_expect_end(p);
}

fiber_fn static void act_repeat(struct world *w)
{
	struct collector collector;

	fetch_second(w, &collector);
	buffer_done(&collector.got);
	world_close(w);
}

static void test_own_body_twice(void **state)
{
	struct world *w = *state;

	wish(0, FETCH_ALL, ERR_OK);
	world_run(w, repeating_server, act_repeat);
	assert_error(w, ERR_TEMP, "a body nobody asked for");
}

/* A server that dies: what came before is there, the rest is an error. */
fiber_fn static void dying_server(struct peer *p)
{
	begin(p);
	serve(p, "1", 1, 1, FETCH_ALL);
	serve(p, "2:4", 2, 4, FETCH_ALL);
	peer_close(p);
}

static void test_server_that_dies_behind_a_run(void **state)
{
	wish(0, FETCH_ALL, ERR_OK);
	wish(1, FETCH_ALL, ERR_OK);
	wish(2, FETCH_ALL, ERR_OK);
	wish(3, FETCH_ALL, ERR_OK);
	wish(4, FETCH_ALL, ERR_TEMP);
	world_run(*state, dying_server, act_wishes);
}

/* Answers whatever is asked, until the end. */
fiber_fn static void patient_server(struct peer *p)
{
	begin(p);
	for (;;) {
		unsigned from, to;
		int n;

		peer_command(p);
		if (!p->stream || (n = sscanf(p->command, "UID FETCH %u:%u", &from, &to)) < 1)
			break;
		for (unsigned uid = from; uid <= (n == 2 ? to : from); uid++)
			give(p, uid, strstr(p->command, "HEADER") ? FETCH_TOP : FETCH_ALL);
		peer_answer(p, "OK done");
	}
	peer_send(p, "* BYE\r\n");
	peer_answer(p, "OK done");
}

/* Clients that run along and jump about get what they asked for. */
static void test_any_order(void **state)
{
	const char *seed = getenv("POPGATE_TEST_SEED");
	unsigned random = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
	size_t at = 0;

	print_message("seed %u\n", random);
	srand(random);
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		static enum fetch_part part;
		long dice = rand() % 10;

		at = dice < 6 ? at + 1 : dice < 8 ? at + MESSAGES - 1 : (size_t)(rand() % MESSAGES);
		at %= MESSAGES;
		if (rand() % 8 == 0)
			part = part == FETCH_ALL ? FETCH_TOP : FETCH_ALL;
		wish(at, part, ERR_OK);
	}
	world_run(*state, patient_server, act_wishes);
}

#define AHEAD_TEST(test) cmocka_unit_test_setup_teardown(test, ahead_new, world_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AHEAD_TEST(test_messages_in_order_come_ahead),
		AHEAD_TEST(test_an_empty_message),
		AHEAD_TEST(test_backwards_as_well),
		AHEAD_TEST(test_octets_are_limited),
		AHEAD_TEST(test_it_can_be_turned_off),
		AHEAD_TEST(test_client_that_goes_elsewhere),
		AHEAD_TEST(test_what_is_missing_is_told_in_its_turn),
		AHEAD_TEST(test_uid_behind_the_body),
		AHEAD_TEST(test_bodies_nobody_asked_for),
		AHEAD_TEST(test_own_body_twice),
		AHEAD_TEST(test_server_that_dies_behind_a_run),
		AHEAD_TEST(test_any_order),
	};

	return cmocka_run_group_tests_name("imap_ahead", tests, runtime_setup, runtime_teardown);
}
