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

/* The command that must come next; answers are for the earliest one without an answer. */
static char tags[MESSAGES * 2][16];
static size_t asked, answered;

fiber_fn static void hear(struct peer *p, const char *command)
{
	peer_expect(p, command);
	memcpy(tags[asked++ % (MESSAGES * 2)], p->tag, sizeof(p->tag));
}

fiber_fn static void give(struct peer *p, uint32_t uid, enum fetch_part part)
{
	const char *section = part == FETCH_ALL ? "" : "HEADER";
	char text[OCTETS + 1];

	text_of(uid, part, text);
	peer_send(p, "* %u FETCH (UID %u BODY[%s] {%zu}\r\n%s)\r\n%s OK done\r\n", uid, uid,
		section, strlen(text), text, tags[answered++ % (MESSAGES * 2)]);
}

fiber_fn static void begin(struct peer *p)
{
	asked = answered = 0;
	peer_begin(p, MESSAGES);
	peer_list(p, MESSAGES);
}

/* One after the other: two, then four are on their way; nothing is asked for twice. */
fiber_fn static void in_order_server(struct peer *p)
{
	begin(p);
	hear(p, "UID FETCH 1 BODY.PEEK[]");
	give(p, 1, FETCH_ALL);
	hear(p, "UID FETCH 2 BODY.PEEK[]");
	hear(p, "UID FETCH 3 BODY.PEEK[]");
	hear(p, "UID FETCH 4 BODY.PEEK[]");
	give(p, 2, FETCH_ALL);
	for (uint32_t uid = 5; uid <= 7; uid++) {
		char command[64];

		(void)snprintf(command, sizeof(command), "UID FETCH %u BODY.PEEK[]", uid);
		hear(p, command);
	}
	give(p, 3, FETCH_ALL);
	hear(p, "UID FETCH 8 BODY.PEEK[]");
	for (uint32_t uid = 4; uid <= 8; uid++)
		give(p, uid, FETCH_ALL);
	peer_end(p);
}

static void test_messages_in_order_come_ahead(void **state)
{
	for (size_t i = 0; i < MESSAGES; i++)
		wish(i, FETCH_ALL, ERR_OK);
	world_run(*state, in_order_server, act_wishes);
}

/* The newest first; headers as well. */
fiber_fn static void backwards_server(struct peer *p)
{
	begin(p);
	hear(p, "UID FETCH 8 BODY.PEEK[HEADER]");
	give(p, 8, FETCH_TOP);
	hear(p, "UID FETCH 7 BODY.PEEK[HEADER]");
	hear(p, "UID FETCH 6 BODY.PEEK[HEADER]");
	hear(p, "UID FETCH 5 BODY.PEEK[HEADER]");
	give(p, 7, FETCH_TOP);
	for (uint32_t uid = 4; uid >= 1; uid--) {
		char command[64];

		if (uid == 1)
			give(p, 6, FETCH_TOP);
		(void)snprintf(command, sizeof(command), "UID FETCH %u BODY.PEEK[HEADER]", uid);
		hear(p, command);
	}
	for (uint32_t uid = 5; uid >= 1; uid--)
		give(p, uid, FETCH_TOP);
	peer_end(p);
}

static void test_backwards_as_well(void **state)
{
	for (size_t i = MESSAGES; i-- > 0;)
		wish(i, FETCH_TOP, ERR_OK);
	world_run(*state, backwards_server, act_wishes);
}

/* Sizes that add up to the limit are the limit. */
fiber_fn static void limited_server(struct peer *p)
{
	begin(p);
	hear(p, "UID FETCH 1 BODY.PEEK[]");
	give(p, 1, FETCH_ALL);
	for (uint32_t uid = 2; uid <= 4; uid++) {
		char command[64];

		(void)snprintf(command, sizeof(command), "UID FETCH %u BODY.PEEK[]", uid);
		if (uid == 2)
			hear(p, command);
		(void)snprintf(command, sizeof(command), "UID FETCH %u BODY.PEEK[]", uid + 1);
		hear(p, command);
		give(p, uid, FETCH_ALL);
	}
	peer_expect_end(p);
}

static void test_octets_are_limited(void **state)
{
	struct world *w = *state;

	w->tenant.imap.read_ahead = 2 * OCTETS + OCTETS / 2;
	for (size_t i = 0; i < 4; i++)
		wish(i, FETCH_ALL, ERR_OK);
	world_run(w, limited_server, act_wishes);
}

