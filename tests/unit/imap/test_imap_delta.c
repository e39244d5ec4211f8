/* Listings that build on earlier ones: what is asked, and that the outcome is that of a listing
 * from scratch, whatever the server says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/imap/peer.h"

/* 17-Jul-1996 02:44:25 -0700 */
#define ARRIVAL 837596665

/* One command, and what the server says to it; the tag is put before `answer`. */
struct step {
	const char *command, *lines, *answer;
};

static const char *capabilities, *greets;
static const struct step *steps;

#define SELECTED(exists, uidvalidity, uidnext, more)                                               \
	"* " #exists " EXISTS\r\n* OK [UIDVALIDITY " #uidvalidity "] ok\r\n"                       \
	"* OK [UIDNEXT " #uidnext "] ok\r\n" more
#define ITEMS                       "(UID RFC822.SIZE INTERNALDATE FLAGS)"
#define SCRATCH                     "UID FETCH 1:* " ITEMS
#define DATE                        " INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" FLAGS ()"
#define MESSAGE_OF(uid, size, more) "* 1 FETCH (UID " #uid " RFC822.SIZE " #size DATE more ")\r\n"
#define MESSAGE(uid)                MESSAGE_OF(uid, 100, "")
#define MODSEQ                      "* OK [HIGHESTMODSEQ 12] ok\r\n"
#define RESYNC                      "UID FETCH 1:9 (UID) (CHANGEDSINCE 5 VANISHED)"
#define ESEARCH                     "UID SEARCH RETURN (ALL) ALL"
#define SEARCH                      "UID SEARCH ALL"
#define LEFT                        UIDS(2, 3, 6, 9)

fiber_fn static void serve(struct peer *p)
{
	peer_greet(p);
	peer_login(p, capabilities);
	if (strstr(capabilities, "QRESYNC")) {
		char tag[sizeof(p->tag)];

		/* Both commands before any answer: they cost one round trip. */
		peer_expect(p, "ENABLE QRESYNC");
		memcpy(tag, p->tag, sizeof(tag));
		peer_expect(p, "SELECT \"INBOX\"");
		peer_send(p, "* ENABLED QRESYNC\r\n%s OK enabled\r\n", tag);
	} else {
		peer_expect(p, "SELECT \"INBOX\"");
	}
	peer_send(p, "%s", greets);
	peer_answer(p, "OK [READ-WRITE] selected");
	for (const struct step *step = steps; step->command; step++) {
		peer_expect(p, step->command);
		if (step->lines)
			peer_send(p, "%s", step->lines);
		peer_answer(p, step->answer ? step->answer : "OK done");
	}
	peer_end(p);
}

/* What is known: messages of 100 octets with the UIDs, 0 behind the last. */
static struct backend_message known[64];
static struct backend_known known_folder;

static void know(struct world *w, const char *mark, const uint32_t *uids)
{
	size_t n = 0;

	for (; uids[n]; n++)
		known[n] = (struct backend_message){ .size = 100,
			.arrival = ARRIVAL,
			.uidvalidity = 7,
			.uid = uids[n],
			.fingerprint = 1000 + uids[n],
			.exact = true };
	known_folder = (struct backend_known){ mark, known, n };
	w->request.known = &known_folder;
}

#define UIDS(...)                                                                                  \
	(const uint32_t[])                                                                         \
	{                                                                                          \
		__VA_ARGS__, 0                                                                     \
	}

/* Runs a listing against the script and asserts which UIDs come of it. */
static void run(struct world *w, const char *with, const char *selected, const struct step *script,
	const uint32_t *uids)
{
	size_t n = 0;

	capabilities = with;
	greets = selected;
	steps = script;
	world_run(w, serve, act_list);
	assert_error(w, ERR_OK, "");
	for (; n < w->listing.n && uids[n]; n++) {
		assert_int_equal(w->listing.messages[n].uid, uids[n]);
		assert_int_equal(w->listing.messages[n].size, 100);
		assert_int_equal(w->listing.messages[n].arrival, ARRIVAL);
		assert_int_equal(w->listing.messages[n].uidvalidity, 7);
		assert_true(w->listing.messages[n].exact);
	}
	assert_int_equal(w->listing.n, n);
	assert_int_equal(uids[n], 0);
	assert_int_equal(w->listing.folders[0].n, n);
	assert_int_equal(w->listing.folders[0].uidvalidity, 7);
}

static void assert_folder(struct world *w, const char *mark, bool unchanged, bool renumbered)
{
	assert_string_equal(w->listing.folders[0].mark, mark);
	assert_int_equal(w->listing.folders[0].unchanged, unchanged);
	assert_int_equal(w->listing.folders[0].renumbered, renumbered);
}

