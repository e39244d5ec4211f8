/* What tells a message wherever it lies: which of it is asked for, and what of it is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "backends/fingerprint.h"
#include "tests/unit/imap/peer.h"

#define HEADERS " BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)]<0.8192>"
#define GIVEN   " BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)]<0> "
#define DATE    " INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" FLAGS ()"

static const char *capabilities, *asked, *says;
static unsigned exists;

fiber_fn static void serve(struct peer *p)
{
	char command[256];

	peer_greet(p);
	peer_login(p, capabilities);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, exists);
	(void)snprintf(command, sizeof(command),
		"UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS%s)", asked);
	peer_expect(p, command);
	peer_send(p, "%s", says);
	peer_answer(p, "OK done");
	peer_end(p);
}

static void run(struct world *w, const char *with, const char *items, const char *lines)
{
	capabilities = with;
	asked = items;
	says = lines;
	world_run(w, serve, act_list);
	assert_error(w, ERR_OK, "");
}

static const char *emailid_of(const struct world *w, size_t i)
{
	assert_true(i < w->listing.n);
	return w->listing.messages[i].emailid ? w->listing.messages[i].emailid : "none";
}

static uint64_t fingerprint_of(const struct world *w, size_t i)
{
	assert_true(i < w->listing.n);
	return w->listing.messages[i].fingerprint;
}

static void asks_only_when_it_is_wanted(void **state)
{
	struct world *w = *state;

	exists = 3;
	run(w, "OBJECTID X-GM-EXT-1", "",
		"* 1 FETCH (UID 1 RFC822.SIZE 5" DATE
		" BODY[HEADER] {15}\r\nMessage-ID: x\r\n)\r\n");
	assert_string_equal(emailid_of(w, 0), "none");
	assert_int_equal(fingerprint_of(w, 0), 0);
}

static void takes_emailids(void **state)
{
	static char longest[1024], longer[1024];
	struct world *w = *state;
	char id[257];

	memset(id, 'x', sizeof(id));
	(void)snprintf(longest, sizeof(longest),
		"* 1 FETCH (EMAILID (%.255s) UID 1 RFC822.SIZE 5" DATE ")\r\n", id);
	(void)snprintf(longer, sizeof(longer),
		"* 1 FETCH (EMAILID (%.256s) UID 1 RFC822.SIZE 5" DATE ")\r\n", id);
	exists = 9;
	w->request.identify = true;
	run(w, "OBJECTID X-GM-EXT-1", " EMAILID",
		"* 1 FETCH (UID 1 RFC822.SIZE 5" DATE " EMAILID (M6d99-_Z))\r\n"
		"* 2 FETCH (emailid (a.b) UID 2 RFC822.SIZE 5" DATE ")\r\n"
		"* 3 FETCH (EMAILID () UID 3 RFC822.SIZE 5" DATE " EMAILID (x))\r\n"
		"* 4 FETCH (UID 4 RFC822.SIZE 5" DATE ")\r\n");
	assert_string_equal(emailid_of(w, 0), "EM6d99-_Z");
	assert_string_equal(emailid_of(w, 1), "none");
	assert_string_equal(emailid_of(w, 2), "Ex");
	assert_string_equal(emailid_of(w, 3), "none");
	assert_int_equal(fingerprint_of(w, 0), 0);
	run(w, "OBJECTID", " EMAILID", longest);
	assert_int_equal(strlen(emailid_of(w, 0)), 256);
	run(w, "OBJECTID", " EMAILID", longer);
	assert_string_equal(emailid_of(w, 0), "none");
}

static void takes_gmail_ids(void **state)
{
	struct world *w = *state;

	exists = 20000;
	w->request.identify = true;
	run(w, "X-GM-EXT-1", " X-GM-MSGID",
		"* 1 FETCH (X-GM-MSGID 18446744073709551615 UID 1 RFC822.SIZE 5" DATE ")\r\n");
	assert_string_equal(emailid_of(w, 0), "G18446744073709551615");
}

#define FETCHED(uid, header) "* 1 FETCH (UID " #uid GIVEN header " RFC822.SIZE 5" DATE ")\r\n"

static void makes_fingerprints_of_headers(void **state)
{
	struct world *w = *state;
	uint64_t number = fingerprint_of_headers("Message-ID: <a@b>\n", 18);

	exists = 9;
	w->request.identify = true;
	run(w, "", HEADERS,
		FETCHED(1, "{21}\r\nMessage-ID: <a@b>\r\n\r\n") FETCHED(2, "\"Message-ID: <a@b>\"")
			FETCHED(3, "NIL") FETCHED(4, "\"\"") FETCHED(5, "{2}\r\n\r\n")
				FETCHED(6, "{6}\r\nDate:\n")
		/* News of flags between: its header, if it has one, is no other's. */
		"* 1 FETCH (BODY[HEADER] {19}\r\nMessage-ID: <x@b>\r\n FLAGS ())\r\n" FETCHED(
			7, "{29}\r\nDate: d\r\nMessage-ID:\r\n <a@b>"));
	assert_int_equal(w->listing.n, 7);
	assert_int_equal(fingerprint_of(w, 0), number);
	assert_int_equal(fingerprint_of(w, 1), number);
	for (size_t i = 2; i < 6; i++)
		assert_int_equal(fingerprint_of(w, i), 0);
	assert_int_equal(fingerprint_of(w, 6), number);
	assert_string_equal(emailid_of(w, 0), "none");
}

