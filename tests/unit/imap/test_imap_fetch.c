#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/imap/peer.h"

/* What the client side asks for, and where it goes. */
static enum fetch_part part;
static uint64_t lines;
static struct collector collector;
static struct err second; /* of another FETCH after the first */

fiber_fn static struct err fetch(struct world *w, size_t i)
{
	return w->backend->ops->fetch(
		w->backend, &w->listing.messages[i], part, lines, &collector.sink);
}

fiber_fn static void act_fetch(struct world *w)
{
	world_open(w);
	world_list(w);
	if (!failed(w->e))
		w->e = fetch(w, 0);
	world_close(w);
}

/* One FETCH more, of the second message, after the first. */
fiber_fn static void act_fetch_twice(struct world *w)
{
	world_open(w);
	world_list(w);
	if (!failed(w->e)) {
		w->e = fetch(w, 0);
		second = fetch(w, 1);
	}
	world_close(w);
}

static int fetch_new(void **state)
{
	part = FETCH_ALL;
	lines = 0;
	collector_init(&collector);
	return world_new(state);
}

static int fetch_free(void **state)
{
	buffer_done(&collector.got);
	return world_free(state);
}

fiber_fn static void begin_fetch(struct peer *p, const char *command)
{
	peer_begin(p, 2);
	peer_list(p, 2);
	peer_expect(p, command);
}

#define FETCH_1 "UID FETCH 1 BODY.PEEK[]"

/* Whole messages. */

static const char odd[] = "a\0b\r\n\xff\xfe{5}\r\n(((\"\\\n.\r\n* BYE 3 OK\r\nno newline";

fiber_fn static void odd_server(struct peer *p)
{
	begin_fetch(p, FETCH_1);
	peer_send(p, "* 1 FETCH (UID 1 BODY[] {%zu}\r\n", sizeof(odd) - 1);
	peer_send_octets(p, odd, sizeof(odd) - 1);
	peer_send(p, ")\r\n");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 2 BODY.PEEK[]");
	peer_send(p, "* 2 FETCH (BODY[] {3}\r\nxyz UID 2)\r\n");
	peer_answer(p, "OK done");
	peer_end(p);
}

static void delivers_octets_as_they_are(void **state)
{
	struct world *w = *state;
	struct buffer both = { 0 };

	world_run(w, odd_server, act_fetch_twice);
	assert_error(w, ERR_OK, "");
	assert_false(failed(second));
	buffer_append(&both, odd, sizeof(odd) - 1);
	buffer_append(&both, "xyz", 3);
	assert_got(&collector, both.data, sizeof(odd) - 1 + 3);
	buffer_done(&both);
}

enum { LARGE = 3000000 };

static char *large(void)
{
	char *data = mem_alloc(LARGE);
	uint32_t x = 1;

	for (size_t i = 0; i < LARGE; i++) {
		x = x * 1664525U + 1013904223U;
		data[i] = (char)(x >> 24);
	}
	return data;
}

fiber_fn static void large_server(struct peer *p)
{
	char *data = large();

	begin_fetch(p, FETCH_1);
	peer_send(p, "* 1 FETCH (FLAGS (\\Seen) BODY[] {%d}\r\n", LARGE);
	peer_send_octets(p, data, LARGE);
	peer_send(p, " UID 1)\r\n* 4 EXISTS\r\n");
	free(data);
	peer_answer(p, "OK done");
	peer_end(p);
}

static void delivers_large_messages(void **state)
{
	struct world *w = *state;
	char *data = large();

	world_run(w, large_server, act_fetch);
	assert_error(w, ERR_OK, "");
	assert_got(&collector, data, LARGE);
	free(data);
}

static const char *says;

fiber_fn static void say(struct peer *p)
{
	begin_fetch(p, FETCH_1);
	peer_send(p, "%s", says);
	peer_answer(p, "OK done");
	peer_end(p);
}

fiber_fn static void say_and_lose(struct peer *p)
{
	begin_fetch(p, FETCH_1);
	peer_send(p, "%s", says);
	peer_answer(p, "OK done");
	peer_drain(p);
}