static const struct step nothing[] = { { 0 } };

/* Marks. */

static void marks_what_it_lists(void **state)
{
	static const struct step script[] = { { SCRATCH, MESSAGE(2) MESSAGE(4) }, { 0 } };
	static const struct {
		const char *selected, *mark;
		uint32_t uidnext;
	} cases[] = {
		{ SELECTED(2, 7, 5, ""), "7 5 2 0", 5 },
		{ SELECTED(2, 7, 5, "* OK [HIGHESTMODSEQ 9223372036854775807] ok\r\n"),
			"7 5 2 9223372036854775807", 5 },
		{ SELECTED(2, 7, 5, "* OK [NOMODSEQ] none\r\n"), "7 5 2 0", 5 },
		{ "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n", "", 0 },
		{ SELECTED(2, 7, 0, ""), "", 0 },
		/* UIDNEXT that cannot be: no message is hidden for it. */
		{ SELECTED(2, 7, 4, ""), "", 0 },
		{ SELECTED(2, 7, 1, ""), "", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		run(w, "QRESYNC", cases[i].selected, script, UIDS(2, 4));
		assert_folder(w, cases[i].mark, false, false);
		assert_int_equal(w->listing.folders[0].uidnext, cases[i].uidnext);
	}
}

static void leaves_out_what_came_after_the_select(void **state)
{
	static const struct step script[] = {
		{ SCRATCH, MESSAGE(2) "* 3 EXISTS\r\n" MESSAGE(4) MESSAGE(5) }, { 0 }
	};
	static const struct step with_expunge[] = {
		{ SCRATCH, MESSAGE(2) "* 2 EXPUNGE\r\n" MESSAGE(5) }, { 0 }
	};
	struct world *w = *state;

	run(w, "", SELECTED(2, 7, 5, ""), script, UIDS(2, 4));
	assert_folder(w, "7 5 2 0", false, false);
	run(w, "", SELECTED(2, 7, 5, ""), with_expunge, UIDS(2));
	assert_folder(w, "7 5 1 0", false, false);
}

static void starts_anew_from_a_mark_that_is_none(void **state)
{
	static const struct step script[] = { { SCRATCH, MESSAGE(2) }, { 0 } };
	static const char *const marks[] = { NULL, "", "7", "7 3 1", "7 3 1 ", "7 3 1 0 ",
		"7 3 1 0x", "7 0 1 0", "0 3 1 0", "4294967296 3 1 0", "7 4294967296 1 0",
		"7  3 1 0", "-7 3 1 0", "7 3 1 18446744073709551616",
		"7 3 18446744073709551616 0" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		struct world *w = *state;

		know(w, marks[i], UIDS(2));
		run(w, "", SELECTED(1, 7, 3, ""), script, UIDS(2));
		assert_folder(w, "7 3 1 0", false, false);
	}
}

/* An unchanged mailbox. */

static void asks_nothing_when_nothing_changed(void **state)
{
	struct world *w = *state;

	know(w, "7 10 3 5", UIDS(2, 4, 9));
	run(w, "QRESYNC ESEARCH", SELECTED(3, 7, 10, "* OK [HIGHESTMODSEQ 8] ok\r\n"), nothing,
		UIDS(2, 4, 9));
	assert_folder(w, "7 10 3 5", true, false);
	assert_int_equal(w->listing.folders[0].uidnext, 10);
	assert_ptr_equal(w->listing.messages, known);
	run(w, "", SELECTED(3, 7, 10, ""), nothing, UIDS(2, 4, 9));
	know(w, "7 10 0 5", UIDS(0));
	run(w, "", SELECTED(0, 7, 10, ""), nothing, UIDS(0));
	assert_folder(w, "7 10 0 5", true, false);
}

static void puts_what_is_known_in_order(void **state)
{
	struct world *w = *state;

	know(w, "7 10 3 5", UIDS(9, 2, 4));
	run(w, "", SELECTED(3, 7, 10, ""), nothing, UIDS(2, 4, 9));
	assert_folder(w, "7 10 3 5", true, false);
	know(w, "7 10 3 5", UIDS(2, 4, 9));
	known[1].uidvalidity = 0;
	known[2].folder = 3;
	run(w, "", SELECTED(3, 7, 10, ""), nothing, UIDS(2, 4, 9));
	assert_int_equal(w->listing.messages[2].folder, 0);
	assert_int_equal(w->listing.messages[2].fingerprint, 1009);
	assert_int_equal(known[2].folder, 3);
}

static void builds_on_no_ground_that_cannot_be(void **state)
{
	static const struct step script[] = { { SCRATCH, MESSAGE(2) MESSAGE(4) MESSAGE(9) },
		{ 0 } };
	struct world *w = *state;

	know(w, "7 10 3 5", UIDS(2, 9, 2));
	run(w, "", SELECTED(3, 7, 10, ""), script, UIDS(2, 4, 9));
	assert_folder(w, "7 10 3 0", false, false);
	know(w, "7 10 3 5", UIDS(2, 4, 10));
	run(w, "", SELECTED(3, 7, 10, ""), script, UIDS(2, 4, 9));
	know(w, "7 10 3 5", UIDS(2, 4, 8));
	known[1].uid = 0;
	run(w, "", SELECTED(3, 7, 10, ""), script, UIDS(2, 4, 9));
}

static void starts_anew_when_refused(void **state)
{
	static const struct step script[] = { { "UID FETCH 5:7 " ITEMS, MESSAGE(5),
						      "NO no such UID" },
		{ SCRATCH, MESSAGE(2) MESSAGE(4) }, { 0 } };
	static const struct step twins[] = { { "UID FETCH 5:7 " ITEMS, MESSAGE(5) MESSAGE(5) },
		{ SCRATCH, MESSAGE(2) MESSAGE(4) }, { 0 } };
	struct world *w = *state;

	know(w, "7 5 2 9", UIDS(2, 4));
	run(w, "", SELECTED(2, 7, 8, ""), script, UIDS(2, 4));
	assert_folder(w, "7 8 2 0", false, false);
	run(w, "", SELECTED(2, 7, 8, ""), twins, UIDS(2, 4));
}

/* The mark and the messages of the request are not of one listing. */
static void counts_what_is_known(void **state)
{
	static const struct step script[] = { { SEARCH, "* SEARCH 2 4 9\r\n" },
		{ "UID FETCH 9 " ITEMS, MESSAGE(9) }, { 0 } };
	struct world *w = *state;

	know(w, "7 10 3 5", UIDS(2, 4));
	run(w, "", SELECTED(3, 7, 10, ""), script, UIDS(2, 4, 9));
	know(w, "7 10 2 5", UIDS(2, 4, 9));
	run(w, "", SELECTED(3, 7, 10, ""), nothing, UIDS(2, 4, 9));
	assert_folder(w, "7 10 3 0", false, false);
}

fiber_fn static void folder_server(struct peer *p)
{
	peer_greet(p);
	peer_login(p, "QRESYNC");
	peer_command(p);
	peer_answer(p, "OK enabled");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p, SELECTED(2, 7, 5, ""));
	peer_answer(p, "OK selected");
	peer_expect(p, "SELECT \"Gone\"");
	peer_answer(p, "NO [NONEXISTENT] no such mailbox");
	peer_expect(p, "SELECT \"Junk\"");
	peer_send(p, "* OK [CLOSED] that\r\n" SELECTED(2, 8, 5, ""));
	peer_answer(p, "OK selected");
	peer_expect(p, "UID FETCH 4:4 " ITEMS);
	peer_send(p, MESSAGE(4));
	peer_answer(p, "OK done");
	peer_end(p);
}

