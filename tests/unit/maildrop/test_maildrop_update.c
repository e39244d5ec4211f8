/* QUIT: what is asked of the store, what the registry remembers, what the client may be told. */
#include "fixture.h"

#include <string.h>

#include <sqlite3.h>

static struct folder folder;
static struct registry *registry;
static struct mail mail;
static struct session session, next;

static int set_up(void **state)
{
	(void)state;
	folder_make(&folder);
	registry = registry_at(&folder);
	for (uint32_t uid = 1; uid <= 5; uid++)
		mail_add_imap(&mail, 0, 7, uid);
	session_init(&session, STORE_IMAP, &mail);
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

#define ID(uid) (7ull << 32 | (uid))

static void assert_removed(size_t asked, size_t removed, size_t hidden)
{
	assert_int_equal(session.outcome.asked, asked);
	assert_int_equal(session.outcome.removed, removed);
	assert_int_equal(session.outcome.hidden, hidden);
}

/* The uids that a new session shows. */
static void assert_shown(const char *expected)
{
	struct buffer text = { 0 };

	session_init(&next, STORE_IMAP, &mail);
	assert_ok(session_open(&next, registry));
	for (size_t i = 1; i <= maildrop_count(next.drop); i++)
		buffer_printf(&text, "%llu ",
			strtoull(maildrop_unique_id(next.drop, i), NULL, 10) - ID(0));
	buffer_append(&text, "", 1);
	assert_string_equal(text.data, expected);
	buffer_done(&text);
	session_done(&next);
}

static void open_and_mark(struct registry *with, size_t first, size_t second)
{
	assert_ok(session_open(&session, with));
	maildrop_mark(session.drop, first);
	maildrop_mark(session.drop, second);
}

static void nothing_to_do_asks_nothing(void **state)
{
	(void)state;
	open_and_mark(registry, 1, 2);
	maildrop_unmark_all(session.drop);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 0);
	assert_removed(0, 0, 0);
	assert_shown("1 2 3 4 5 ");
}

static void exactly_the_marked_are_removed(void **state)
{
	(void)state;
	session.tenant.maildrop.order = ORDER_NEWEST_FIRST;
	open_and_mark(registry, 1, 4);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 1);
	assert_int_equal(session.script.asked.how, DELETE_EXPUNGE);
	assert_int_equal(session.script.asked.n_remove, 2);
	assert_int_equal(session.script.asked.remove[0], 4);
	assert_int_equal(session.script.asked.remove[1], 1);
	assert_removed(2, 2, 0);
	assert_string_equal(session.outcome.removed_ids[0], "30064771077");
	assert_string_equal(session.outcome.removed_ids[1], "30064771074");
	assert_shown("1 3 4 ");
}

static void trash_is_passed_on(void **state)
{
	(void)state;
	session.tenant.maildrop.on_delete = DELETE_TRASH;
	open_and_mark(NULL, 1, 2);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.asked.how, DELETE_TRASH);
	assert_removed(2, 2, 0);
}

static void retrieved_messages_become_seen(void **state)
{
	(void)state;
	mail.messages[1].seen = true;
	open_and_mark(registry, 3, 3);
	assert_ok(session_fetch(&session, 1, FETCH_ALL)); /* to be marked */
	assert_ok(session_fetch(&session, 2, FETCH_ALL)); /* seen already */
	assert_ok(session_fetch(&session, 4, FETCH_TOP)); /* only looked at */
	session.script.fetch_error = err_make(ERR_PEER, "client is gone");
	assert_error(session_fetch(&session, 5, FETCH_ALL), ERR_PEER, "gone");
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 1);
	assert_int_equal(session.script.asked.n_seen, 1);
	assert_int_equal(session.script.asked.seen[0], 0);
}

static void removed_messages_need_no_flag(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	assert_ok(session_fetch(&session, 1, FETCH_ALL));
	maildrop_mark(session.drop, 1);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.asked.n_remove, 1);
	assert_int_equal(session.script.asked.n_seen, 0);
}

static void seen_can_be_turned_off(void **state)
{
	(void)state;
	session.tenant.maildrop.mark_seen = false;
	assert_ok(session_open(&session, registry));
	assert_ok(session_fetch(&session, 1, FETCH_ALL));
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 0);
}

static void failing_to_mark_seen_fails_nothing(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	assert_ok(session_fetch(&session, 1, FETCH_ALL));
	session.script.update_error = err_make(ERR_TEMP, "STORE failed");
	assert_ok(session_update(&session));
	assert_error(session.outcome.note, ERR_TEMP, "STORE failed");
}

