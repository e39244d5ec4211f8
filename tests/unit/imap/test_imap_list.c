#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "tests/unit/imap/peer.h"

/* What the server says to the listing, before its OK. */
static const char *says;
static const char *begins = "* 1 FETCH";

fiber_fn static void list_server(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	peer_send(p, "%s", says);
	peer_answer(p, "OK Fetch completed");
	peer_end(p);
}

fiber_fn static void list_server_that_loses_us(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	peer_send(p, "%s", says);
	peer_answer(p, "OK Fetch completed");
	peer_drain(p);
}

static void assert_message(
	const struct world *w, size_t i, uint32_t uid, uint64_t size, int64_t arrival)
{
	const struct backend_message *m = &w->listing.messages[i];

	assert_true(i < w->listing.n);
	assert_int_equal(m->uid, uid);
	assert_int_equal(m->size, size);
	assert_int_equal(m->arrival, arrival);
	assert_int_equal(m->uidvalidity, 7);
	assert_int_equal(m->folder, 0);
	assert_true(m->exact);
	assert_null(m->key);
}

static void lists(void **state)
{
	struct world *w = *state;

	says = "* 1 FETCH (UID 10 RFC822.SIZE 100 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\""
	       " FLAGS (\\Seen $Label))\r\n"
	       "* 2 FETCH (FLAGS (\\Deleted) INTERNALDATE \" 1-Jan-2020 00:00:00 +0530\""
	       " RFC822.SIZE 4294967295 UID 11)\r\n"
	       "* 3 FETCH (UID 4294967295 RFC822.SIZE 0 INTERNALDATE"
	       " \" 1-Jan-1970 00:00:00 +0100\" FLAGS (\\Recent))\r\n";
	world_run(w, list_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 3);
	assert_message(w, 0, 10, 100, 837596665);
	assert_message(w, 1, 11, 4294967295U, 1577817000);
	assert_message(w, 2, 4294967295U, 0, 0);
	assert_true(w->listing.messages[0].seen);
	assert_true(!w->listing.messages[1].seen);
	assert_true(!w->listing.messages[2].seen);
}

#define MESSAGE(uid)                                                                               \
	"* 1 FETCH (UID " uid                                                                      \
	" RFC822.SIZE 5 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" FLAGS ())\r\n"

static void puts_uids_in_order(void **state)
{
	struct world *w = *state;

	says = MESSAGE("9") MESSAGE("4") MESSAGE("70") MESSAGE("1");
	world_run(w, list_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 4);
	assert_message(w, 0, 1, 5, 837596665);
	assert_message(w, 1, 4, 5, 837596665);
	assert_message(w, 2, 9, 5, 837596665);
	assert_message(w, 3, 70, 5, 837596665);
}

static void passes_over_what_it_did_not_ask_for(void **state)
{
	struct world *w = *state;

	says = "* 5 EXPUNGE\r\n* 3 EXISTS\r\n* 1 RECENT\r\n* VANISHED (EARLIER) 41,43:116\r\n"
	       "* OK [HIGHESTMODSEQ 12] still here\r\n* NO disk is getting full\r\n"
	       "* LIST (\\HasNoChildren) \"/\" {7}\r\n((((\r\n(\r\n"
	       "* 2 FETCH (FLAGS (\\Seen))\r\n"
	       "* 2 FETCH (UID 4 FLAGS (\\Seen))\r\n" MESSAGE(
		       "9") "* FLAGS (\\Answered)\r\n* ESEARCH (TAG \"4\") UID ALL 3\r\n\r\n"
			    "* STATUS INBOX (MESSAGES 4)\r\n* X-SURPRISE \"\r\n";
	world_run(w, list_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 1);
	assert_message(w, 0, 9, 5, 837596665);
}