static void lists_several_folders(void **state)
{
	static const char *also[] = { "Gone", "Junk" };
	static const struct backend_message inbox[] = { { .uid = 1, .uidvalidity = 7 },
		{ .uid = 4, .uidvalidity = 7 } };
	static const struct backend_message junk[] = {
		{ .uid = 3, .uidvalidity = 8, .folder = 2 }
	};
	static const struct backend_known folders[] = { { "7 5 2 0", inbox, 2 }, { "9 9 9 9" },
		{ "8 4 1 0", junk, 1 } };
	struct world *w = *state;

	w->tenant.maildrop.also = (struct string_list){ also, 2 };
	w->request.known = folders;
	world_run(w, folder_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 4);
	assert_int_equal(w->listing.messages[1].uid, 4);
	assert_int_equal(w->listing.messages[2].uid, 3);
	assert_int_equal(w->listing.messages[2].folder, 2);
	assert_int_equal(w->listing.messages[3].uid, 4);
	assert_int_equal(w->listing.messages[3].uidvalidity, 8);
	assert_true(w->listing.folders[0].unchanged);
	assert_true(w->listing.folders[1].absent);
	assert_false(w->listing.folders[2].unchanged);
	assert_int_equal(w->listing.folders[2].first, 2);
	assert_int_equal(w->listing.folders[2].n, 2);
	assert_string_equal(w->listing.folders[2].mark, "8 5 2 0");
}

/* New messages. */