static void takes_quoted_and_empty_bodies(void **state)
{
	static const char *const cases[][2] = {
		{ "* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\n", "" },
		{ "* 1 FETCH (UID 1 BODY[] \"\")\r\n", "" },
		{ "* 1 FETCH (UID 1 BODY[] \"a (\\\"b\\\\\")\r\n", "a (\"b\\" },
		{ "* 2 FETCH (FLAGS ())\r\n* 1 FETCH (BODY[] {1}\r\nx UID 1)\r\n", "x" },
		{ "* 9 EXPUNGE\r\n* 1 FETCH (BODY[] {1}\r\nx UID 1)\r\n* 1 EXPUNGE\r\n", "x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		says = cases[i][0];
		world_run(w, say, act_fetch);
		assert_error(w, ERR_OK, "");
		assert_got(&collector, cases[i][1], strlen(cases[i][1]));
	}
}

static void gone(void **state)
{
	static const char *const cases[] = {
		"",
		"* 1 EXPUNGE\r\n",
		"* 1 FETCH (FLAGS () UID 1)\r\n",
		"* 1 FETCH (UID 1 BODY[] NIL)\r\n",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		says = cases[i];
		world_run(w, say, act_fetch);
		assert_error(w, ERR_GONE, "UID 1");
		assert_got(&collector, "", 0);
	}
}

static const char *refusal;

fiber_fn static void refuse(struct peer *p)
{
	begin_fetch(p, FETCH_1);
	peer_answer(p, refusal);
	peer_expect(p, "UID FETCH 2 BODY.PEEK[]");
	peer_send(p, "* 2 FETCH (UID 2 BODY[] {1}\r\nx)\r\n");
	peer_answer(p, "OK done");
	peer_end(p);
}

static void maps_refusals_and_goes_on(void **state)
{
	static const struct {
		const char *refusal;
		enum err_scope scope;
	} cases[] = {
		{ "NO cannot read it", ERR_MESSAGE },
		{ "NO [EXPUNGEISSUED] too late", ERR_GONE },
		{ "NO [EXPUNGED] too late", ERR_GONE },
		{ "NO [UNAVAILABLE] later", ERR_TEMP },
		{ "NO [NOPERM] not you", ERR_PERM },
		{ "BAD what", ERR_TEMP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		refusal = cases[i].refusal;
		world_run(w, refuse, act_fetch_twice);
		assert_error(w, cases[i].scope, "imap.test");
		assert_false(failed(second));
		assert_got(&collector, "x", 1);
	}
}

/* Never ok, and the connection is not used again. */
static void refuses_lies(void **state)
{
	static const char *const cases[] = {
		"* 2 FETCH (UID 2 BODY[] {1}\r\nx)\r\n",
		"* 1 FETCH (BODY[] {1}\r\nx)\r\n",
		"* 1 FETCH (UID 1 BODY[] {1}\r\nx)\r\n* 1 FETCH (UID 1 BODY[] {1}\r\nx)\r\n",
		"* 1 FETCH (UID 1 BODY[] {1}\r\nx BODY[] {1}\r\nx)\r\n",
		"* 1 FETCH (UID 1 BODY[] \"x\")\r\n* 1 FETCH (UID 1 BODY[] \"x\")\r\n",
		"* 1 FETCH (UID 1 BODY[] {2}\r\nxxxxxx)\r\n",
		"* 1 FETCH (UID 1 BODY[] {-1}\r\n)\r\n",
		"* 1 FETCH (UID 1 BODY[] {4294967297}\r\nx)\r\n",
		"* 1 FETCH (UID 1 BODY[] {1}x)\r\n",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		says = cases[i];
		world_run(w, say_and_lose, act_fetch_twice);
		assert_error(w, ERR_TEMP, "imap.test");
		assert_int_equal(second.scope, ERR_TEMP);
		assert_non_null(strstr(second.detail, "no way to the server"));
		buffer_done(&collector.got);
	}
}

/* In the middle of a body. */

static void (*mishap)(struct peer *p);

fiber_fn static void break_off(struct peer *p)
{
	begin_fetch(p, FETCH_1);
	peer_send(p, "* 1 FETCH (UID 1 BODY[] {100000}\r\n");
	peer_send(p, "half of it");
	(void)wait_turn().scope;
	(void)wait_turn().scope;
	mishap(p);
}

fiber_fn static void vanish(struct peer *p)
{
	peer_close(p);
}

fiber_fn static void fall_silent(struct peer *p)
{
	clock_advance(p->world->tenant.imap.command_timeout);
	peer_expect_end(p);
}

fiber_fn static void cancel_client(struct peer *p)
{
	fiber_cancel(p->world->client);
	peer_expect_end(p);
}

static void half_a_message_is_an_error(void **state)
{
	static const struct {
		void (*mishap)(struct peer *p);
		enum err_scope scope;
	} cases[] = {
		{ vanish, ERR_TEMP },
		{ fall_silent, ERR_TEMP },
		{ cancel_client, ERR_CANCELED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;

		mishap = cases[i].mishap;
		world_run(w, break_off, act_fetch_twice);
		assert_error(w, cases[i].scope, "");
		assert_int_equal(second.scope, cases[i].scope);
		assert_got(&collector, "half of it", 10);
	}
}

/* The deadline of the first call is not that of the second. */
fiber_fn static void act_with_deadline(struct world *w)
{
	world_open(w);
	world_list(w);
	if (!failed(w->e)) {
		deadline(5000);
		w->e = fetch(w, 0);
	}
	second = fetch(w, 1);
	world_close(w);
}

fiber_fn static void fall_silent_for_5_s(struct peer *p)
{
	clock_advance(5000);
	peer_expect_end(p);
}

static void a_connection_lost_to_a_deadline_stays_lost(void **state)
{
	struct world *w = *state;

	mishap = fall_silent_for_5_s;
	world_run(w, break_off, act_with_deadline);
	assert_error(w, ERR_TIMEOUT, "");
	assert_int_equal(second.scope, ERR_TEMP);
}

fiber_fn static void large_server_that_loses_us(struct peer *p)
{
	char *data = large();

	begin_fetch(p, FETCH_1);
	peer_send(p, "* 1 FETCH (UID 1 BODY[] {%d}\r\n", LARGE);
	peer_send_octets(p, data, LARGE);
	free(data);
	peer_drain(p);
}

static void a_failing_sink_ends_the_connection(void **state)
{
	struct world *w = *state;

	collector.fail_at = 100000;
	world_run(w, large_server_that_loses_us, act_fetch_twice);
	assert_error(w, ERR_PEER, "the reader is gone");
	assert_int_equal(second.scope, ERR_TEMP);
	assert_true(buffer_used(&collector.got) < 200000);
}

fiber_fn static void sleep_long(struct collector *c)
{
	struct world *w = c->arg;

	c->on_write = NULL;
	(void)wait_turn().scope;
	clock_advance(10 * w->tenant.imap.command_timeout);
	(void)wait_turn().scope;
}

static void a_slow_reader_is_no_fault_of_the_server(void **state)
{
	struct world *w = *state;
	char *data = large();

	collector.on_write = sleep_long;
	collector.arg = w;
	world_run(w, large_server, act_fetch);
	assert_error(w, ERR_OK, "");
	assert_got(&collector, data, LARGE);
	free(data);
}

fiber_fn static void endless_news(struct peer *p)
{
	enum { LINES = 4000 };
	struct buffer news = { 0 };

	for (int i = 0; i < LINES; i++)
		buffer_printf(&news, "* 1 EXPUNGE\r\n");
	begin_fetch(p, FETCH_1);
	for (size_t sent = 0; sent <= IMAP_TEXT_MAX; sent += buffer_used(&news))
		peer_send_octets(p, news.data + news.start, buffer_used(&news));
	buffer_done(&news);
	peer_answer(p, "OK done");
	peer_drain(p);
}

static void an_answer_has_an_end(void **state)
{
	struct world *w = *state;

	world_run(w, endless_news, act_fetch);
	assert_error(w, ERR_TEMP, "longer than any honest one");
}

/* TOP. */

fiber_fn static void header_server(struct peer *p)
{
	begin_fetch(p, "UID FETCH 1 BODY.PEEK[HEADER]");
	peer_send(p, "%s", says);
	peer_answer(p, "OK done");
	peer_end(p);
}

static void top_0_fetches_the_header_only(void **state)
{
	static const char *const cases[][2] = {
		{ "{8}\r\nA: b\r\n\r\n", "A: b\r\n\r\n" },
		{ "{6}\r\nA: b\n\n", "A: b\n\n" },
		{ "{6}\r\nA: b\r\n", "A: b\r\n\r\n" },
		{ "{4}\r\nA: b", "A: b\r\n\r\n" },
		{ "{2}\r\n\r\n", "\r\n" },
		{ "{1}\r\n\n", "\n" },
		{ "{0}\r\n", "\r\n" },
		{ "\"\"", "\r\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *w = *state;
		char text[128];

		part = FETCH_TOP;
		(void)snprintf(
			text, sizeof(text), "* 1 FETCH (BODY[HEADER] %s UID 1)\r\n", cases[i][0]);
		says = text;
		world_run(w, header_server, act_fetch);
		assert_error(w, ERR_OK, "");
		assert_got(&collector, cases[i][1], strlen(cases[i][1]));
	}
}

fiber_fn static void send_chunk(struct peer *p, unsigned offset, unsigned n)
{
	static const char octets[65536] = { [0 ... 65535] = 'x' };

	peer_send(p, "* 1 FETCH (UID 1 BODY[TEXT]<%u> {%u}\r\n", offset, n);
	peer_send_octets(p, octets, n);
	peer_send(p, ")\r\n");
	peer_answer(p, "OK done");
}

fiber_fn static void chunk_server(struct peer *p)
{
	begin_fetch(p, "UID FETCH 1 BODY.PEEK[HEADER]");
	peer_send(p, "* 1 FETCH (UID 1 BODY[HEADER] {2}\r\n\r\n)\r\n");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 1 BODY.PEEK[TEXT]<0.4096>");
	send_chunk(p, 0, 4096);
	peer_expect(p, "UID FETCH 1 BODY.PEEK[TEXT]<4096.8192>");
	send_chunk(p, 4096, 8192);
	peer_expect(p, "UID FETCH 1 BODY.PEEK[TEXT]<12288.16384>");
	send_chunk(p, 12288, 100);
	peer_end(p);
}

static void top_fetches_chunks_to_the_end(void **state)
{
	struct world *w = *state;

	part = FETCH_TOP;
	lines = 5;
	world_run(w, chunk_server, act_fetch);
	assert_error(w, ERR_OK, "");
	assert_int_equal(buffer_used(&collector.got), 2 + 4096 + 8192 + 100);
}

fiber_fn static void one_chunk_server(struct peer *p)
{
	begin_fetch(p, "UID FETCH 1 BODY.PEEK[HEADER]");
	peer_send(p, "* 1 FETCH (UID 1 BODY[HEADER] {2}\r\n\r\n)\r\n");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 1 BODY.PEEK[TEXT]<0.8000>");
	send_chunk(p, 0, 8000);
	peer_end(p);
}

static void top_stops_when_the_sink_is_full(void **state)
{
	struct world *w = *state;

	part = FETCH_TOP;
	lines = 100;
	collector.full_at = 5000;
	world_run(w, one_chunk_server, act_fetch);
	assert_error(w, ERR_OK, "");
}

fiber_fn static void large_chunk_server(struct peer *p)
{
	begin_fetch(p, "UID FETCH 1 BODY.PEEK[HEADER]");
	peer_send(p, "* 1 FETCH (UID 1 BODY[HEADER] {2}\r\n\r\n)\r\n");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 1 BODY.PEEK[TEXT]<0.262144>");
	send_chunk(p, 0, 0);
	peer_end(p);
}

static void top_of_many_lines_asks_for_no_more_than_256_k(void **state)
{
	struct world *w = *state;

	part = FETCH_TOP;
	lines = UINT64_MAX;
	world_run(w, large_chunk_server, act_fetch);
	assert_error(w, ERR_OK, "");
	assert_got(&collector, "\r\n", 2);
}

fiber_fn static void greedy_chunk_server(struct peer *p)
{
	begin_fetch(p, "UID FETCH 1 BODY.PEEK[HEADER]");
	peer_send(p, "* 1 FETCH (UID 1 BODY[HEADER] {2}\r\n\r\n)\r\n");
	peer_answer(p, "OK done");
	peer_expect(p, "UID FETCH 1 BODY.PEEK[TEXT]<0.4096>");
	send_chunk(p, 0, 5000);
	peer_end(p);
}

static void top_takes_no_more_than_it_asked_for(void **state)
{
	struct world *w = *state;

	part = FETCH_TOP;
	lines = 1;
	world_run(w, greedy_chunk_server, act_fetch);
	assert_error(w, ERR_TEMP, "more than was asked for");
}

/* Folders. */

static const char *also[] = { "Junk" };
static unsigned uidvalidity;

fiber_fn static void folder_server(struct peer *p)
{
	peer_begin(p, 1);
	peer_list(p, 1);
	peer_expect(p, "SELECT \"Junk\"");
	peer_send(p, "* 1 EXISTS\r\n* OK [UIDVALIDITY 8] ok\r\n");
	peer_answer(p, "OK [READ-WRITE] selected");
	peer_list(p, 1);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_send(p, "* 1 EXISTS\r\n* OK [UIDVALIDITY %u] ok\r\n", uidvalidity);
	peer_answer(p, "OK [READ-WRITE] selected");
	if (uidvalidity == 7) {
		peer_expect(p, FETCH_1);
		peer_send(p, "* 1 FETCH (UID 1 BODY[] {5}\r\ninbox)\r\n");
		peer_answer(p, "OK done");
	}
	peer_expect(p, "SELECT \"Junk\"");
	peer_send(p, "* 1 EXISTS\r\n* OK [UIDVALIDITY 8] ok\r\n");
	peer_answer(p, "OK [READ-WRITE] selected");
	peer_expect(p, FETCH_1);
	peer_send(p, "* 1 FETCH (UID 1 BODY[] {4}\r\njunk)\r\n");
	peer_answer(p, "OK done");
	peer_end(p);
}

static void selects_the_messages_folder(void **state)
{
	struct world *w = *state;

	w->tenant.maildrop.also = (struct string_list){ also, 1 };
	uidvalidity = 7;
	world_run(w, folder_server, act_fetch_twice);
	assert_error(w, ERR_OK, "");
	assert_false(failed(second));
	assert_got(&collector, "inboxjunk", 9);
}

static void a_renumbered_folder_has_lost_its_messages(void **state)
{
	struct world *w = *state;

	w->tenant.maildrop.also = (struct string_list){ also, 1 };
	uidvalidity = 9;
	world_run(w, folder_server, act_fetch_twice);
	assert_error(w, ERR_GONE, "renumbered");
	assert_false(failed(second));
	assert_got(&collector, "junk", 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fetch_new, fetch_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(delivers_octets_as_they_are),
		TEST(delivers_large_messages),
		TEST(takes_quoted_and_empty_bodies),
		TEST(gone),
		TEST(maps_refusals_and_goes_on),
		TEST(refuses_lies),
		TEST(half_a_message_is_an_error),
		TEST(a_connection_lost_to_a_deadline_stays_lost),
		TEST(a_failing_sink_ends_the_connection),
		TEST(a_slow_reader_is_no_fault_of_the_server),
		TEST(an_answer_has_an_end),
		TEST(top_0_fetches_the_header_only),
		TEST(top_fetches_chunks_to_the_end),
		TEST(top_stops_when_the_sink_is_full),
		TEST(top_of_many_lines_asks_for_no_more_than_256_k),
		TEST(top_takes_no_more_than_it_asked_for),
		TEST(selects_the_messages_folder),
		TEST(a_renumbered_folder_has_lost_its_messages),
	};

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}