static void refuses_lies(void **state)
{
	static const char *const lies[][2] = {
		{ MESSAGE("3") MESSAGE("4") MESSAGE("3"), "two messages with UID 3" },
		{ MESSAGE("3") MESSAGE("3"), "two messages with UID 3" },
		{ MESSAGE("0"), "UID 0" },
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct world *w = *state;

		says = lies[i][0];
		world_run(w, list_server, act_list);
		assert_error(w, ERR_TEMP, lies[i][1]);
	}
}

static void refuses_what_cannot_be_parsed(void **state)
{
	static const char *const lines[] = {
		"* 1 FETCH (UID x)\r\n",
		"* 1 FETCH (UID 5 RFC822.SIZE 4\r\n",
		"* 1 FETCH (UID 5 SURPRISE 4)\r\n",
		"* 1 FETCH (UID 5 BODY[] {5}\r\n12345 ENVELOPE (((({3}\r\n123\r\n",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct world *w = *state;

		says = lines[i];
		world_run(w, list_server_that_loses_us, act_list);
		assert_error(w, ERR_TEMP, "malformed");
	}
}

fiber_fn static void empty_server(struct peer *p)
{
	peer_begin(p, 0);
	peer_end(p);
}

static void asks_nothing_of_an_empty_mailbox(void **state)
{
	struct world *w = *state;

	world_run(w, empty_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 0);
}

fiber_fn static void refuse_list(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	peer_send(p, MESSAGE("3"));
	peer_answer(p, "NO some of it cannot be read");
	peer_end(p);
}

static void half_a_listing_is_none(void **state)
{
	struct world *w = *state;

	world_run(w, refuse_list, act_list);
	assert_error(w, ERR_TEMP, "cannot be read");
}

/* Further folders. */

fiber_fn static void folder_server(struct peer *p)
{
	peer_begin(p, 2);
	peer_list(p, 2);
	peer_expect(p, "SELECT \"Junk\"");
	peer_answer(p, "NO [NONEXISTENT] no such mailbox");
	peer_expect(p, "SELECT \"Entw&APw-rfe\"");
	peer_send(p, "* 1 EXISTS\r\n* OK [UIDVALIDITY 8] ok\r\n");
	peer_answer(p, "OK [READ-WRITE] selected");
	peer_list(p, 1);
	peer_end(p);
}

static const char *also[] = { "Junk", "Entwürfe" };

static void lists_further_folders(void **state)
{
	struct world *w = *state;

	w->tenant.maildrop.also = (struct string_list){ also, 2 };
	world_run(w, folder_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 3);
	assert_message(w, 1, 2, 100, 837596665);
	assert_int_equal(w->listing.messages[2].folder, 2);
	assert_int_equal(w->listing.messages[2].uidvalidity, 8);
	assert_int_equal(w->listing.messages[2].uid, 1);
}

fiber_fn static void folder_server_that_fails(struct peer *p)
{
	peer_begin(p, 2);
	peer_list(p, 2);
	peer_expect(p, "SELECT \"Junk\"");
	peer_answer(p, "NO [UNAVAILABLE] later");
	peer_end(p);
}

static void a_folder_that_fails_is_not_left_out(void **state)
{
	struct world *w = *state;

	w->tenant.maildrop.also = (struct string_list){ also, 1 };
	world_run(w, folder_server_that_fails, act_list);
	assert_error(w, ERR_TEMP, "Junk");
}

/* A mailbox of 120,000 messages, of which we send a few. */

fiber_fn static void select_large(struct peer *p, unsigned uidnext)
{
	peer_greet(p);
	peer_login(p, "UIDPLUS");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p, "* 120000 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %u] ok\r\n",
		uidnext);
	peer_answer(p, "OK [READ-WRITE] selected");
}

fiber_fn static void dense_server(struct peer *p)
{
	select_large(p, 120001);
	peer_expect(p, "UID FETCH 1:50000 (UID RFC822.SIZE INTERNALDATE FLAGS)");
	peer_send(p, MESSAGE("1") MESSAGE("50000") MESSAGE("50001"));
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 50001:100000 (UID RFC822.SIZE INTERNALDATE FLAGS)");
	peer_send(p, MESSAGE("50001"));
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 100001:120000 (UID RFC822.SIZE INTERNALDATE FLAGS)");
	peer_send(p, MESSAGE("120000"));
	peer_answer(p, "OK done");
	peer_end(p);
}