static void fetches_what_is_new(void **state)
{
	static const struct step script[] = {
		{ "UID FETCH 5:7 " ITEMS, MESSAGE(4) MESSAGE(6) MESSAGE(5) MESSAGE_OF(9, 1, "") },
		{ 0 }
	};
	static const struct step vanished[] = { { "UID FETCH 5:7 " ITEMS }, { 0 } };
	static const struct step sole[] = {
		{ "UID FETCH 5:5 " ITEMS, MESSAGE_OF(5, 100, " MODSEQ (12)") }, { 0 }
	};
	struct world *w = *state;

	know(w, "7 5 2 9", UIDS(4, 2));
	run(w, "QRESYNC", SELECTED(4, 7, 8, "* OK [HIGHESTMODSEQ 12] ok\r\n"), script,
		UIDS(2, 4, 5, 6));
	assert_folder(w, "7 8 4 12", false, false);
	assert_int_equal(w->listing.messages[0].fingerprint, 1002);
	run(w, "QRESYNC", SELECTED(2, 7, 8, ""), vanished, UIDS(2, 4));
	assert_folder(w, "7 8 2 0", false, false);
	run(w, "QRESYNC", SELECTED(3, 7, 6, ""), sole, UIDS(2, 4, 5));
}

/* What left. */

