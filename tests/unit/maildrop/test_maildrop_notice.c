/* The notice of a nearly full mailbox: when it is there, what it says, that its id is its own. */
#include "fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proxy/maildrop/notice.h"
#include "proxy/maildrop/unique_id.h"

static struct folder folder;
static struct registry *registry;
static struct mail mail;
static struct session session, other;

#define GB ((uint64_t)1 << 30)

static void start(struct session *s, enum store_kind store)
{
	session_init(s, store, &mail);
	s->tenant.maildrop.quota_warning = 90;
}

static int set_up(void **state)
{
	(void)state;
	folder_make(&folder);
	registry = registry_at(&folder);
	for (uint32_t uid = 1; uid <= 3; uid++)
		mail_add_imap(&mail, 0, 7, uid);
	mail.quota = (struct backend_quota){ 95 * GB, 100 * GB, 0, 0 };
	start(&session, STORE_IMAP);
	start(&other, STORE_IMAP);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	session_done(&session);
	session_done(&other);
	mail_done(&mail);
	registry_close(registry);
	folder_remove(&folder);
	return 0;
}

/* The session's notice, copied; fails the test when its last message is none. */
static const char *notice_id(const struct session *s)
{
	size_t n = maildrop_count(s->drop);

	assert_int_equal(n, mail.n + 1);
	return arena_strdup(s->arena, maildrop_unique_id(s->drop, n));
}

/* How many the registry remembers. */
static int64_t notices(void)
{
	return sql(&folder, "SELECT count(*) FROM message WHERE key LIKE 'quot%'");
}

static void begin(struct session *s, enum store_kind store)
{
	session_done(s);
	start(s, store);
	assert_ok(session_open(s, registry));
}

static void a_day_passes(void)
{
	(void)sql(&folder, "UPDATE message SET arrival = arrival - 24 * 60 * 60 - 1 WHERE key LIKE "
			   "'quota %'");
}

static void stands_last_from_the_warning_on(void **state)
{
	static const struct {
		struct backend_quota quota;
		bool warns;
	} cases[] = {
		{ { 0 }, false },
		{ { 95, 0, 95, 0 }, false },
		{ { 899, 1000, 0, 0 }, false },
		{ { 900, 1000, 0, 0 }, true },
		{ { 1, 1000, 95, 100 }, true },
		{ { 5000, 1000, 0, 0 }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		mail.quota = cases[i].quota;
		begin(&session, STORE_IMAP);
		assert_int_equal(maildrop_count(session.drop), cases[i].warns ? 4 : 3);
		assert_int_equal(maildrop_quota_warns(session.drop), cases[i].warns);
		assert_int_equal(
			maildrop_quota(session.drop)->limit_octets, cases[i].quota.limit_octets);
	}
}

static void nobody_is_warned_where_no_warning_is_set(void **state)
{
	(void)state;
	session.tenant.maildrop.quota_warning = 0;
	assert_ok(session_open(&session, registry));
	assert_int_equal(maildrop_count(session.drop), 3);
	assert_int_equal(notices(), 0);
}

static void assert_field(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no \"%s\" in:\n%s", line, text);
}

static void is_a_message_of_its_listed_size(void **state)
{
	const char *text, *blank;
	time_t now = time(NULL);
	char day[32];
	struct tm tm;

	(void)state;
	mail.quota = (struct backend_quota){ 95 * GB + GB / 2, 100 * GB, 7, 1000 };
	assert_ok(session_open(&session, registry));
	assert_ok(session_fetch(&session, 4, FETCH_ALL));
	text = session.fetched;
	assert_int_equal(strlen(text), maildrop_size(session.drop, 4));
	assert_int_equal(maildrop_visible_octets(session.drop), 300 + strlen(text));
	for (const char *p = text; *p; p++) {
		assert_true((*p >= ' ' && *p <= '~') || *p == '\r' || *p == '\n');
		assert_true(*p != '\n' || (p > text && p[-1] == '\r'));
	}
	assert_memory_equal(text + strlen(text) - 2, "\r\n", 2);
	assert_memory_equal(text, "From: Mail system <postmaster@pop.example>\r\n", 44);
	assert_field(text, "\r\nTo: <user@example>\r\n");
	assert_field(text, "\r\nSubject: Your mailbox is 95% full\r\n");
	assert_field(text, "\r\nAuto-Submitted: auto-generated\r\n");
	assert_field(text, "@pop.example>\r\n");
	(void)strftime(day, sizeof(day), "\r\nDate: %a, %d %b %Y ", gmtime_r(&now, &tm));
	assert_field(text, day);
	blank = strstr(text, "\r\n\r\n");
	assert_non_null(blank);
	assert_field(blank, "  Storage:   95.5 GB of 100.0 GB used\r\n");
	assert_field(blank, "  Messages:  7 of 1000 used\r\n");
	/* TOP: the sink cuts. */
	assert_ok(session_fetch(&session, 4, FETCH_TOP));
	assert_string_equal(session.fetched, text);
}

