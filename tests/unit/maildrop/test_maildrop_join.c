/* What becomes of unique-ids when a store changes more than it should: renumberings, too many
 * changes, other formats, ids of other servers, and what is foreseen of all this. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

static struct folder folder;
static struct registry *registry;
static struct mail mail;
static struct session session;

static int set_up(void **state)
{
	(void)state;
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
	fake_clock = 1;
	return 0;
}

static void begin(enum store_kind store)
{
	if (session.arena)
		session_done(&session);
	session_init(&session, store, &mail);
}

/* n messages of one folder, each with a size and a time of its own where they can be told. */
static void fill(uint32_t uidvalidity, uint32_t n, bool tellable)
{
	while (mail.n)
		mail_remove(&mail, mail.n - 1);
	mail.folders[0] = (struct mail_folder){ .uidnext = 1 };
	for (uint32_t uid = 1; uid <= n; uid++) {
		mail_add_imap(&mail, 0, uidvalidity, uid);
		if (!tellable)
			continue;
		mail.messages[mail.n - 1].size = 1000 + uid;
		mail.messages[mail.n - 1].arrival = 1700000000 + uid;
	}
}

static const char *ids(enum store_kind store)
{
	begin(store);
	assert_ok(session_open(&session, registry));
	return session_ids(&session);
}

static void renumbered_messages_keep_their_ids(void **state)
{
	char before[64];

	(void)state;
	fill(7, 2, true);
	snprintf(before, sizeof(before), "%s", ids(STORE_IMAP));
	assert_string_equal(before, "30064771073 30064771074");
	fill(9, 2, true);
	assert_string_equal(ids(STORE_IMAP), before);
	/* From now on new ones get numbers: no computed id can meet an old one. */
	mail_add_imap(&mail, 0, 9, 3);
	assert_string_equal(ids(STORE_IMAP), "30064771073 30064771074 18446744073709551617");
}

static void a_maildir_that_became_a_mailbox_keeps_its_ids(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		mail_add_maildir(&mail, 0, i ? "b" : "a", 1700000001 + i);
		mail.messages[i].size = 1001 + i;
	}
	assert_string_equal(ids(STORE_MAILDIR), "1 2");
	fill(7, 3, true);
	assert_string_equal(ids(STORE_IMAP), "1 2 18446744073709551619");
}

/* The server has given the UID of a message that was deleted to another one. */
static void a_spent_uid_makes_no_id(void **state)
{
	(void)state;
	fill(7, 3, true);
	begin(STORE_IMAP);
	assert_ok(session_open(&session, registry));
	maildrop_mark(session.drop, 3);
	assert_ok(session_update(&session));
	mail.folders[0].uidnext = 3;
	mail_add_imap(&mail, 0, 7, 3);
	assert_string_equal(ids(STORE_IMAP), "30064771073 30064771074 18446744073709551617");
}

static void assert_refused(size_t changed, size_t known)
{
	char text[64];
	uint64_t before;

	begin(STORE_IMAP);
	before = folder_fingerprint(&folder);
	snprintf(text, sizeof(text), "%zu of %zu messages", changed, known);
	assert_error(session_open(&session, registry), ERR_TEMP, text);
	assert_true(session.opening.refused_changes);
	assert_int_equal(folder_fingerprint(&folder), before);
}

static void too_many_changes_are_refused_until_they_are_accepted(void **state)
{
	(void)state;
	fill(7, 100, false);
	(void)ids(STORE_IMAP);
	fill(9, 100, false);
	assert_refused(100, 100);
	begin(STORE_IMAP);
	assert_error(session_open(&session, registry), ERR_TEMP,
		"popgate uidl verify --accept user@example");
	(void)sql(&folder, "UPDATE maildrop SET flags = 2, revision = revision + 1");
	begin(STORE_IMAP);
	assert_ok(session_open(&session, registry));
	assert_false(session.opening.refused_changes);
	assert_int_equal(maildrop_count(session.drop), 100);
	/* Once. */
	assert_int_equal(sql(&folder, "SELECT flags FROM maildrop"), REGISTRY_NUMBERS);
	fill(11, 100, false);
	assert_refused(100, 100);
}

static void few_changes_are_no_reason(void **state)
{
	(void)state;
	fill(7, 49, false);
	(void)ids(STORE_IMAP);
	fill(9, 49, false);
	(void)ids(STORE_IMAP);
	/* Twenty percent of many. */
	fill(10, 300, true);
	(void)ids(STORE_IMAP);
	fill(11, 300, true);
	for (size_t i = 0; i < 60; i++)
		mail.messages[i].size = 1;
	(void)ids(STORE_IMAP);
	for (size_t i = 0; i < 300; i++)
		mail.messages[i].uidvalidity = 12;
	mail.folders[0].uidvalidity = 12;
	for (size_t i = 60; i < 121; i++)
		mail.messages[i].size = 2;
	assert_refused(61, 300);
}