/* 2, 3, 6 and 9 are left of the known ones. */
static void finds_what_left(void **state)
{
	static const struct {
		const char *with, *selected;
		struct step script[5];
	} cases[] = {
		{ "QRESYNC ESEARCH", SELECTED(4, 7, 10, MODSEQ),
			{ { RESYNC, "* VANISHED (EARLIER) 1,4:5,7:8\r\n"
				    "* 2 FETCH (UID 3 MODSEQ (9))\r\n" } } },
		{ "QRESYNC", SELECTED(4, 7, 10, MODSEQ),
			{ { RESYNC, "* VANISHED (EARLIER) 8:7\r\n* vanished (earlier) "
				    "1,5:4,4\r\n" } } },
		{ "ESEARCH", SELECTED(4, 7, 10, ""),
			{ { ESEARCH, "* ESEARCH (TAG \"3\") UID ALL 2:3,6,9\r\n" } } },
		{ "ESEARCH", SELECTED(4, 7, 10, ""),
			{ { ESEARCH, "* ESEARCH UID COUNT 4 ALL 9,6,3:2 MODSEQ 12\r\n" } } },
		{ "", SELECTED(4, 7, 10, ""), { { SEARCH, "* SEARCH 2 3 6 9\r\n" } } },
		{ "", SELECTED(4, 7, 10, ""),
			{ { SEARCH, "* SEARCH 9  6\r\n* SEARCH\r\n"
				    "* SEARCH 2 3 (MODSEQ 917162500)\r\n" } } },
		/* The last ones came since the SELECT. */
		{ "ESEARCH", SELECTED(4, 7, 10, ""),
			{ { ESEARCH, "* ESEARCH (TAG \"3\") UID ALL 2:3,6,9:12\r\n" } } },
		/* In the other form than was asked for. */
		{ "ESEARCH", SELECTED(4, 7, 10, ""), { { ESEARCH, "* SEARCH 2 3 6 9\r\n" } } },
		/* No mod-sequences. */
		{ "QRESYNC ESEARCH", SELECTED(4, 7, 10, "* OK [NOMODSEQ] none\r\n"),
			{ { ESEARCH, "* ESEARCH (TAG \"3\") UID ALL 2:3,6,9\r\n" } } },
		/* Such as went back: any UID may be another message's. */
		{ "QRESYNC", SELECTED(4, 7, 10, "* OK [HIGHESTMODSEQ 4] ok\r\n"),
			{ { SCRATCH, MESSAGE(2) MESSAGE(3) MESSAGE(6) MESSAGE(9) } } },
		/* Refused. */
		{ "QRESYNC ESEARCH", SELECTED(4, 7, 10, MODSEQ),
			{ { RESYNC, NULL, "BAD QRESYNC was not enabled" },
				{ ESEARCH, "* ESEARCH (TAG \"4\") UID ALL 2:3,6,9\r\n" } } },
		{ "QRESYNC ESEARCH", SELECTED(4, 7, 10, MODSEQ),
			{ { RESYNC, NULL, "NO not now" }, { ESEARCH, NULL, "BAD not at all" },
				{ SEARCH, "* SEARCH 2 3 6 9\r\n" } } },
		{ "", SELECTED(4, 7, 10, ""),
			{ { SEARCH, NULL, "NO not now" },
				{ SCRATCH, MESSAGE(2) MESSAGE(3) MESSAGE(6) MESSAGE(9) } } },
		/* New ones came and left, and others came meanwhile. */
		{ "ESEARCH", SELECTED(4, 7, 12, ""),
			{ { "UID FETCH 10:11 " ITEMS, MESSAGE(10) "* 9 EXISTS\r\n" },
				{ ESEARCH, "* VANISHED 10\r\n"
					   "* ESEARCH (TAG \"3\") UID ALL 2:3,6,9,12:20\r\n" } } },
		{ "QRESYNC", SELECTED(5, 7, 11, MODSEQ),
			{ { "UID FETCH 10:10 " ITEMS, "* VANISHED 10\r\n" },
				{ RESYNC, "* VANISHED (EARLIER) 1,4:5,7:8\r\n" } } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		know(w, "7 10 9 5", UIDS(1, 2, 3, 4, 5, 6, 7, 8, 9));
		run(w, cases[i].with, cases[i].selected, cases[i].script, LEFT);
		assert_false(w->listing.folders[0].unchanged);
		assert_false(w->listing.folders[0].renumbered);
		assert_int_equal(w->listing.messages[3].fingerprint, 1009);
	}
}

static void asks_nothing_of_a_mailbox_that_was_emptied(void **state)
{
	struct world *w = *state;

	know(w, "7 10 2 5", UIDS(3, 9));
	run(w, "QRESYNC", SELECTED(0, 7, 12, MODSEQ), nothing, UIDS(0));
	assert_folder(w, "7 12 0 12", false, false);
}

/* As many came as left: the count alone would not tell. */
static void doubts_the_count_when_others_expunge(void **state)
{
	static const struct step script[] = { { "UID FETCH 10:12 " ITEMS,
						      "* 2 EXPUNGE\r\n" MESSAGE(11) },
		{ SEARCH, "* SEARCH 9 11\r\n" }, { 0 } };
	struct world *w = *state;

	know(w, "7 10 2 5", UIDS(3, 9));
	run(w, "", SELECTED(3, 7, 13, ""), script, UIDS(9, 11));
	assert_folder(w, "7 13 2 0", false, false);
}

static void fetches_what_it_should_have_known(void **state)
{
	static const struct step searched[] = { { SEARCH, "* SEARCH 3 4 7 8 9 10 77\r\n" },
		{ "UID FETCH 4,7:8 " ITEMS, MESSAGE(7) MESSAGE(8) MESSAGE(4) }, { 0 } };
	static const struct step in_ranges[] = {
		{ ESEARCH, "* ESEARCH (TAG \"3\") UID ALL 3:4,7:9\r\n" },
		{ "UID FETCH 4,7:8 " ITEMS, MESSAGE(4) MESSAGE(7) MESSAGE(8) }, { 0 }
	};
	static const struct step resynced[] = {
		{ RESYNC, "* 1 FETCH (UID 8 MODSEQ (6))\r\n* 1 FETCH (UID 3 MODSEQ (6))\r\n"
			  "* 1 FETCH (UID 4 MODSEQ (6))\r\n* 1 FETCH (UID 7 MODSEQ (6))\r\n"
			  "* 1 FETCH (UID 8 MODSEQ (7))\r\n" },
		{ "UID FETCH 4,7:8 " ITEMS, MESSAGE(4) MESSAGE(7) MESSAGE(8) }, { 0 }
	};
	struct world *w = *state;

	know(w, "7 10 2 5", UIDS(3, 9));
	run(w, "", SELECTED(5, 7, 10, ""), searched, UIDS(3, 4, 7, 8, 9));
	run(w, "ESEARCH", SELECTED(5, 7, 10, ""), in_ranges, UIDS(3, 4, 7, 8, 9));
	run(w, "QRESYNC", SELECTED(5, 7, 10, MODSEQ), resynced, UIDS(3, 4, 7, 8, 9));
}

/* Whatever a server says that cannot be, the folder is listed from scratch. */
static void believes_no_lies(void **state)
{
	static const char *const lies[] = {
		"* ESEARCH (TAG \"3\") UID ALL 1:4294967295\r\n",
		"* ESEARCH (TAG \"3\") UID ALL 1:9\r\n",
		"* ESEARCH (TAG \"3\") UID ALL 2,2,6,9\r\n",
		"* ESEARCH (TAG \"3\") UID ALL 2:6\r\n* ESEARCH (TAG \"3\") UID ALL 2:6\r\n",
		"* ESEARCH (TAG \"3\") UID ALL 2:3,6,99999999999\r\n",
		"* ESEARCH (TAG \"3\") UID ALL 0,2:3,6\r\n",
		"* ESEARCH (TAG \"3\") UID ALL 2:3,6:\r\n",
		"* ESEARCH (TAG \"3\") UID ALL 2:3:6\r\n",
		"* ESEARCH (TAG \"3\") UID ALL 2:*\r\n",
		"* ESEARCH (TAG \"3\") UID ALL \r\n",
		"* ESEARCH (TAG \"3\" UID ALL 2:3,6,9\r\n",
		"* ESEARCH (TAG \"3\") UID\r\n",
		"* ESEARCH\r\n",
		"* SEARCH\r\n",
		"* SEARCH 2 3 6\r\n",
		"* VANISHED (EARLIER) 1,4:5,7:8\r\n",
		"* VANISHED 2\r\n",
		"",
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct step script[] = { { ESEARCH, lies[i] },
			{ SCRATCH, MESSAGE(2) MESSAGE(3) MESSAGE(6) MESSAGE(9) }, { 0 } };
		struct world *w = *state;

		know(w, "7 10 9 5", UIDS(1, 2, 3, 4, 5, 6, 7, 8, 9));
		run(w, "ESEARCH", SELECTED(4, 7, 10, ""), script, LEFT);
		assert_folder(w, "7 10 4 0", false, false);
	}
}

/* Not in any time that a client waits. */
static void expands_no_range_of_billions(void **state)
{
	static const char lie[] = "* ESEARCH (TAG \"3\") UID ALL 1:4294967290\r\n";
	struct step script[] = { { ESEARCH, NULL },
		{ SCRATCH, MESSAGE(2) MESSAGE(3) MESSAGE(6) MESSAGE(9) }, { 0 } };
	cleanup(free_cleanup) char *lies = mem_zalloc(1000, sizeof(lie));
	struct world *w = *state;

	for (size_t i = 0; i < 1000; i++)
		memcpy(lies + i * (sizeof(lie) - 1), lie, sizeof(lie));
	script[0].lines = lies;
	know(w, "7 4294967295 9 5", UIDS(1, 2, 3, 4, 5, 6, 7, 8, 9));
	run(w, "ESEARCH", SELECTED(4, 7, 4294967295, ""), script, LEFT);
}

static void believes_no_lies_of_qresync(void **state)
{
	static const char *const lies[] = {
		"* VANISHED (EARLIER) 1:4294967295\r\n",
		"* VANISHED (EARLIER) 100:4294967295\r\n",
		"* VANISHED (EARLIER) 1,4:5,7\r\n",
		"* VANISHED (EARLIER) 4,4,4,4,4\r\n",
		"* 1 FETCH (UID 0 MODSEQ (9))\r\n",
		"",
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct step script[] = { { RESYNC, lies[i] }, { SEARCH, "* SEARCH 2 3 6 9\r\n" },
			{ 0 }, { 0 } };
		struct world *w = *state;

		know(w, "7 10 9 5", UIDS(1, 2, 3, 4, 5, 6, 7, 8, 9));
		/* What a lie made us drop has to be fetched again. */
		if (strstr(lies[i], "1:4294967295"))
			script[2] = (struct step){ "UID FETCH 2:3,6,9 " ITEMS,
				MESSAGE(2) MESSAGE(3) MESSAGE(6) MESSAGE(9) };
		run(w, "QRESYNC", SELECTED(4, 7, 10, MODSEQ), script, LEFT);
	}
}

/* Renumbered. */

static void starts_anew_when_renumbered(void **state)
{
	static const struct step script[] = { { SCRATCH, MESSAGE(2) }, { 0 } };
	static const char *const marks[] = { "6 3 1 0", "8 3 1 0", "7 4 1 0", "7 4294967295 1 0" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		struct world *w = *state;

		know(w, marks[i], UIDS(2));
		run(w, "QRESYNC ESEARCH", SELECTED(1, 7, 3, ""), script, UIDS(2));
		assert_folder(w, "7 3 1 0", false, true);
		assert_int_equal(w->listing.messages[0].fingerprint, 0);
	}
}

static void notices_a_spent_uid_of_another_message(void **state)
{
	static const struct step script[] = { { SEARCH, NULL, "NO not now" },
		{ SCRATCH, MESSAGE(2) MESSAGE(4) }, { 0 } };
	struct world *w = *state;

	for (int i = 0; i < 4; i++) {
		know(w, "7 10 3 0", UIDS(2, 3, 4));
		known[1].size = 1; /* which is gone */
		if (i == 1)
			known[2].size = 99;
		else if (i == 2)
			known[2].arrival++;
		else if (i == 3)
			known[2].arrival = 0;
		run(w, "", SELECTED(2, 7, 10, ""), script, UIDS(2, 4));
		assert_folder(w, "7 10 2 0", false, i == 1 || i == 2);
		assert_int_equal(w->listing.messages[0].fingerprint, i == 1 || i == 2 ? 0 : 1002);
	}
}

static void goes_on_without_uidnext(void **state)
{
	static const struct step script[] = { { SCRATCH, MESSAGE(2) MESSAGE(4) }, { 0 } };
	struct world *w = *state;

	know(w, "7 10 2 0", UIDS(2, 4));
	run(w, "QRESYNC", "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n", script, UIDS(2, 4));
	assert_folder(w, "", false, false);
	assert_int_equal(w->listing.messages[1].fingerprint, 1004);
}

/* QRESYNC that cannot be enabled. */

static const char *enable_answer;

fiber_fn static void server_that_enables_nothing(struct peer *p)
{
	char tag[sizeof(p->tag)];

	peer_greet(p);
	peer_login(p, "QRESYNC");
	peer_expect(p, "ENABLE QRESYNC");
	memcpy(tag, p->tag, sizeof(tag));
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p, "%s %s\r\n" SELECTED(1, 7, 10, MODSEQ), tag, enable_answer);
	peer_answer(p, "OK selected");
	peer_expect(p, SEARCH);
	peer_send(p, "* SEARCH 9\r\n");
	peer_answer(p, "OK done");
	peer_end(p);
}