static void partial_removal(void **state)
{
	const enum removal_result results[] = { REMOVAL_FAILED, REMOVAL_DONE };

	(void)state;
	session.script.results = results;
	open_and_mark(registry, 2, 3);
	assert_error(session_update(&session), ERR_TEMP, "removed 1 of 2");
	assert_removed(2, 1, 0);
	assert_string_equal(session.outcome.removed_ids[0], "30064771075");
	assert_shown("1 2 4 5 ");
}

static void error_of_the_store_is_passed_on(void **state)
{
	const enum removal_result results[] = { REMOVAL_DONE, REMOVAL_FAILED };

	(void)state;
	session.script.results = results;
	session.script.update_error = err_make(ERR_PERM, "NOPERM");
	open_and_mark(registry, 2, 3);
	assert_error(session_update(&session), ERR_PERM, "removed 1 of 2 messages: NOPERM");
	assert_removed(2, 1, 0);
}

static void error_after_all_are_gone_is_a_note(void **state)
{
	(void)state;
	session.script.update_error = err_make(ERR_TEMP, "connection lost");
	open_and_mark(registry, 2, 3);
	assert_ok(session_update(&session));
	assert_removed(2, 2, 0);
	assert_error(session.outcome.note, ERR_TEMP, "connection lost");
}

static void senseless_results_count_as_failures(void **state)
{
	const enum removal_result results[] = { (enum removal_result)3, REMOVAL_DONE };

	(void)state;
	session.script.results = results;
	open_and_mark(registry, 2, 3);
	assert_error(session_update(&session), ERR_TEMP, "removed 1 of 2");
	assert_removed(2, 1, 0);
}

static void flagged_messages_are_hidden(void **state)
{
	const enum removal_result results[] = { REMOVAL_FLAGGED, REMOVAL_DONE };

	(void)state;
	session.script.results = results;
	open_and_mark(registry, 2, 3);
	assert_ok(session_update(&session));
	assert_removed(2, 2, 1);
	assert_int_equal(mail.n, 4);
	assert_shown("1 4 5 ");
	registry_close(registry);
	registry = registry_at(&folder);
	assert_shown("1 4 5 ");
}

static void flagged_messages_need_a_registry(void **state)
{
	const enum removal_result results[] = { REMOVAL_FLAGGED, REMOVAL_DONE };

	(void)state;
	session.script.results = results;
	open_and_mark(NULL, 2, 3);
	assert_error(session_update(&session), ERR_PERM, "needs a registry");
	assert_removed(2, 1, 0);
	assert_shown("1 2 4 5 ");
}

static void hide(void **state)
{
	(void)state;
	session.tenant.maildrop.on_delete = DELETE_HIDE;
	open_and_mark(registry, 1, 5);
	assert_ok(session_fetch(&session, 2, FETCH_ALL));
	assert_ok(session_update(&session));
	assert_int_equal(session.script.asked.n_remove, 0);
	assert_int_equal(session.script.asked.n_seen, 1);
	assert_removed(2, 2, 0);
	assert_string_equal(session.outcome.removed_ids[1], "30064771077");
	assert_int_equal(mail.n, 5);
	assert_shown("2 3 4 ");
}

static void hide_needs_a_registry(void **state)
{
	(void)state;
	session.tenant.maildrop.on_delete = DELETE_HIDE;
	open_and_mark(NULL, 1, 5);
	assert_error(session_update(&session), ERR_PERM, "needs a registry");
	assert_removed(2, 0, 0);
}

static void hide_in_a_maildir(void **state)
{
	(void)state;
	mail_done(&mail);
	for (int i = 0; i < 3; i++)
		mail_add_maildir(&mail, 0, (const char *[]){ "a", "b", "c" }[i], 10 + i);
	session.tenant.store = STORE_MAILDIR;
	session.tenant.maildrop.on_delete = DELETE_HIDE;
	open_and_mark(registry, 2, 2);
	assert_ok(session_update(&session));
	assert_string_equal(session.outcome.removed_ids[0], "2");
	mail_add_maildir(&mail, 0, "d", 20);
	session_init(&next, STORE_MAILDIR, &mail);
	assert_ok(session_open(&next, registry));
	assert_string_equal(session_ids(&next), "1 3 4");
	session_done(&next);
}

static void ignore(void **state)
{
	uint64_t before;

	(void)state;
	session.tenant.maildrop.on_delete = DELETE_IGNORE;
	open_and_mark(registry, 1, 5);
	before = folder_fingerprint(&folder);
	assert_ok(session_update(&session));
	assert_int_equal(session.script.updates, 0);
	assert_removed(2, 2, 0);
	assert_int_equal(folder_fingerprint(&folder), before);
	assert_shown("1 2 3 4 5 ");
}

