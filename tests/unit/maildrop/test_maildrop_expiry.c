/* expire_after: what QUIT removes for its age, and what it never touches. */
#include "fixture.h"

#include <string.h>
#include <time.h>

static struct folder folder;
static struct registry *registry;
static struct mail mail;
static struct session session, next;

#define DAY ((int64_t)24 * 60 * 60)
#define AGE (30 * DAY)

/* An IMAP message that came so many seconds ago. */
static void add(uint32_t uid, int64_t age)
{
	mail_add_imap(&mail, 0, 7, uid);
	mail.messages[mail.n - 1].arrival = time(NULL) - age;
}

static void start(struct session *s)
{
	session_init(s, STORE_IMAP, &mail);
	s->tenant.maildrop.expire_after = AGE * 1000;
}

static int set_up(void **state)
{
	(void)state;
	folder_make(&folder);
	registry = registry_at(&folder);
	add(1, AGE + DAY);
	add(2, AGE - DAY);
	add(3, AGE + 3600);
	add(4, 0);
	start(&session);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	session_done(&session);
	mail_done(&mail);
	registry_close(registry);
	folder_remove(&folder);
	return 0;
}

static void assert_expired(size_t n)
{
	assert_int_equal(session.outcome.asked, 0);
	assert_int_equal(session.outcome.removed, 0);
	assert_int_equal(session.outcome.expired, n);
}

static void old_messages_go_at_quit(void **state)
{
	const struct maildrop_expired *expired;

	(void)state;
	assert_ok(session_open(&session, registry));
	assert_int_equal(maildrop_count(session.drop), 4);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.asked.how, DELETE_EXPUNGE);
	assert_int_equal(session.script.asked.n_remove, 2);
	assert_int_equal(session.script.asked.remove[0], 0);
	assert_int_equal(session.script.asked.remove[1], 2);
	assert_expired(2);
	expired = session.outcome.expired_messages;
	assert_string_equal(expired[0].unique_id, "30064771073");
	assert_string_equal(expired[1].unique_id, "30064771075");
	assert_in_range(expired[0].age, AGE + DAY, AGE + DAY + 60);
	assert_int_equal(expired[0].arrival + expired[0].age, expired[1].arrival + expired[1].age);
	assert_int_equal(mail.n, 2);
}

static void nothing_expires_without_quit(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	session_done(&session);
	assert_int_equal(mail.n, 4);
}

static void nothing_expires_by_default(void **state)
{
	(void)state;
	session.tenant.maildrop.expire_after = DURATION_NEVER;
	assert_ok(session_open(&session, registry));
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 0);
	assert_expired(0);
}

/* Unknown, of a clock that was not set, in the future, and to the second as old as may be. */
static void an_age_that_is_none_is_no_reason(void **state)
{
	static const int64_t arrivals[] = { 0, 1, 86400, 473385599, INT64_MAX };

	(void)state;
	for (uint32_t i = 0; i < sizeof(arrivals) / sizeof(arrivals[0]); i++) {
		add(10 + i, 0);
		mail.messages[mail.n - 1].arrival = arrivals[i];
	}
	add(20, AGE - 60);
	add(21, -DAY);
	assert_ok(session_open(&session, registry));
	assert_ok(session_update(&session));
	assert_expired(2);
	assert_int_equal(mail.n, 4 + 7 - 2);
}

static void what_was_not_shown_does_not_expire(void **state)
{
	(void)state;
	session.tenant.maildrop.max_messages = 2;
	assert_ok(session_open(&session, registry));
	assert_ok(session_update(&session));
	assert_expired(1);
	assert_int_equal(session.script.asked.remove[0], 2);
}

static void what_came_after_the_snapshot_does_not_expire(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	add(5, AGE + DAY);
	assert_ok(session_update(&session));
	assert_expired(2);
	assert_int_equal(mail.n, 3);
}