static void does_without_qresync(void **state)
{
	static const char *const answers[] = { "NO not here", "BAD unknown command" };

	for (size_t i = 0; i < 2; i++) {
		struct world *w = *state;

		enable_answer = answers[i];
		know(w, "7 10 2 5", UIDS(3, 9));
		world_run(w, server_that_enables_nothing, act_list);
		assert_error(w, ERR_OK, "");
		assert_int_equal(w->listing.n, 1);
		assert_int_equal(w->listing.messages[0].uid, 9);
	}
}

fiber_fn static void server_that_refuses_both(struct peer *p)
{
	char tag[sizeof(p->tag)];

	peer_greet(p);
	peer_login(p, "QRESYNC");
	peer_expect(p, "ENABLE QRESYNC");
	memcpy(tag, p->tag, sizeof(tag));
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p, "%s OK enabled\r\n", tag);
	peer_answer(p, "NO [NOPERM] not for you");
	peer_drain(p);
}

fiber_fn static void server_that_says_bye(struct peer *p)
{
	peer_greet(p);
	peer_login(p, "QRESYNC");
	peer_expect(p, "ENABLE QRESYNC");
	peer_send(p, "* BYE [UNAVAILABLE] going down\r\n");
	peer_close(p);
}

static void tells_what_select_says(void **state)
{
	struct world *w = *state;

	world_run(w, server_that_refuses_both, act_open);
	assert_error(w, ERR_PERM, "not for you");
	world_run(w, server_that_says_bye, act_open);
	assert_error(w, ERR_TEMP, "going down");
}