static void ignore_keeps_a_maildirs_numbers(void **state)
{
	(void)state;
	mail_done(&mail);
	mail_add_maildir(&mail, 0, "a", 10);
	session.tenant.store = STORE_MAILDIR;
	session.tenant.maildrop.on_delete = DELETE_IGNORE;
	open_and_mark(registry, 1, 1);
	assert_ok(session_update(&session));
	session_init(&next, STORE_MAILDIR, &mail);
	assert_ok(session_open(&next, registry));
	assert_string_equal(session_ids(&next), "1");
	session_done(&next);
}

/* The registry can be read but not written: another process holds the lock for good. */
static struct err update_while_locked(void)
{
	struct err e;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(folder.database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	e = session_update(&session);
	sqlite3_close(db);
	return e;
}

static void use_impatient_registry(void)
{
	registry_close(registry);
	assert_ok(registry_sqlite_open(folder.database, 20, &registry));
}

static void what_cannot_be_hidden_is_not_removed(void **state)
{
	const enum removal_result results[] = { REMOVAL_FLAGGED, REMOVAL_DONE };

	(void)state;
	use_impatient_registry();
	session.script.results = results;
	open_and_mark(registry, 2, 3);
	assert_error(update_while_locked(), ERR_TEMP, "removed 1 of 2");
	assert_removed(2, 1, 0);
	assert_string_equal(session.outcome.removed_ids[0], "30064771075");
	assert_shown("1 2 4 5 ");
}

static void what_is_gone_is_removed_whatever_the_registry_says(void **state)
{
	(void)state;
	use_impatient_registry();
	open_and_mark(registry, 2, 3);
	maildrop_measured(session.drop, 1, 5);
	assert_ok(update_while_locked());
	assert_removed(2, 2, 0);
	assert_error(session.outcome.note, ERR_TEMP, "locked");
}

static int64_t entries(void)
{
	return sql(&folder, "SELECT count(*) FROM message");
}

static int64_t hidden_entries(void)
{
	return sql(&folder, "SELECT count(*) FROM message WHERE hidden");
}

static void hidden_entries_go_after_their_messages(void **state)
{
	(void)state;
	session.tenant.maildrop.on_delete = DELETE_HIDE;
	open_and_mark(registry, 1, 2);
	assert_ok(session_update(&session));
	session_done(&session);
	assert_int_equal(hidden_entries(), 2);

	/* Somebody expunges uid 1; the next login notices, one a week later forgets. */
	mail_remove(&mail, 0);
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.on_delete = DELETE_HIDE;
	open_and_mark(registry, 1, 1);
	assert_ok(session_update(&session));
	session_done(&session);
	assert_int_equal(hidden_entries(), 3);
	assert_int_equal(entries(), 5);
	sql(&folder, "UPDATE message SET missing = missing - 7 * 86400");
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.on_delete = DELETE_HIDE;
	open_and_mark(registry, 1, 1);
	assert_ok(session_update(&session));
	session_done(&session);
	mail_add_imap(&mail, 0, 7, 6);
	assert_shown("5 6 ");
	assert_int_equal(hidden_entries(), 3);
	assert_int_equal(entries(), 5);
}

static void removed_entries_go_at_once(void **state)
{
	(void)state;
	assert_ok(session_open(&session, registry));
	maildrop_measured(session.drop, 1, 5);
	maildrop_measured(session.drop, 2, 5);
	maildrop_mark(session.drop, 2);
	assert_ok(session_update(&session));
	session_done(&session);
	assert_int_equal(entries(), 4);
	session_init(&session, STORE_IMAP, &mail);
	open_and_mark(registry, 1, 1);
	assert_ok(session_update(&session));
	assert_int_equal(entries(), 3);
}

#define update_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
		update_test(nothing_to_do_asks_nothing),
		update_test(exactly_the_marked_are_removed),
		update_test(trash_is_passed_on),
		update_test(retrieved_messages_become_seen),
		update_test(removed_messages_need_no_flag),
		update_test(seen_can_be_turned_off),
		update_test(failing_to_mark_seen_fails_nothing),
		update_test(partial_removal),
		update_test(error_of_the_store_is_passed_on),
		update_test(error_after_all_are_gone_is_a_note),
		update_test(senseless_results_count_as_failures),
		update_test(flagged_messages_are_hidden),
		update_test(flagged_messages_need_a_registry),
		update_test(hide),
		update_test(hide_needs_a_registry),
		update_test(hide_in_a_maildir),
		update_test(ignore),
		update_test(ignore_keeps_a_maildirs_numbers),
		update_test(what_cannot_be_hidden_is_not_removed),
		update_test(what_is_gone_is_removed_whatever_the_registry_says),
		update_test(hidden_entries_go_after_their_messages),
		update_test(removed_entries_go_at_once),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