static void marked_messages_are_deleted_not_expired(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	maildrop_mark(session.drop, 1);
	maildrop_mark(session.drop, 4);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 1);
	assert_int_equal(session.script.asked.n_remove, 3);
	assert_int_equal(session.outcome.asked, 2);
	assert_int_equal(session.outcome.removed, 2);
	assert_string_equal(session.outcome.removed_ids[0], "30064771073");
	assert_string_equal(session.outcome.removed_ids[1], "30064771076");
	assert_int_equal(session.outcome.expired, 1);
	assert_string_equal(session.outcome.expired_messages[0].unique_id, "30064771075");
}

static void expired_messages_need_no_flag(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	assert_ok(session_fetch(&session, 1, FETCH_ALL));
	assert_ok(session_fetch(&session, 2, FETCH_ALL));
	assert_ok(session_update(&session));
	assert_int_equal(session.script.asked.n_seen, 1);
	assert_int_equal(session.script.asked.seen[0], 1);
}

static void trash_takes_the_expired(void **state)
{
	(void)state;
	session.tenant.maildrop.on_delete = DELETE_TRASH;
	assert_ok(session_open(&session, registry));
	assert_ok(session_update(&session));
	assert_int_equal(session.script.asked.how, DELETE_TRASH);
	assert_expired(2);
}

static void hide_hides_the_expired(void **state)
{
	(void)state;
	session.tenant.maildrop.on_delete = DELETE_HIDE;
	assert_ok(session_open(&session, registry));
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 0);
	assert_expired(2);
	assert_int_equal(session.outcome.hidden, 0);
	assert_int_equal(mail.n, 4);
	start(&next);
	assert_ok(session_open(&next, registry));
	assert_int_equal(maildrop_count(next.drop), 2);
	session_done(&next);
}

static void ignore_expires_nothing(void **state)
{
	(void)state;
	session.tenant.maildrop.on_delete = DELETE_IGNORE;
	assert_ok(session_open(&session, registry));
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 0);
	assert_expired(0);
}

static void flagged_expired_messages_are_hidden(void **state)
{
	static const enum removal_result results[] = { REMOVAL_FLAGGED, REMOVAL_FLAGGED };

	(void)state;
	session.script.results = results;
	assert_ok(session_open(&session, registry));
	assert_ok(session_update(&session));
	assert_expired(2);
	assert_int_equal(session.outcome.hidden, 2);
}

static void what_the_store_keeps_is_a_note(void **state)
{
	static const enum removal_result results[] = { REMOVAL_DONE, REMOVAL_FAILED };

	(void)state;
	session.script.results = results;
	assert_ok(session_open(&session, registry));
	assert_ok(session_update(&session));
	assert_expired(1);
	assert_string_equal(session.outcome.expired_messages[0].unique_id, "30064771073");
	assert_string_equal(session.outcome.note.detail, "the store kept 1 of 2 expired messages");
}

static void a_store_that_fails_fails_only_what_was_asked(void **state)
{
	static const enum removal_result none[] = { REMOVAL_FAILED, REMOVAL_FAILED,
		REMOVAL_FAILED };

	(void)state;
	session.script.results = none;
	session.script.update_error = err_make(ERR_TEMP, "store is gone");
	assert_ok(session_open(&session, registry));
	assert_ok(session_update(&session));
	assert_expired(0);
	assert_string_equal(session.outcome.note.detail, "store is gone");
	session_done(&session);
	start(&session);
	session.script.results = none;
	session.script.update_error = err_make(ERR_TEMP, "store is gone");
	assert_ok(session_open(&session, registry));
	maildrop_mark(session.drop, 4);
	assert_error(session_update(&session), ERR_TEMP, "removed 0 of 1 messages: store is gone");
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
		TEST(old_messages_go_at_quit),
		TEST(nothing_expires_without_quit),
		TEST(nothing_expires_by_default),
		TEST(an_age_that_is_none_is_no_reason),
		TEST(what_was_not_shown_does_not_expire),
		TEST(what_came_after_the_snapshot_does_not_expire),
		TEST(marked_messages_are_deleted_not_expired),
		TEST(expired_messages_need_no_flag),
		TEST(trash_takes_the_expired),
		TEST(hide_hides_the_expired),
		TEST(ignore_expires_nothing),
		TEST(flagged_expired_messages_are_hidden),
		TEST(what_the_store_keeps_is_a_note),
		TEST(a_store_that_fails_fails_only_what_was_asked),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