/* Large mailboxes. */

#define MANY 120000U

/* Every other message is left; UIDs of six digits, so that a line is longer than any other may
 * be. */
fiber_fn static void search_many(struct peer *p)
{
	peer_greet(p);
	peer_login(p, capabilities);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p, "* %u EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 1000000] ok\r\n",
		MANY / 2);
	peer_answer(p, "OK selected");
	peer_expect(p, *capabilities ? ESEARCH : SEARCH);
	peer_send(p, *capabilities ? "* ESEARCH (TAG \"3\") UID ALL " : "* SEARCH ");
	for (uint32_t i = 0; i < MANY; i += 2)
		peer_send(p, "%u%s", 100000 + i,
			i + 2 == MANY   ? "\r\n"
			: *capabilities ? ","
					: " ");
	peer_answer(p, "OK done");
	peer_end(p);
}

static void takes_long_lines_of_uids(void **state)
{
	struct backend_message *many = mem_zalloc(MANY, sizeof(*many));
	struct backend_known ground = { "7 1000000 120000 0", many, MANY };

	for (uint32_t i = 0; i < MANY; i++)
		many[i] = (struct backend_message){ .uid = 100000 + i, .uidvalidity = 7 };
	for (int i = 0; i < 2; i++) {
		struct world *w = *state;

		capabilities = i == 0 ? "" : "ESEARCH";
		w->request.known = &ground;
		world_run(w, search_many, act_list);
		assert_error(w, ERR_OK, "");
		assert_int_equal(w->listing.n, MANY / 2);
		for (uint32_t j = 0; j < MANY / 2; j++)
			assert_int_equal(w->listing.messages[j].uid, 100000 + 2 * j);
	}
	free(many);
}

