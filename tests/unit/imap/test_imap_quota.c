/* The quota: when it is asked for, and what of the answer counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/imap/peer.h"

#define MAX_TEXT "18446744073709551615"

/* Feeds the lines of text to a reader: each is a logical line of its own but those that begin with
 * "~", which go on behind a literal. */
static struct backend_quota read_quota(const char *text)
{
	struct imap_quota quota = { 0 };

	while (*text) {
		bool first = *text != '~';
		size_t n = strcspn(text, "\n") + 1;

		imap_quota_line(&quota, text + !first, n - !first, first);
		text += n;
	}
	return quota.quota;
}

static void reads_answers(void **state)
{
	static const struct {
		const char *text;
		struct backend_quota expected;
	} cases[] = {
		{ "* QUOTA \"\" (STORAGE 10 512)\r\n", { 10240, 524288, 0, 0 } },
		{ "* QUOTAROOT \"INBOX\" \"User quota\"\r\n"
		  "* QUOTA \"User quota\" (STORAGE 1 2 MESSAGE 3 4)\r\n",
			{ 1024, 2048, 3, 4 } },
		{ "* quota root (message 3 4 storage 1 2)\n", { 1024, 2048, 3, 4 } },
		{ "* QUOTA #user/joe (X-OTHER 5 6 MESSAGE 0 1)\r\n", { 0, 0, 0, 1 } },
		/* A root without limits, an unlimited resource. */
		{ "* QUOTA \"\" ()\r\n", { 0 } },
		{ "* QUOTA \"\" (STORAGE 7 0)\r\n", { 0 } },
		/* Of several roots the fullest, whatever their order. */
		{ "* QUOTA a (STORAGE 90 100)\r\n* QUOTA b (STORAGE 500 1000)\r\n"
		  "* QUOTA c (STORAGE 95 100)\r\n* QUOTA d (STORAGE 9 10)\r\n",
			{ 95 * 1024, 100 * 1024, 0, 0 } },
		/* Names that look like more than names. */
		{ "* QUOTA \"a (STORAGE 1 1) \\\" (STORAGE 2 2)\" (STORAGE 3 4)\r\n",
			{ 3072, 4096, 0, 0 } },
		{ "* QUOTA {3}\r\n~ (STORAGE 3 4)\r\n", { 3072, 4096, 0, 0 } },
		{ "* LIST {3}\r\n~ (STORAGE 3 4)\r\n", { 0 } },
		{ "* QUOTA {3}\r\n* OK\r\n~ (STORAGE 3 4)\r\n", { 0 } },
		/* More than can be. */
		{ "* QUOTA r (STORAGE " MAX_TEXT " " MAX_TEXT ")\r\n",
			{ UINT64_MAX, UINT64_MAX, 0, 0 } },
		{ "* QUOTA r (MESSAGE " MAX_TEXT " " MAX_TEXT "0)\r\n", { 0 } },
		/* What is malformed is passed over, what came before it counts. */
		{ "* QUOTA r (MESSAGE 1 2 STORAGE 3)\r\n", { 0, 0, 1, 2 } },
		{ "* QUOTA r (MESSAGE 1 2 STORAGE -3 4)\r\n", { 0, 0, 1, 2 } },
		{ "* QUOTA r STORAGE 3 4\r\n* QUOTA r(STORAGE 3 4)\r\n* QUOTA\r\n* QUOTA \r\n"
		  "* QUOTA r\r\n* QUOTA \"r\r\n* QUOTA \"r\\\r\n* QUOTA r (\r\n* QUOTA r ( )\r\n",
			{ 0 } },
		{ "\n\r\n", { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct backend_quota got = read_quota(cases[i].text);

		assert_memory_equal(&got, &cases[i].expected, sizeof(got));
	}
}

static void percent_is_of_the_nearer_limit(void **state)
{
	static const struct {
		struct backend_quota quota;
		bool known;
		uint64_t percent;
	} cases[] = {
		{ { 0 }, false, 0 },
		{ { 5, 0, 7, 0 }, false, 0 },
		{ { 0, 100, 0, 0 }, true, 0 },
		{ { 899, 1000, 0, 0 }, true, 89 },
		{ { 10, 1000, 95, 100 }, true, 95 },
		{ { 970, 1000, 95, 100 }, true, 97 },
		{ { 3000, 1000, 0, 0 }, true, 300 },
		{ { UINT64_MAX, UINT64_MAX, 0, 0 }, true, 100 },
		{ { UINT64_MAX, 1, 0, 0 }, true, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(quota_known(&cases[i].quota), cases[i].known);
		assert_int_equal(quota_percent(&cases[i].quota), cases[i].percent);
	}
}

/* What the server offers, and says to the question. */
static const char *capabilities = "QUOTA";
static const char *says, *ends = "OK done";

fiber_fn static void begin(struct peer *p)
{
	peer_greet(p);
	peer_login(p, capabilities);
	peer_expect(p, "SELECT \"INBOX\"");
	peer_select(p, 2);
	peer_list(p, 2);
}

fiber_fn static void quota_server(struct peer *p)
{
	begin(p);
	peer_expect(p, "GETQUOTAROOT \"INBOX\"");
	peer_send(p, "%s", says);
	peer_answer(p, ends);
	peer_end(p);
}

fiber_fn static void server_that_is_not_asked(struct peer *p)
{
	begin(p);
	peer_end(p);
}

static void asks_where_a_warning_is_set(void **state)
{
	struct world *w = *state;

	w->tenant.maildrop.quota_warning = 90;
	says = "* QUOTAROOT \"INBOX\" {4}\r\nuser\r\n* 3 EXISTS\r\n"
	       "* QUOTA {4}\r\nuser (STORAGE 9 10)\r\n";
	world_run(w, quota_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 2);
	assert_int_equal(quota_percent(&w->listing.quota), 90);
}

static void asks_when_told_to(void **state)
{
	struct world *w = *state;

	w->account.ask_quota = true;
	says = "* QUOTA \"\" (MESSAGE 3 10)\r\n";
	world_run(w, quota_server, act_list);
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.quota.used_messages, 3);
	assert_int_equal(w->listing.quota.limit_messages, 10);
}

static void asks_nobody_else(void **state)
{
	struct world *w = *state;

	world_run(w, server_that_is_not_asked, act_list);
	assert_error(w, ERR_OK, "");
	assert_false(quota_known(&w->listing.quota));
}

static void asks_no_server_without_quota(void **state)
{
	struct world *w = *state;

	w->tenant.maildrop.quota_warning = 90;
	capabilities = "QUOTASET";
	world_run(w, server_that_is_not_asked, act_list);
	capabilities = "QUOTA";
	assert_error(w, ERR_OK, "");
	assert_false(quota_known(&w->listing.quota));
}

static void a_server_that_will_not_tell_is_no_failure(void **state)
{
	struct world *w = *state;

	w->tenant.maildrop.quota_warning = 90;
	says = "";
	ends = "NO [NOPERM] not for you";
	world_run(w, quota_server, act_list);
	ends = "OK done";
	assert_error(w, ERR_OK, "");
	assert_int_equal(w->listing.n, 2);
	assert_false(quota_known(&w->listing.quota));
}

fiber_fn static void vanishing_server(struct peer *p)
{
	begin(p);
	peer_expect(p, "GETQUOTAROOT \"INBOX\"");
	peer_close(p);
}

static void a_server_that_vanishes_is(void **state)
{
	struct world *w = *state;

	w->tenant.maildrop.quota_warning = 90;
	world_run(w, vanishing_server, act_list);
	assert_error(w, ERR_TEMP, "imap.test");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_answers),
		cmocka_unit_test(percent_is_of_the_nearer_limit),
		TEST(asks_where_a_warning_is_set),
		TEST(asks_when_told_to),
		TEST(asks_nobody_else),
		TEST(asks_no_server_without_quota),
		TEST(a_server_that_will_not_tell_is_no_failure),
		TEST(a_server_that_vanishes_is),
	};

	return cmocka_run_group_tests(tests, runtime_setup, runtime_teardown);
}
