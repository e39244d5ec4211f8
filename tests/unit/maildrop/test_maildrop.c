/* The snapshot without a registry: numbers, order, window, sizes, marks, errors. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static struct mail mail;
static struct session session;

static int tear_down(void **state)
{
	(void)state;
	session_done(&session);
	mail_done(&mail);
	return 0;
}

/* "uid uid uid" in order of message number; sizes tell which message it is. */
static const char *order(void)
{
	static char text[256];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 1; i <= maildrop_count(session.drop); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%llu", i > 1 ? " " : "",
			(unsigned long long)maildrop_size(session.drop, i));
	return text;
}

static void add_imap(uint16_t folder, uint32_t uid, int64_t arrival, uint64_t size)
{
	mail_add_imap(&mail, folder, 7, uid);
	mail.messages[mail.n - 1].arrival = arrival;
	mail.messages[mail.n - 1].size = size;
}

static void add_maildir(const char *key, int64_t arrival, uint64_t size)
{
	mail_add_maildir(&mail, 0, key, arrival);
	mail.messages[mail.n - 1].size = size;
}

static void empty_maildrop(void **state)
{
	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, NULL));
	assert_int_equal(maildrop_count(session.drop), 0);
	assert_int_equal(maildrop_visible(session.drop), 0);
	assert_int_equal(maildrop_visible_octets(session.drop), 0);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 0);
}

static void failed_listing(void **state)
{
	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	session.script.list_error = err_make(ERR_TEMP, "server is down");
	assert_error(session_open(&session, NULL), ERR_TEMP, "server is down");
}

static void one_imap_folder_goes_by_uid(void **state)
{
	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	add_imap(0, 3, 100, 3);
	add_imap(0, 5, 300, 5);
	add_imap(0, 9, 200, 9); /* copied here: INTERNALDATE is older */
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "3 5 9");
}

static void folders_merge_by_arrival(void **state)
{
	const char *also[] = { "Junk", "Other" };

	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.also = (struct string_list){ also, 2 };
	add_imap(0, 1, 100, 1);
	add_imap(0, 2, 300, 2);
	add_imap(0, 3, 300, 3);
	add_imap(1, 1, 200, 4);
	add_imap(1, 2, 300, 5);
	add_imap(2, 1, 50, 6);
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "6 1 4 2 3 5");
}

static void maildir_goes_by_arrival_and_name(void **state)
{
	(void)state;
	session_init(&session, STORE_MAILDIR, &mail);
	add_maildir("c", 100, 1);
	add_maildir("a", 200, 2);
	add_maildir("b", 200, 3);
	add_maildir("d", 150, 4); /* not where the listing should have it */
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "1 4 2 3");
}

static void newest_first_is_the_reverse(void **state)
{
	(void)state;
	session_init(&session, STORE_MAILDIR, &mail);
	session.tenant.maildrop.order = ORDER_NEWEST_FIRST;
	add_maildir("a", 100, 1);
	add_maildir("b", 200, 2);
	add_maildir("c", 200, 3);
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "3 2 1");
}

static void window_keeps_the_newest(void **state)
{
	(void)state;
	for (uint32_t uid = 1; uid <= 5; uid++)
		add_imap(0, uid, 0, uid);
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.max_messages = 2;
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "4 5");
	assert_int_equal(maildrop_visible_octets(session.drop), 9);
	session_done(&session);

	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.max_messages = 3;
	session.tenant.maildrop.order = ORDER_NEWEST_FIRST;
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "5 4 3");
	session_done(&session);

	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.max_messages = 5;
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "1 2 3 4 5");
}

static void window_by_age(void **state)
{
	const int64_t day = 24 * 60 * 60;
	int64_t now = time(NULL);

	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.newer_than = 10 * (uint64_t)day * 1000;
	add_imap(0, 1, now - 11 * day, 1);
	add_imap(0, 2, now - 9 * day, 2);
	add_imap(0, 3, 0, 3);         /* age unknown */
	add_imap(0, 4, now + day, 4); /* a clock is wrong */
	add_imap(0, 5, INT64_MIN, 5);
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "2 3 4");
}

static void a_message_listed_twice_shows_once(void **state)
{
	(void)state;
	session_init(&session, STORE_MAILDIR, &mail);
	add_maildir("a", 100, 1);
	add_maildir("b", 200, 2);
	add_maildir("a", 300, 3);
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "1 2");
}

static void a_folder_named_twice_shows_once(void **state)
{
	const char *also[] = { "inbox", "Junk", "Junk" };

	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.also = (struct string_list){ also, 3 };
	for (uint16_t folder = 0; folder < 4; folder++)
		add_imap(folder, 1, 100 + folder, folder);
	assert_ok(session_open(&session, NULL));
	assert_string_equal(order(), "0 2");
}