/* A user may delete all he has and get new mail. */
static void new_mail_is_no_change(void **state)
{
	(void)state;
	fill(7, 100, true);
	(void)ids(STORE_IMAP);
	while (mail.n)
		mail_remove(&mail, 0);
	for (uint32_t uid = 101; uid <= 200; uid++)
		mail_add_imap(&mail, 0, 7, uid);
	(void)ids(STORE_IMAP);
	assert_int_equal(maildrop_count(session.drop), 100);
}

static void every_limit_can_be_lifted(void **state)
{
	(void)state;
	fill(7, 100, false);
	(void)ids(STORE_IMAP);
	fill(9, 100, false);
	begin(STORE_IMAP);
	session.tenant.uidl.max_changed = 100;
	assert_ok(session_open(&session, registry));
}

static const char *ids_of_format(const char *format)
{
	begin(STORE_IMAP);
	session.tenant.uidl.format = format;
	assert_ok(session_open(&session, registry));
	return session_ids(&session);
}

static void a_template_names_what_is_new(void **state)
{
	(void)state;
	fill(7, 1, true);
	assert_string_equal(ids(STORE_IMAP), "30064771073");
	mail_add_imap(&mail, 0, 7, 2);
	assert_string_equal(
		ids_of_format("%{uid:hex8}%{uidvalidity:hex8}"), "30064771073 0000000200000007");
	/* What it would name like another gets a number. */
	mail_add_imap(&mail, 0, 7, 3);
	mail_add_imap(&mail, 0, 7, 4);
	assert_string_equal(
		ids_of_format("same"), "30064771073 0000000200000007 same 18446744073709551617");
	assert_string_equal(
		ids(STORE_IMAP), "30064771073 0000000200000007 same 18446744073709551617");
}

static void adopt(const char *key, const char *unique_id, uint64_t size)
{
	char text[400];

	(void)sql(&folder, "INSERT OR IGNORE INTO maildrop (tenant, login, revision) VALUES "
			   "('tenant', 'user@example', 1)");
	(void)sql(&folder, "INSERT OR IGNORE INTO folder (maildrop, name) VALUES (1, 'INBOX')");
	snprintf(text, sizeof(text),
		"INSERT INTO message (folder, uidvalidity, uid, key, unique_id, size, exact, "
		"missing, hidden) VALUES (1, 0, 0, '%s', '%s', %llu, 0, unixepoch(), 0)",
		key, unique_id, (unsigned long long)size);
	(void)sql(&folder, text);
}

static void adopted_ids_are_taken_over(void **state)
{
	(void)state;
	adopt("/1", "old-1", 1001);
	adopt("/2", "old-2", 1002);
	adopt("/3", "old-9", 9999);
	fill(7, 3, true);
	assert_string_equal(ids(STORE_IMAP), "old-1 old-2 18446744073709551617");
	assert_string_equal(ids(STORE_IMAP), "old-1 old-2 18446744073709551617");
	/* It may come yet. */
	mail_add_imap(&mail, 0, 7, 4);
	mail.messages[3].size = 9999;
	assert_string_equal(ids(STORE_IMAP), "old-1 old-2 18446744073709551617 old-9");
	assert_int_equal(sql(&folder, "SELECT count(*) FROM message"), 4);
}

/* One id for two messages would be worse than a new one. */
static void an_adopted_id_that_is_taken_is_not_given(void **state)
{
	(void)state;
	fill(7, 1, true);
	assert_string_equal(ids(STORE_IMAP), "30064771073");
	adopt("/1", "30064771073", 1002);
	(void)sql(&folder, "UPDATE maildrop SET revision = revision + 1");
	mail_add_imap(&mail, 0, 7, 2);
	mail.messages[1].size = 1002;
	assert_string_equal(ids(STORE_IMAP), "30064771073 18446744073709551617");
}

static struct maildrop_preview preview;

static void call_foresee(void *arg)
{
	assert_ok(maildrop_foresee(
		&session.account, &session.backend.backend, arg, session.arena, &preview));
}

static void foresee(void)
{
	uint64_t before = folder_fingerprint(&folder);

	begin(STORE_IMAP);
	in_fiber(call_foresee, registry);
	assert_int_equal(folder_fingerprint(&folder), before);
}

static void assert_row(size_t row, enum preview_status status, const char *unique_id)
{
	assert_true(row < preview.n);
	assert_int_equal(preview.rows[row].status, status);
	assert_string_equal(preview.rows[row].unique_id, unique_id);
}