static void lists_a_large_mailbox_in_parts(void **state)
{
	struct world *w = *state;

	world_run(w, dense_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 4);
	assert_message(w, 3, 120000, 5, 837596665);
}

fiber_fn static void sparse_server(struct peer *p)
{
	select_large(p, 480001);
	peer_expect(p, "UID FETCH 1:200000 (UID RFC822.SIZE INTERNALDATE FLAGS)");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 200001:400000 (UID RFC822.SIZE INTERNALDATE FLAGS)");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 400001:480000 (UID RFC822.SIZE INTERNALDATE FLAGS)");
	peer_send(p, MESSAGE("480000"));
	peer_answer(p, "OK done");
	peer_end(p);
}

static void parts_span_more_where_uids_are_sparse(void **state)
{
	struct world *w = *state;

	world_run(w, sparse_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 1);
}

fiber_fn static void server_at_the_last_uid(struct peer *p)
{
	select_large(p, 4294967295U);
	do {
		peer_command(p);
		peer_answer(p, "OK done");
	} while (p->stream && !strstr(p->command, ":4294967294 "));
	peer_end(p);
}

static void parts_end_at_the_last_uid(void **state)
{
	struct world *w = *state;

	world_run(w, server_at_the_last_uid, act_list);
	assert_error(w, ERR_OK, "");
}

/* Attacks. */

static int depth;

fiber_fn static void nest(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	peer_send(p, "%s (BODYSTRUCTURE ", begins);
	for (int i = 0; i < depth; i++)
		peer_send_octets(p, "(", 1);
	peer_send(p, "\r\n");
	peer_drain(p);
}

fiber_fn static void nest_around_literals(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	peer_send(p, "* 1 FETCH (BODYSTRUCTURE ");
	for (int i = 0; i < 2000; i++)
		peer_send(p, "((\"text\" {5}\r\nplain NIL NIL NIL \"7bit\" 1 1)");
	peer_send(p, "\r\n");
	peer_drain(p);
}

fiber_fn static void endless_line(struct peer *p)
{
	static const char spaces[4096] = { [0 ... 4095] = ' ' };

	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	peer_send(p, "* OK ");
	for (int i = 0; i < 100; i++)
		peer_send_octets(p, spaces, sizeof(spaces));
	peer_drain(p);
}

fiber_fn static void endless_chatter(struct peer *p)
{
	struct buffer lines = { 0 };

	for (int i = 0; i < 1000; i++)
		buffer_printf(&lines, "* OK still at it, wait\r\n");
	peer_greet(p);
	peer_login(p, "UIDPLUS");
	peer_expect(p, "SELECT \"INBOX\"");
	for (int i = 0; i < 800; i++)
		peer_send_octets(p, buffer_data(&lines), buffer_used(&lines));
	buffer_done(&lines);
	peer_drain(p);
}

fiber_fn static void large_literal(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	peer_send(p, "* 1 FETCH (UID 3 BODY[] {4000000000}\r\nxxxx");
	peer_drain(p);
}

fiber_fn static void large_string(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	peer_send(p, "* 1 FETCH (ENVELOPE ({4000000000}\r\nxxxx");
	peer_drain(p);
}