static void a_login_that_is_no_address_is_not_named(void **state)
{
	static const char *const logins[] = { "joe", "jo\xc3\xabl@example", "a b@example",
		"\"a\"@example", "a..b@example", "joe@", "@example", "joe>@example" };

	(void)state;
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		session_done(&session);
		start(&session, STORE_IMAP);
		session.account.login = logins[i];
		assert_ok(session_open(&session, registry));
		assert_ok(session_fetch(&session, 4, FETCH_ALL));
		assert_field(session.fetched, "\r\nTo: undisclosed-recipients:;\r\n");
		assert_null(strstr(session.fetched, logins[i]));
	}
}

static void a_full_mailbox_is_called_so(void **state)
{
	(void)state;
	mail.quota.used_octets = 100 * GB;
	assert_ok(session_open(&session, registry));
	assert_ok(session_fetch(&session, 4, FETCH_ALL));
	assert_field(session.fetched, "\r\nSubject: Your mailbox is full\r\n");
}

static void one_of_a_day_is_the_same_in_every_session(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	assert_ok(session_fetch(&session, 4, FETCH_ALL));
	mail.quota.used_octets = 97 * GB;
	mail_add_imap(&mail, 0, 7, 4);
	assert_ok(session_open(&other, registry));
	assert_string_equal(maildrop_unique_id(other.drop, 5), maildrop_unique_id(session.drop, 4));
	assert_ok(session_fetch(&other, 5, FETCH_ALL));
	assert_string_equal(other.fetched, session.fetched);
	assert_int_equal(notices(), 1);
}

static void is_as_new_as_it_gets(void **state)
{
	(void)state;
	session.tenant.maildrop.order = ORDER_NEWEST_FIRST;
	session.tenant.maildrop.max_messages = 2;
	assert_ok(session_open(&session, registry));
	assert_int_equal(maildrop_count(session.drop), 3);
	assert_true(maildrop_size(session.drop, 1) != 100);
	assert_string_equal(maildrop_unique_id(session.drop, 2), "30064771075");
	assert_string_equal(maildrop_unique_id(session.drop, 3), "30064771074");
}

static void its_id_lies_beside_all_others(void **state)
{
	struct unique_id highest;

	(void)state;
	assert_ok(session_open(&session, registry));
	assert_string_equal(notice_id(&session), "18446744073709551617");
	unique_id_imap(&highest, UNIQUE_ID_MAIN_FOLDER, UINT32_MAX, UINT32_MAX);
	assert_string_equal(highest.text, "18446744073709551615");
}

static void its_number_is_one_of_the_maildrops(void **state)
{
	(void)state;
	mail_done(&mail);
	mail.quota = (struct backend_quota){ 95 * GB, 100 * GB, 0, 0 };
	mail_add_maildir(&mail, 0, "1700000001.a", 1700000001);
	mail_add_maildir(&mail, 0, "1700000002.b", 1700000002);
	begin(&session, STORE_MAILDIR);
	assert_string_equal(session_ids(&session), "1 2 3");
	mail_add_maildir(&mail, 0, "1700000003.c", 1700000003);
	begin(&other, STORE_MAILDIR);
	assert_string_equal(session_ids(&other), "1 2 4 3");
	a_day_passes();
	begin(&session, STORE_MAILDIR);
	assert_string_equal(session_ids(&session), "1 2 4 5");
}

static void deleted_it_stays_away_for_the_day(void **state)
{
	const char *first;

	(void)state;
	session.tenant.maildrop.on_delete = DELETE_IGNORE;
	assert_ok(session_open(&session, registry));
	first = notice_id(&session);
	maildrop_mark(session.drop, 4);
	assert_int_equal(maildrop_visible(session.drop), 3);
	assert_int_equal(maildrop_visible_octets(session.drop), 300);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 0);
	assert_int_equal(session.outcome.asked, 1);
	assert_int_equal(session.outcome.removed, 1);
	assert_int_equal(session.outcome.hidden, 0);
	assert_string_equal(session.outcome.removed_ids[0], first);
	assert_string_equal(session.outcome.note.detail, "");
	begin(&other, STORE_IMAP);
	assert_int_equal(maildrop_count(other.drop), 3);
	a_day_passes();
	begin(&other, STORE_IMAP);
	assert_true(strcmp(notice_id(&other), first) != 0);
	assert_int_equal(notices(), 1);
}

static void without_quit_it_is_still_there(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	maildrop_mark(session.drop, 4);
	begin(&other, STORE_IMAP);
	assert_int_equal(maildrop_count(other.drop), 4);
}

static void goes_together_with_messages(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	assert_ok(session_fetch(&session, 4, FETCH_ALL));
	maildrop_measured(session.drop, 4, 1);
	maildrop_mark(session.drop, 2);
	maildrop_mark(session.drop, 4);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.asked.n_remove, 1);
	assert_int_equal(session.script.asked.remove[0], 1);
	assert_int_equal(session.script.asked.n_seen, 0);
	assert_int_equal(session.outcome.removed, 2);
	begin(&other, STORE_IMAP);
	assert_int_equal(maildrop_count(other.drop), 2);
}