/* A field that fills what was asked for may hide a Message-ID behind it. */
static void makes_no_fingerprint_of_a_part(void **state)
{
	struct world *w = *state;
	cleanup(free_cleanup) char *lines = NULL;
	cleanup(free_cleanup) char *octets = mem_zalloc(8193, 1);

	memset(octets, 's', 8192);
	lines = mem_printf("* 1 FETCH (UID 1" GIVEN "{8192}\r\nSubject: %.8183s"
			   " RFC822.SIZE 5" DATE ")\r\n"
			   "* 2 FETCH (UID 2" GIVEN "{8191}\r\nSubject: %.8182s"
			   " RFC822.SIZE 5" DATE ")\r\n"
			   "* 3 FETCH (UID 3" GIVEN "{16374}\r\n%.8187s%.8187s"
			   " RFC822.SIZE 5" DATE ")\r\n",
		octets, octets, octets, octets);
	exists = 3;
	w->request.identify = true;
	run(w, "", HEADERS, lines);
	assert_int_equal(fingerprint_of(w, 0), 0);
	assert_int_not_equal(fingerprint_of(w, 1), 0);
	assert_int_equal(fingerprint_of(w, 2), 0);
}

static void asks_no_headers_of_many(void **state)
{
	struct world *w = *state;

	w->request.identify = true;
	exists = 10000;
	run(w, "", HEADERS, "");
	exists = 10001;
	run(w, "", "", "");
}

fiber_fn static void folder_server(struct peer *p)
{
	peer_begin(p, 6000);
	peer_expect(p, "UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS" HEADERS ")");
	peer_answer(p, "OK done");
	peer_expect(p, "SELECT \"Junk\"");
	peer_select(p, 6000);
	peer_expect(p, "UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS)");
	peer_answer(p, "OK done");
	peer_expect(p, "SELECT \"Spam\"");
	peer_select(p, 4000);
	peer_expect(p, "UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS" HEADERS ")");
	peer_answer(p, "OK done");
	peer_end(p);
}

static void counts_the_headers_of_all_folders(void **state)
{
	static const char *also[] = { "Junk", "Spam" };
	struct world *w = *state;

	w->request.identify = true;
	w->tenant.maildrop.also = (struct string_list){ also, 2 };
	world_run(w, folder_server, act_list);
	assert_error(w, ERR_OK, "");
}

/* Only what is new. */
fiber_fn static void delta_server(struct peer *p)
{
	peer_begin(p, 4);
	peer_expect(p, "UID FETCH 3:4 (UID RFC822.SIZE INTERNALDATE FLAGS" HEADERS ")");
	peer_send(p, FETCHED(3, "{21}\r\nMessage-ID: <a@b>\r\n\r\n") FETCHED(4, "NIL"));
	peer_answer(p, "OK done");
	peer_end(p);
}

static void asks_it_of_new_messages_alone(void **state)
{
	static const struct backend_message known[] = {
		{ .uid = 1, .uidvalidity = 7, .emailid = "E1", .fingerprint = 11 },
		{ .uid = 2, .uidvalidity = 7, .fingerprint = 12 },
	};
	static const struct backend_known folder = { "7 3 2 0", known, 2 };
	struct world *w = *state;

	w->request = (struct backend_list_request){ &folder, true };
	world_run(w, delta_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 4);
	assert_string_equal(emailid_of(w, 0), "E1");
	assert_int_equal(fingerprint_of(w, 1), 12);
	assert_int_equal(fingerprint_of(w, 2), fingerprint_of_headers("Message-ID: <a@b>\n", 18));
	assert_int_equal(fingerprint_of(w, 3), 0);
}

/* Attacks. */

fiber_fn static void flood(struct peer *p)
{
	cleanup(free_cleanup) char *piece = mem_zalloc(1 << 20, 1);

	memset(piece, 'x', 1 << 20);
	peer_begin(p, 3);
	peer_command(p);
	for (int i = 0; p->stream && i < 200; i++) {
		peer_send(p, "* 1 FETCH (UID 1" GIVEN "{1048576}\r\n");
		peer_send_octets(p, piece, 1 << 20);
		peer_send(p, " RFC822.SIZE 5" DATE ")\r\n");
	}
	peer_drain(p);
}

fiber_fn static void promise_much(struct peer *p)
{
	peer_begin(p, 3);
	peer_command(p);
	peer_send(p, "* 1 FETCH (UID 1" GIVEN "{4000000000}\r\nx");
	peer_drain(p);
}

static void bears_no_flood_of_headers(void **state)
{
	struct world *w = *state;

	w->request.identify = true;
	world_run(w, flood, act_list);
	assert_error(w, ERR_TEMP, "longer than any honest one");
	world_run(w, promise_much, act_list);
	assert_error(w, ERR_TEMP, "longer than any honest one");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_new, world_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(asks_only_when_it_is_wanted),
		TEST(takes_emailids),
		TEST(takes_gmail_ids),
		TEST(makes_fingerprints_of_headers),
		TEST(makes_no_fingerprint_of_a_part),
		TEST(asks_no_headers_of_many),
		TEST(counts_the_headers_of_all_folders),
		TEST(asks_it_of_new_messages_alone),
		TEST(bears_no_flood_of_headers),
	};

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}