static void survives_attacks(void **state)
{
	static const struct {
		void (*server)(struct peer *p);
		const char *detail;
		int depth;
	} cases[] = {
		{ nest, "too deeply", 64 },
		{ nest, "too deeply", 2000 },
		{ nest, "line without an end", 100000 },
		{ nest_around_literals, "too deeply" },
		{ endless_line, "line without an end" },
		{ endless_chatter, "longer than any honest one" },
		{ large_literal, "nobody asked for" },
		{ large_string, "too long" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		depth = cases[i].depth;
		world_run(w, cases[i].server, act_list);
		assert_error(w, ERR_TEMP, cases[i].detail);
	}
}

/* libetpan would take these for "* 1 FETCH". */
static void lines_that_only_look_like_fetch(void **state)
{
	static const char *const cases[] = { " * 1 FETCH", "  * 1 FETCH", "*1 FETCH",
		"*\t1 FETCH" };
	struct world *w = *state;

	depth = 60000;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begins = cases[i];
		world_run(w, nest, act_list);
		assert_error(w, ERR_TEMP, "malformed answer");
	}
	begins = "* 1 FETCH";
}

fiber_fn static void many_continuations(struct peer *p)
{
	struct buffer lines = { 0 };

	for (int i = 0; i < 100000; i++)
		buffer_append(&lines, "+\n", 2);
	peer_begin(p, 1);
	peer_expect(p, LIST_COMMAND);
	peer_send(p, "* 1 FETCH (UID 1 RFC822.SIZE 5 FLAGS ())\r\n");
	for (int i = 0; i < 10; i++)
		peer_send_octets(p, buffer_data(&lines), buffer_used(&lines));
	buffer_done(&lines);
	peer_answer(p, "OK Fetch completed");
	peer_end(p);
}

/* libetpan would keep an object of each. */
static void nothing_is_kept_of_continuations(void **state)
{
	struct world *w = *state;
	struct rusage before, after;

	(void)getrusage(RUSAGE_SELF, &before);
	world_run(w, many_continuations, act_list);
	assert_error(w, ERR_OK, "");
	(void)getrusage(RUSAGE_SELF, &after);
	assert_int_equal(w->listing.n, 1);
	assert_true(after.ru_maxrss - before.ru_maxrss < 32L * 1024);
}

/* Someone else empties a large mailbox meanwhile: news that costs nothing. */
fiber_fn static void expunge_many(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	for (int i = 0; i < 200000; i++)
		peer_send(p, "* 1 EXPUNGE\r\n");
	peer_send(p, MESSAGE("3"));
	peer_answer(p, "OK done");
	peer_end(p);
}

static void bears_many_expunges(void **state)
{
	struct world *w = *state;

	world_run(w, expunge_many, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 1);
}

/* Whatever the cut, the answer reads the same. */
fiber_fn static void octet_by_octet(struct peer *p)
{
	const char *s = "* LIST () \"/\" {3}\r\n(\r\n\r\n"
			"* 1 FETCH (UID 9 BODY[HEADER] {4}\r\nab\r\n RFC822.SIZE 5 INTERNALDATE"
			" \"17-Jul-1996 02:44:25 -0700\" FLAGS ())\r\n";

	peer_begin(p, 3);
	peer_expect(p, LIST_COMMAND);
	for (; *s; s++) {
		peer_send_octets(p, s, 1);
		(void)wait_turn().scope;
		(void)wait_turn().scope;
	}
	peer_answer(p, "OK done");
	peer_end(p);
}

static void reads_across_boundaries(void **state)
{
	struct world *w = *state;

	world_run(w, octet_by_octet, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 1);
	assert_message(w, 0, 9, 5, 837596665);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lists),
		TEST(puts_uids_in_order),
		TEST(passes_over_what_it_did_not_ask_for),
		TEST(refuses_lies),
		TEST(refuses_what_cannot_be_parsed),
		TEST(asks_nothing_of_an_empty_mailbox),
		TEST(half_a_listing_is_none),
		TEST(lists_further_folders),
		TEST(a_folder_that_fails_is_not_left_out),
		TEST(lists_a_large_mailbox_in_parts),
		TEST(parts_span_more_where_uids_are_sparse),
		TEST(parts_end_at_the_last_uid),
		TEST(survives_attacks),
		TEST(lines_that_only_look_like_fetch),
		TEST(nothing_is_kept_of_continuations),
		TEST(bears_many_expunges),
		TEST(reads_across_boundaries),
	};

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}
