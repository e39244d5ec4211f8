/* LIST and UIDL of all messages: what sessions share is what each would be told. */
#include "tests/unit/maildrop/fixture.h"

#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "proxy/maildrop/drop.h"

static struct folder folder;
static struct registry *registry;
static struct mail mail;
static struct session session;

static int set_up(void **state)
{
	(void)state;
	runtime_init();
	folder_make(&folder);
	registry = registry_at(&folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	session_done(&session);
	mail_done(&mail);
	registry_close(registry);
	folder_remove(&folder);
	runtime_close();
	return 0;
}

static unsigned seed;

static unsigned chance(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void fill(size_t n)
{
	for (uint32_t i = 1; i <= n; i++) {
		mail_add_imap(&mail, 0, 7, i);
		mail.messages[mail.n - 1].size = 1 + chance(1000000);
		mail.messages[mail.n - 1].arrival = 1000000000 + chance(1000);
	}
}

/* A further login of the same user to the same settings. */
static void log_in_again(void)
{
	session_done(&session);
	session.arena = arena_new();
	assert_ok(session_open(&session, registry));
}

/* The long way: number by number. */
static char *expected(bool ids)
{
	struct buffer text = { 0 };

	buffer_printf(&text, "+OK %zu messages\r\n", maildrop_visible(session.drop));
	for (size_t i = 1; i <= maildrop_count(session.drop); i++) {
		if (maildrop_marked(session.drop, i))
			continue;
		buffer_printf(&text, "%zu ", i);
		if (ids)
			buffer_printf(&text, "%s\r\n", maildrop_unique_id(session.drop, i));
		else
			buffer_printf(&text, "%llu\r\n",
				(unsigned long long)maildrop_size(session.drop, i));
	}
	buffer_append(&text, ".\r\n", 4);
	return text.data;
}

static void check_one(const char *verb, bool ids)
{
	char *wanted = expected(ids), *got = answer_to(verb, session.drop);

	if (strcmp(wanted, got) != 0)
		fail_msg("%s: %.200s… instead of %.200s…", verb, got, wanted);
	free(wanted);
	free(got);
}

static void check(void)
{
	check_one("UIDL", true);
	check_one("LIST", false);
}

static bool is_kept(void)
{
	return maildrop_shares_lines(session.drop) &&
	       maildrop_kept_lines(session.drop, MAILDROP_SIZES) &&
	       maildrop_kept_lines(session.drop, MAILDROP_UNIQUE_IDS);
}

static void later_sessions_are_told_the_same(void **state)
{
	(void)state;
	fill(1000);
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, registry));
	assert_false(is_kept());
	check();
	assert_true(is_kept());
	log_in_again();
	assert_true(is_kept());
	check();
}

static void what_is_too_large_to_copy(void **state)
{
	(void)state;
	fill(30000);
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, registry));
	check();
	log_in_again();
	assert_true(is_kept());
	check();
}

static void new_mail_is_for_those_who_come_after_it(void **state)
{
	(void)state;
	fill(10);
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, registry));
	check();
	mail_add_imap(&mail, 0, 7, 11);
	check();
	log_in_again();
	assert_int_equal(maildrop_count(session.drop), 11);
	assert_false(is_kept());
	check();
	mail_remove(&mail, 3);
	log_in_again();
	assert_int_equal(maildrop_count(session.drop), 10);
	check();
}

static void without_a_registry_nothing_is_kept(void **state)
{
	(void)state;
	fill(10);
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, NULL));
	check();
	assert_false(maildrop_shares_lines(session.drop));
}

/* What one session keeps counts as memory of the cache. */
static void what_is_kept_is_weighed(void **state)
{
	size_t before;

	(void)state;
	fill(1000);
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, registry));
	log_in_again();
	before = session.drop->snapshot->size;
	check();
	assert_true(session.drop->snapshot->size >= before + 2 * 1000 * 8);
}

/* As time goes on over it; here the limit does. */
static void what_has_become_too_old_is_left_out(void **state)
{
	(void)state;
	fill(10);
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, registry));
	log_in_again();
	check();
	session.tenant.maildrop.newer_than = 1000;
	log_in_again();
	assert_int_equal(maildrop_count(session.drop), 0);
	check();
}

static void a_notice_is_for_those_who_have_it(void **state)
{
	(void)state;
	fill(10);
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.quota_warning = 90;
	mail.quota = (struct backend_quota){ .used_octets = 95, .limit_octets = 100 };
	assert_ok(session_open(&session, registry));
	assert_int_equal(maildrop_count(session.drop), 11);
	log_in_again();
	check();
	mail.quota.used_octets = 5;
	log_in_again();
	assert_int_equal(maildrop_count(session.drop), 10);
	check();
	mail.quota.used_octets = 95;
	log_in_again();
	assert_int_equal(maildrop_count(session.drop), 11);
	check();
}

static void mark_some(void)
{
	for (size_t i = maildrop_count(session.drop) ? 1 + chance(5) : 0; i > 0; i--)
		maildrop_mark(session.drop, 1 + chance((unsigned)maildrop_count(session.drop)));
}

static void play(void)
{
	for (unsigned step = 0; step < 12; step++) {
		switch (chance(4)) {
		case 0:
			mark_some();
			break;
		case 1:
			maildrop_unmark_all(session.drop);
			break;
		case 2:
			log_in_again();
			break;
		default:
			break;
		}
		check();
	}
}

static void settle_at_random(void)
{
	struct maildrop_settings *settings = &session.tenant.maildrop;

	settings->order = chance(2) ? ORDER_NEWEST_FIRST : ORDER_OLDEST_FIRST;
	settings->max_messages = chance(3) ? 0 : chance(60);
	settings->newer_than = chance(3) ? 0 : 1;
	settings->exact_rfc822_size = chance(2);
	if (chance(3) == 0) {
		settings->quota_warning = 90;
		mail.quota = (struct backend_quota){ 95, 100, 0, 0 };
	}
}

static void whatever_is_marked_and_set(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		seed = round;
		fill(chance(100));
		session_init(&session, STORE_IMAP, &mail);
		settle_at_random();
		assert_ok(session_open(&session, registry));
		play();
		session_done(&session);
		mail_done(&mail);
		(void)sql(&folder, "DELETE FROM maildrop");
	}
	session.arena = arena_new();
}

#define listing_test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		listing_test(later_sessions_are_told_the_same),
		listing_test(what_is_too_large_to_copy),
		listing_test(new_mail_is_for_those_who_come_after_it),
		listing_test(without_a_registry_nothing_is_kept),
		listing_test(what_is_kept_is_weighed),
		listing_test(what_has_become_too_old_is_left_out),
		listing_test(a_notice_is_for_those_who_have_it),
		listing_test(whatever_is_marked_and_set),
	};

	return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