fiber_fn static void lonely_server(struct peer *p)
{
	begin(p);
	for (uint32_t uid = 1; uid <= 3; uid++) {
		char command[64];

		(void)snprintf(command, sizeof(command), "UID FETCH %u BODY.PEEK[]", uid);
		hear(p, command);
		give(p, uid, FETCH_ALL);
	}
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

/* The client goes elsewhere: what nobody came for is dropped before the next command. */
fiber_fn static void elsewhere_server(struct peer *p)
{
	begin(p);
	hear(p, "UID FETCH 1 BODY.PEEK[]");
	give(p, 1, FETCH_ALL);
	hear(p, "UID FETCH 2 BODY.PEEK[]");
	hear(p, "UID FETCH 3 BODY.PEEK[]");
	hear(p, "UID FETCH 4 BODY.PEEK[]");
	for (uint32_t uid = 2; uid <= 4; uid++)
		give(p, uid, FETCH_ALL);
	hear(p, "UID FETCH 7 BODY.PEEK[HEADER]");
	give(p, 7, FETCH_TOP);
	peer_end(p);
}

static void test_client_that_goes_elsewhere(void **state)
{
	wish(0, FETCH_ALL, ERR_OK);
	wish(1, FETCH_ALL, ERR_OK);
	wish(6, FETCH_TOP, ERR_OK);
	world_run(*state, elsewhere_server, act_wishes);
}

/* What the server says of a message ahead is told when the client asks for that one. */
fiber_fn static void refusing_server(struct peer *p)
{
	begin(p);
	hear(p, "UID FETCH 1 BODY.PEEK[]");
	give(p, 1, FETCH_ALL);
	hear(p, "UID FETCH 2 BODY.PEEK[]");
	hear(p, "UID FETCH 3 BODY.PEEK[]");
	hear(p, "UID FETCH 4 BODY.PEEK[]");
	give(p, 2, FETCH_ALL);
	peer_send(p, "%s OK nothing there\r\n", tags[answered++]);
	for (uint32_t uid = 5; uid <= 7; uid++) {
		char command[64];

		(void)snprintf(command, sizeof(command), "UID FETCH %u BODY.PEEK[]", uid);
		hear(p, command);
	}
	peer_send(p, "%s NO [SERVERBUG] not now\r\n", tags[answered++]);
	hear(p, "UID FETCH 8 BODY.PEEK[]");
	give(p, 5, FETCH_ALL);
	peer_expect_end(p);
}

static void test_trouble_is_told_in_its_turn(void **state)
{
	wish(0, FETCH_ALL, ERR_OK);
	wish(1, FETCH_ALL, ERR_OK);
	wish(2, FETCH_ALL, ERR_GONE);
	wish(3, FETCH_ALL, ERR_TEMP);
	wish(4, FETCH_ALL, ERR_OK);
	world_run(*state, refusing_server, act_wishes);
}

fiber_fn static void dying_server(struct peer *p)
{
	begin(p);
	hear(p, "UID FETCH 1 BODY.PEEK[]");
	give(p, 1, FETCH_ALL);
	hear(p, "UID FETCH 2 BODY.PEEK[]");
	hear(p, "UID FETCH 3 BODY.PEEK[]");
	give(p, 2, FETCH_ALL);
	peer_close(p);
}

static void test_server_that_dies_with_answers_to_come(void **state)
{
	wish(0, FETCH_ALL, ERR_OK);
	wish(1, FETCH_ALL, ERR_OK);
	wish(2, FETCH_ALL, ERR_TEMP);
	wish(0, FETCH_ALL, ERR_TEMP);
	world_run(*state, dying_server, act_wishes);
}

/* QUIT's commands come when all answers are in. */
fiber_fn static void quitting_server(struct peer *p)
{
	begin(p);
	hear(p, "UID FETCH 1 BODY.PEEK[]");
	give(p, 1, FETCH_ALL);
	hear(p, "UID FETCH 2 BODY.PEEK[]");
	hear(p, "UID FETCH 3 BODY.PEEK[]");
	hear(p, "UID FETCH 4 BODY.PEEK[]");
	for (uint32_t uid = 2; uid <= 4; uid++)
		give(p, uid, FETCH_ALL);
	peer_expect(p, "UID STORE 1:2 +FLAGS.SILENT (\\Seen)");
	peer_answer(p, "OK done");
	peer_end(p);
}

fiber_fn static void act_quit(struct world *w)
{
	static const size_t seen[] = { 0, 1 };
	struct backend_update update = { .seen = seen, .n_seen = 2 };

	world_open(w);
	world_list(w);
	for (size_t i = 0; i < n_wishes; i++)
		fulfil(w, &wishes[i]);
	w->e = w->backend->ops->update(w->backend, &update, NULL);
	world_close(w);
}

static void test_update_waits_for_its_turn(void **state)
{
	wish(0, FETCH_ALL, ERR_OK);
	wish(1, FETCH_ALL, ERR_OK);
	world_run(*state, quitting_server, act_quit);
}

/* Answers whatever is asked, until the end. */
fiber_fn static void patient_server(struct peer *p)
{
	unsigned uid;

	begin(p);
	while (p->stream) {
		peer_command(p);
		if (!p->stream || sscanf(p->command, "UID FETCH %u", &uid) != 1)
			break;
		memcpy(tags[answered % (MESSAGES * 2)], p->tag, sizeof(p->tag));
		give(p, uid, strstr(p->command, "HEADER") ? FETCH_TOP : FETCH_ALL);
	}
	free(steal(p->failure)); /* the end may come without a LOGOUT */
	peer_close(p);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_messages_in_order_come_ahead, ahead_new, world_free),
		cmocka_unit_test_setup_teardown(test_backwards_as_well, ahead_new, world_free),
		cmocka_unit_test_setup_teardown(test_octets_are_limited, ahead_new, world_free),
		cmocka_unit_test_setup_teardown(test_it_can_be_turned_off, ahead_new, world_free),
		cmocka_unit_test_setup_teardown(
			test_client_that_goes_elsewhere, ahead_new, world_free),
		cmocka_unit_test_setup_teardown(
			test_trouble_is_told_in_its_turn, ahead_new, world_free),
		cmocka_unit_test_setup_teardown(
			test_server_that_dies_with_answers_to_come, ahead_new, world_free),
		cmocka_unit_test_setup_teardown(
			test_update_waits_for_its_turn, ahead_new, world_free),
		cmocka_unit_test_setup_teardown(test_any_order, ahead_new, world_free),
	};

	return cmocka_run_group_tests_name("imap_ahead", tests, runtime_setup, runtime_teardown);
}