static void sums_of_64_bits(void **state)
{
	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	add_imap(0, 1, 0, UINT64_MAX - 5);
	add_imap(0, 2, 0, 5);
	assert_ok(session_open(&session, NULL));
	assert_true(maildrop_visible_octets(session.drop) == UINT64_MAX);
	session_done(&session);

	add_imap(0, 3, 0, 1);
	session_init(&session, STORE_IMAP, &mail);
	assert_error(session_open(&session, NULL), ERR_TEMP, "2^64");
	session_done(&session);

	/* What is not shown is not counted. */
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.max_messages = 1;
	assert_ok(session_open(&session, NULL));
	assert_int_equal(maildrop_visible_octets(session.drop), 1);
}

static void marks(void **state)
{
	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	for (uint32_t uid = 1; uid <= 130; uid++)
		add_imap(0, uid, 0, uid);
	assert_ok(session_open(&session, NULL));
	assert_int_equal(maildrop_visible_octets(session.drop), 130 * 131 / 2);
	maildrop_mark(session.drop, 1);
	maildrop_mark(session.drop, 65);
	maildrop_mark(session.drop, 65);
	maildrop_mark(session.drop, 130);
	assert_true(maildrop_marked(session.drop, 65));
	assert_false(maildrop_marked(session.drop, 64));
	assert_false(maildrop_marked(session.drop, 66));
	assert_int_equal(maildrop_marks(session.drop), 3);
	assert_int_equal(maildrop_count(session.drop), 130);
	assert_int_equal(maildrop_visible(session.drop), 127);
	assert_int_equal(maildrop_visible_octets(session.drop), 130 * 131 / 2 - 1 - 65 - 130);
	/* Marked ones keep number, size and id. */
	assert_int_equal(maildrop_size(session.drop, 65), 65);
	assert_string_equal(maildrop_unique_id(session.drop, 65), "30064771137");
	maildrop_unmark_all(session.drop);
	assert_false(maildrop_marked(session.drop, 65));
	assert_int_equal(maildrop_visible(session.drop), 130);
	assert_int_equal(maildrop_visible_octets(session.drop), 130 * 131 / 2);
}

static void snapshot_does_not_move(void **state)
{
	const char *ids;

	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	for (uint32_t uid = 1; uid <= 3; uid++)
		add_imap(0, uid, 0, uid);
	assert_ok(session_open(&session, NULL));
	ids = session_ids(&session);
	mail_remove(&mail, 0);
	add_imap(0, 4, 0, 4);
	assert_string_equal(order(), "1 2 3");
	assert_string_equal(session_ids(&session), ids);
	maildrop_measured(session.drop, 2, 999);
	assert_string_equal(order(), "1 2 3");
	session.script.fetch_error = err_make(ERR_GONE, "expunged");
	assert_error(session_fetch(&session, 1, FETCH_ALL), ERR_GONE, "expunged");
	assert_string_equal(order(), "1 2 3");
	assert_int_equal(maildrop_count(session.drop), 3);
}

static void hundred_thousand_messages(void **state)
{
	const uint32_t n = 100000;
	char last[32];

	(void)state;
	for (uint32_t uid = 1; uid <= n; uid++)
		add_imap(0, uid, 0, 30u << 20);
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, NULL));
	assert_int_equal(maildrop_count(session.drop), n);
	assert_true(maildrop_visible_octets(session.drop) == UINT64_C(30) * 1048576 * n);
	snprintf(last, sizeof(last), "%llu", 7ull << 32 | n);
	assert_string_equal(maildrop_unique_id(session.drop, n), last);
	for (size_t i = 1; i <= n; i++)
		maildrop_mark(session.drop, i);
	assert_int_equal(maildrop_visible_octets(session.drop), 0);
	session.script.forgetful = true;
	assert_ok(session_update(&session));
	assert_int_equal(session.outcome.removed, n);
	assert_string_equal(session.outcome.removed_ids[n - 1], last);
}

static int start(void **state)
{
	(void)state;
	runtime_init();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	runtime_close();
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(empty_maildrop, tear_down),
		cmocka_unit_test_teardown(failed_listing, tear_down),
		cmocka_unit_test_teardown(one_imap_folder_goes_by_uid, tear_down),
		cmocka_unit_test_teardown(folders_merge_by_arrival, tear_down),
		cmocka_unit_test_teardown(maildir_goes_by_arrival_and_name, tear_down),
		cmocka_unit_test_teardown(newest_first_is_the_reverse, tear_down),
		cmocka_unit_test_teardown(window_keeps_the_newest, tear_down),
		cmocka_unit_test_teardown(window_by_age, tear_down),
		cmocka_unit_test_teardown(a_message_listed_twice_shows_once, tear_down),
		cmocka_unit_test_teardown(a_folder_named_twice_shows_once, tear_down),
		cmocka_unit_test_teardown(sums_of_64_bits, tear_down),
		cmocka_unit_test_teardown(marks, tear_down),
		cmocka_unit_test_teardown(snapshot_does_not_move, tear_down),
		cmocka_unit_test_teardown(hundred_thousand_messages, tear_down),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