static void a_deletion_that_is_not_remembered_failed(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	maildrop_mark(session.drop, 4);
	(void)sql(&folder, "CREATE TRIGGER t BEFORE UPDATE ON maildrop BEGIN SELECT raise(ABORT, "
			   "'no'); END");
	assert_error(session_update(&session), ERR_PERM, "removed 0 of 1 messages");
	(void)sql(&folder, "DROP TRIGGER t");
	begin(&other, STORE_IMAP);
	assert_int_equal(maildrop_count(other.drop), 4);
}

static void goes_when_there_is_room_again(void **state)
{
	const char *id;

	(void)state;
	assert_ok(session_open(&session, registry));
	id = notice_id(&session);
	mail.quota.used_octets = 50 * GB;
	begin(&other, STORE_IMAP);
	assert_int_equal(maildrop_count(other.drop), 3);
	mail.quota.used_octets = 95 * GB;
	begin(&other, STORE_IMAP);
	assert_string_equal(notice_id(&other), id);
}

static void a_new_day_brings_a_new_one(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	(void)sql(&folder, "UPDATE maildrop SET next_number = 9");
	(void)sql(&folder, "UPDATE maildrop SET revision = revision + 1");
	a_day_passes();
	begin(&session, STORE_IMAP);
	assert_string_equal(notice_id(&session), "18446744073709551625");
	a_day_passes();
	begin(&other, STORE_IMAP);
	assert_string_equal(notice_id(&other), "18446744073709551626");
	/* The old one's deletion comes too late to touch the new one. */
	maildrop_mark(session.drop, 4);
	assert_ok(session_update(&session));
	begin(&session, STORE_IMAP);
	assert_string_equal(notice_id(&session), notice_id(&other));
	assert_int_equal(notices(), 1);
	assert_int_equal(sql(&folder, "SELECT count(*) FROM message WHERE hidden"), 0);
}

static void what_is_no_notice_is_replaced(void **state)
{
	static const char *const keys[] = { "quota", "quota 1 2 3 4", "quota 1 0 3 0 9",
		"quota 1 2 3 x 9", "quota 1 2 3 9", "quote 1 2 3 4 9", "quota -1 2 3 4 9" };
	char text[160];

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		begin(&session, STORE_IMAP);
		snprintf(text, sizeof(text), "UPDATE message SET key = '%s' WHERE key <> ''",
			keys[i]);
		(void)sql(&folder, text);
		begin(&other, STORE_IMAP);
		assert_true(strcmp(notice_id(&other), notice_id(&session)) != 0);
	}
	assert_int_equal(notices(), 1);
}

static void a_wrong_clock_does_not_silence_it(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	maildrop_mark(session.drop, 4);
	assert_ok(session_update(&session));
	(void)sql(&folder, "UPDATE message SET arrival = arrival + 1000000000");
	begin(&other, STORE_IMAP);
	assert_int_equal(maildrop_count(other.drop), 4);
}

static void unwritten_it_is_not_shown(void **state)
{
	(void)state;
	(void)sql(&folder, "CREATE TRIGGER t BEFORE INSERT ON message BEGIN SELECT raise(ABORT, "
			   "'no'); END");
	assert_ok(session_open(&session, registry));
	assert_error(session.opening.note, ERR_PERM, "no");
	assert_int_equal(maildrop_count(session.drop), 3);
	(void)sql(&folder, "DROP TRIGGER t");
	begin(&other, STORE_IMAP);
	assert_string_equal(other.opening.note.detail, "");
	assert_int_equal(maildrop_count(other.drop), 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static int group_set_up(void **state)
{
	(void)state;
	runtime_init();
	return 0;
}

static int group_tear_down(void **state)
{
	(void)state;
	runtime_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stands_last_from_the_warning_on),
		TEST(nobody_is_warned_where_no_warning_is_set),
		TEST(is_a_message_of_its_listed_size),
		TEST(a_login_that_is_no_address_is_not_named),
		TEST(a_full_mailbox_is_called_so),
		TEST(one_of_a_day_is_the_same_in_every_session),
		TEST(is_as_new_as_it_gets),
		TEST(its_id_lies_beside_all_others),
		TEST(its_number_is_one_of_the_maildrops),
		TEST(deleted_it_stays_away_for_the_day),
		TEST(without_quit_it_is_still_there),
		TEST(goes_together_with_messages),
		TEST(a_deletion_that_is_not_remembered_failed),
		TEST(goes_when_there_is_room_again),
		TEST(a_new_day_brings_a_new_one),
		TEST(what_is_no_notice_is_replaced),
		TEST(a_wrong_clock_does_not_silence_it),
		TEST(unwritten_it_is_not_shown),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