fiber_fn static void resync_many(struct peer *p)
{
	peer_greet(p);
	peer_login(p, "QRESYNC");
	peer_expect(p, "ENABLE QRESYNC");
	peer_answer(p, "OK enabled");
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p,
		"* %u EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n"
		"* OK [HIGHESTMODSEQ 5] ok\r\n* OK [UIDNEXT 1000000] ok\r\n",
		MANY - 3);
	peer_answer(p, "OK selected");
	peer_expect(p, "UID FETCH 1:150000 (UID) (CHANGEDSINCE 5 VANISHED)");
	peer_send(p, "* VANISHED (EARLIER) 1:100000\r\n");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 150001:200000 (UID) (CHANGEDSINCE 5 VANISHED)");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 200001:999999 (UID) (CHANGEDSINCE 5 VANISHED)");
	peer_send(p, "* VANISHED (EARLIER) 219998:999999\r\n");
	peer_answer(p, "OK done");
	peer_end(p);
}

static void resyncs_a_large_mailbox_in_parts(void **state)
{
	struct backend_message *many = mem_zalloc(MANY, sizeof(*many));
	struct backend_known ground = { "7 1000000 120000 5", many, MANY };
	struct world *w = *state;

	for (uint32_t i = 0; i < MANY; i++)
		many[i] = (struct backend_message){ .uid = 100000 + i, .uidvalidity = 7 };
	w->request.known = &ground;
	world_run(w, resync_many, act_list);
	free(many);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, MANY - 3);
	assert_int_equal(w->listing.messages[0].uid, 100001);
	assert_int_equal(w->listing.messages[MANY - 4].uid, 219997);
}

static const char *long_start, *long_piece;

fiber_fn static void send_long_line(struct peer *p)
{
	peer_begin(p, 3);
	peer_expect(p, SEARCH);
	peer_send(p, "%s", long_start);
	for (int i = 0; i < 70000; i++)
		peer_send(p, "%s", long_piece);
	peer_drain(p);
}

static void bears_no_other_long_lines(void **state)
{
	static const char *const lines[][2] = { { "* SEARCH 1", "x" }, { "* SEARCH ", "{" },
		{ "* SEARCH (", "}" }, { "* SEARCH 1 ", "77777777777 " }, { "* LIST ", "1" },
		{ "* ESEARCH (TAG \"3\") UID COUNT 1", "1" }, { "* VANISHED ", "1 }" },
		{ "* LIST {10}\r\n1234567890", " " } };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct world *w = *state;

		know(w, "7 4 9 0", UIDS(1, 2));
		long_start = lines[i][0];
		long_piece = lines[i][1];
		world_run(w, send_long_line, act_list);
		assert_error(w, ERR_TEMP, "line without an end");
	}
}

fiber_fn static void send_without_end(struct peer *p)
{
	cleanup(free_cleanup) char *piece = mem_zalloc(1 << 20, 1);

	for (size_t i = 0; i < 1 << 20; i++)
		piece[i] = i % 2 ? '9' : ' ';
	peer_begin(p, 3);
	peer_expect(p, SEARCH);
	peer_send(p, "* SEARCH");
	for (int i = 0; p->stream && i < 200; i++)
		peer_send_octets(p, piece, 1 << 20);
	peer_drain(p);
}

static void bears_no_endless_search(void **state)
{
	struct world *w = *state;

	know(w, "7 4 9 0", UIDS(1, 2));
	world_run(w, send_without_end, act_list);
	assert_error(w, ERR_TEMP, "longer than any honest one");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_new, world_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(marks_what_it_lists),
		TEST(leaves_out_what_came_after_the_select),
		TEST(starts_anew_from_a_mark_that_is_none),
		TEST(asks_nothing_when_nothing_changed),
		TEST(puts_what_is_known_in_order),
		TEST(builds_on_no_ground_that_cannot_be),
		TEST(starts_anew_when_refused),
		TEST(counts_what_is_known),
		TEST(lists_several_folders),
		TEST(fetches_what_is_new),
		TEST(finds_what_left),
		TEST(asks_nothing_of_a_mailbox_that_was_emptied),
		TEST(doubts_the_count_when_others_expunge),
		TEST(fetches_what_it_should_have_known),
		TEST(believes_no_lies),
		TEST(expands_no_range_of_billions),
		TEST(believes_no_lies_of_qresync),
		TEST(starts_anew_when_renumbered),
		TEST(notices_a_spent_uid_of_another_message),
		TEST(goes_on_without_uidnext),
		TEST(does_without_qresync),
		TEST(tells_what_select_says),
		TEST(takes_long_lines_of_uids),
		TEST(resyncs_a_large_mailbox_in_parts),
		TEST(bears_no_other_long_lines),
		TEST(bears_no_endless_search),
	};

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}