static void what_will_be_is_foreseen(void **state)
{
	(void)state;
	fill(7, 3, true);
	(void)ids(STORE_IMAP);
	adopt("/1", "old-1", 1004);
	adopt("/2", "old-2", 9999);
	(void)sql(&folder, "UPDATE maildrop SET revision = revision + 1");
	mail_remove(&mail, 1);
	mail_add_imap(&mail, 0, 7, 4);
	mail.messages[2].size = 1004;
	mail_add_imap(&mail, 0, 7, 5);
	foresee();
	assert_int_equal(preview.n, 6);
	assert_row(0, PREVIEW_KEPT, "30064771073");
	assert_row(1, PREVIEW_KEPT, "30064771075");
	assert_row(2, PREVIEW_ADOPTED, "old-1");
	assert_int_equal(preview.rows[3].status, PREVIEW_NEW);
	assert_row(4, PREVIEW_MISSING, "old-2");
	assert_row(5, PREVIEW_MISSING, "30064771074");
	assert_int_equal(preview.counts[PREVIEW_KEPT], 2);
	assert_int_equal(preview.changed, 0);
	assert_false(preview.refused);
}

static void a_refusal_is_foreseen(void **state)
{
	(void)state;
	fill(7, 100, false);
	(void)ids(STORE_IMAP);
	fill(9, 100, false);
	foresee();
	assert_int_equal(preview.counts[PREVIEW_CHANGED], 100);
	assert_int_equal(preview.counts[PREVIEW_MISSING], 100);
	assert_int_equal(preview.changed, 100);
	assert_int_equal(preview.known, 100);
	assert_true(preview.refused);
	assert_false(preview.accepted);
	(void)sql(&folder, "UPDATE maildrop SET flags = 2, revision = revision + 1");
	foresee();
	assert_true(preview.accepted);
}

static struct session others[3];

/* What has not changed is neither read nor made again. */
static void what_is_the_same_is_shared(void **state)
{
	(void)state;
	fill(7, 5, true);
	session_init(&others[0], STORE_IMAP, &mail);
	assert_ok(session_open(&others[0], registry));
	assert_int_equal(others[0].script.fetched_messages, 5);
	for (size_t i = 1; i < 3; i++) {
		session_init_beside(&others[i], STORE_IMAP, &mail);
		others[i].account.tenant = others[0].account.tenant;
		assert_ok(session_open(&others[i], registry));
		assert_int_equal(others[i].script.fetched_messages, 0);
		assert_int_equal(others[i].script.unchanged, 1);
	}
	assert_ptr_equal(others[1].backend.listed, others[2].backend.listed);
	/* One goes, another may stay. */
	maildrop_mark(others[1].drop, 1);
	assert_ok(session_update(&others[1]));
	session_done(&others[1]);
	assert_int_equal(maildrop_count(others[2].drop), 5);
	assert_string_equal(maildrop_unique_id(others[2].drop, 1), "30064771073");
	session_init_beside(&others[1], STORE_IMAP, &mail);
	others[1].account.tenant = others[0].account.tenant;
	assert_ok(session_open(&others[1], registry));
	assert_int_equal(maildrop_count(others[1].drop), 4);
	assert_int_equal(others[1].script.fetched_messages, 0);
	for (size_t i = 3; i-- > 0;)
		session_done(&others[i]);
}

static void make_unwritable(void)
{
	(void)sql(&folder, "CREATE TRIGGER t BEFORE UPDATE ON maildrop BEGIN SELECT raise(ABORT, "
			   "'no'); END");
}

static void computed_ids_need_no_write(void **state)
{
	(void)state;
	fill(7, 2, true);
	(void)ids(STORE_IMAP);
	make_unwritable();
	mail_add_imap(&mail, 0, 7, 3);
	assert_string_equal(ids(STORE_IMAP), "30064771073 30064771074 30064771075");
	assert_error(session.opening.note, ERR_PERM, "no");
	/* What was renumbered does. */
	fill(9, 2, true);
	begin(STORE_IMAP);
	assert_error(session_open(&session, registry), ERR_PERM, "no");
}

static void numbers_need_a_write(void **state)
{
	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	assert_string_equal(ids(STORE_MAILDIR), "1");
	make_unwritable();
	mail_add_maildir(&mail, 0, "b", 20);
	begin(STORE_MAILDIR);
	assert_error(session_open(&session, registry), ERR_PERM, "no");
	/* That one went needs none. */
	mail_remove(&mail, 1);
	mail_remove(&mail, 0);
	assert_string_equal(ids(STORE_MAILDIR), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
		TEST(renumbered_messages_keep_their_ids),
		TEST(a_maildir_that_became_a_mailbox_keeps_its_ids),
		TEST(a_spent_uid_makes_no_id),
		TEST(too_many_changes_are_refused_until_they_are_accepted),
		TEST(few_changes_are_no_reason),
		TEST(new_mail_is_no_change),
		TEST(every_limit_can_be_lifted),
		TEST(a_template_names_what_is_new),
		TEST(adopted_ids_are_taken_over),
		TEST(an_adopted_id_that_is_taken_is_not_given),
		TEST(what_will_be_is_foreseen),
		TEST(a_refusal_is_foreseen),
		TEST(what_is_the_same_is_shared),
		TEST(computed_ids_need_no_write),
		TEST(numbers_need_a_write),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
