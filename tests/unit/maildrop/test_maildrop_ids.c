/* Unique-ids over many sessions: they stay, they never come back, and they cost no write. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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
	mail_done(&mail);
	registry_close(registry);
	folder_remove(&folder);
	return 0;
}

static void restart(void)
{
	registry_close(registry);
	registry = registry_at(&folder);
}

/* The whole of the session that was set up; its ids in order of number must be these. */
static void assert_ids_with(struct registry *with, const char *expected)
{
	assert_ok(session_open(&session, with));
	assert_string_equal(session_ids(&session), expected);
	session_done(&session);
}

static void assert_ids(enum store_kind store, const char *expected)
{
	session_init(&session, store, &mail);
	assert_ids_with(registry, expected);
}

static void imap_ids_are_computed(void **state)
{
	uint64_t before;

	(void)state;
	mail_add_imap(&mail, 0, 1, 1);
	mail_add_imap(&mail, 0, 1, 4000000000u);
	assert_ids(STORE_IMAP, "4294967297 8294967296");
	assert_int_equal(sql(&folder, "SELECT count(unique_id) FROM message"), 0);
	before = folder_fingerprint(&folder);
	assert_ids(STORE_IMAP, "4294967297 8294967296");
	assert_int_equal(folder_fingerprint(&folder), before);
	restart();
	mail_add_imap(&mail, 0, 1, 4000000001u);
	mail_remove(&mail, 0);
	assert_ids(STORE_IMAP, "8294967296 8294967297");
}

/* (1 + hash) * 2^64 + 2^32 + 1 */
#define JUNK_ID  "7068646470640109362121539585"
#define OTHER_ID "37600755223117802997542813697"

/* Two folders may have the same UIDVALIDITY and UIDs. */
static void imap_folders_do_not_collide(void **state)
{
	const char *also[] = { "Junk", "Other" }, *turned[] = { "Other", "Junk" };

	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		mail_add_imap(&mail, i, 1, 1);
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.also = (struct string_list){ also, 2 };
	assert_ids_with(NULL, "4294967297 " JUNK_ID " " OTHER_ID);
	/* The folder's name makes the id, not its place in the configuration. */
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.also = (struct string_list){ turned, 2 };
	assert_ids_with(NULL, "4294967297 " OTHER_ID " " JUNK_ID);
}

/* Found by trying: the SHA-256 of both begins alike. */
static void folders_that_would_collide_are_refused(void **state)
{
	const char *also[] = { "Folder5103", "Folder5948" };

	(void)state;
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.also = (struct string_list){ also, 2 };
	assert_error(session_open(&session, NULL), ERR_PERM, "collide");
	session_done(&session);
	/* Names make no difference to a Maildir's ids. */
	session_init(&session, STORE_MAILDIR, &mail);
	session.tenant.maildrop.also = (struct string_list){ also, 2 };
	assert_ids_with(NULL, "");
}

static void maildir_numbers_in_order_of_arrival(void **state)
{
	(void)state;
	mail_add_maildir(&mail, 0, "c", 10);
	mail_add_maildir(&mail, 0, "a", 20);
	mail_add_maildir(&mail, 0, "b", 20);
	assert_ids(STORE_MAILDIR, "1 2 3");
	restart();
	assert_ids(STORE_MAILDIR, "1 2 3");
	mail_add_maildir(&mail, 0, "0", 30);
	assert_ids(STORE_MAILDIR, "1 2 3 4");
	/* One that comes late with an old date is new all the same. */
	mail_add_maildir(&mail, 0, "late", 5);
	assert_ids(STORE_MAILDIR, "5 1 2 3 4");
}

static void folders_are_numbered_together(void **state)
{
	const char *also[] = { "Junk" };

	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	mail_add_maildir(&mail, 0, "c", 30);
	mail_add_maildir(&mail, 1, "b", 20);
	session_init(&session, STORE_MAILDIR, &mail);
	session.tenant.maildrop.also = (struct string_list){ also, 1 };
	assert_ids_with(registry, "1 2 3");
	mail_remove(&mail, 2);
	assert_ids(STORE_MAILDIR, "1 3");
}

static void settings_do_not_change_ids(void **state)
{
	const char *also[] = { "Junk" };

	(void)state;
	for (int i = 0; i < 4; i++)
		mail_add_maildir(&mail, 0, (const char *[]){ "d", "c", "b", "a" }[i], 10 + i);
	session_init(&session, STORE_MAILDIR, &mail);
	session.tenant.maildrop.max_messages = 2;
	session.tenant.maildrop.order = ORDER_NEWEST_FIRST;
	assert_ids_with(registry, "4 3");
	assert_ids(STORE_MAILDIR, "1 2 3 4");
	session_init(&session, STORE_MAILDIR, &mail);
	session.tenant.maildrop.also = (struct string_list){ also, 1 };
	mail_add_maildir(&mail, 1, "a", 1); /* the same name, in another folder */
	assert_ids_with(registry, "5 1 2 3 4");
	/* Junk is not listed now; that is no reason to forget its numbers. */
	mail_remove(&mail, 4);
	mail_add_maildir(&mail, 0, "e", 20);
	assert_ids(STORE_MAILDIR, "1 2 3 4 6");
	mail_add_maildir(&mail, 1, "a", 1);
	session_init(&session, STORE_MAILDIR, &mail);
	session.tenant.maildrop.also = (struct string_list){ also, 1 };
	assert_ids_with(registry, "5 1 2 3 4 6");
	/* A login that opens the other folder as its main one sees the same ids. */
	while (mail.n)
		mail_remove(&mail, 0);
	mail_add_maildir(&mail, 0, "a", 1);
	session_init(&session, STORE_MAILDIR, &mail);
	session.account.folder = "Junk";
	assert_ids_with(registry, "5");
}

static void deleted_newest_is_not_reused(void **state)
{
	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	mail_add_maildir(&mail, 0, "b", 20);
	session_init(&session, STORE_MAILDIR, &mail);
	assert_ok(session_open(&session, registry));
	maildrop_mark(session.drop, 2);
	assert_ok(session_update(&session));
	session_done(&session);
	restart();
	mail_add_maildir(&mail, 0, "c", 30);
	assert_ids(STORE_MAILDIR, "1 3");
	/* The deleted one comes back (from the trash, say): new to the client, so a new id. */
	mail_add_maildir(&mail, 0, "b", 20);
	assert_ids(STORE_MAILDIR, "1 4 3");
}

static void unchanged_login_writes_nothing(void **state)
{
	uint64_t before;

	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	mail_add_maildir(&mail, 0, "b", 20);
	assert_ids(STORE_MAILDIR, "1 2");
	before = folder_fingerprint(&folder);
	assert_ids(STORE_MAILDIR, "1 2");
	assert_int_equal(folder_fingerprint(&folder), before);
	mail_remove(&mail, 0);
	assert_ids(STORE_MAILDIR, "2");
	before = folder_fingerprint(&folder);
	assert_ids(STORE_MAILDIR, "2");
	assert_int_equal(folder_fingerprint(&folder), before);
}

static int64_t entries(void)
{
	return sql(&folder, "SELECT count(*) FROM message");
}

static void vanished_entries_go_with_a_later_write(void **state)
{
	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	mail_add_maildir(&mail, 0, "b", 20);
	assert_ids(STORE_MAILDIR, "1 2");
	mail_remove(&mail, 1);
	mail_add_maildir(&mail, 0, "c", 30);
	assert_ids(STORE_MAILDIR, "1 3");
	/* Just missing, not yet forgotten. */
	assert_int_equal(entries(), 3);
	sql(&folder, "UPDATE message SET missing = missing - 7 * 86400");
	mail_add_maildir(&mail, 0, "d", 40);
	assert_ids(STORE_MAILDIR, "1 3 4");
	assert_int_equal(entries(), 3);
	/* Its number stays spent, also for itself. */
	mail_add_maildir(&mail, 0, "b", 50);
	assert_ids(STORE_MAILDIR, "1 3 4 5");
}

/* A registry on which something happens between a session's look and its write. */
struct racing_registry {
	struct registry base;
	struct registry *real;
	void (*meanwhile)(void);
};

fiber_fn static struct err racing_load(struct registry *base,
	const struct registry_maildrop *maildrop, struct arena *arena, struct registry_record *ret)
{
	struct racing_registry *racing = (struct racing_registry *)base;
	struct err e = registry_load(racing->real, maildrop, arena, ret);

	if (racing->meanwhile)
		racing->meanwhile();
	racing->meanwhile = NULL;
	return e;
}

fiber_fn static struct err racing_change(struct registry *base,
	const struct registry_maildrop *maildrop, const struct registry_change *change,
	uint64_t *ret_revision)
{
	struct racing_registry *racing = (struct racing_registry *)base;

	return registry_change(racing->real, maildrop, change, ret_revision);
}

static const struct registry_ops racing_ops = {
	.name = "racing",
	.load = racing_load,
	.change = racing_change,
};

/* Another session numbers the messages first; the newest comes first with it. */
static void other_session(void)
{
	static struct session other;
	static struct mail others_mail;
	struct maildrop_opening opening;

	mail_add_maildir(&others_mail, 0, "b", 10);
	mail_add_maildir(&others_mail, 0, "a", 20);
	session_init(&other, STORE_MAILDIR, &others_mail);
	if (failed(maildrop_open(&other.account, &other.backend.backend, registry, other.arena,
		    &opening, &other.drop)))
		abort();
	session_done(&other);
	mail_done(&others_mail);
}

static void ids_given_meanwhile_are_taken(void **state)
{
	struct racing_registry racing = {
		.base.ops = &racing_ops, .real = registry, .meanwhile = other_session
	};

	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	mail_add_maildir(&mail, 0, "b", 20);
	mail_add_maildir(&mail, 0, "c", 30);
	session_init(&session, STORE_MAILDIR, &mail);
	assert_ids_with(&racing.base, "2 1 3");
	assert_ids(STORE_MAILDIR, "2 1 3");
}

static void forget_a(void)
{
	sql(&folder, "DELETE FROM message WHERE key = 'a'");
	sql(&folder, "UPDATE maildrop SET revision = revision + 1");
}

static void entries_gone_meanwhile_are_not_shown(void **state)
{
	struct racing_registry racing = {
		.base.ops = &racing_ops, .real = registry, .meanwhile = forget_a
	};

	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	assert_ids(STORE_MAILDIR, "1");
	mail_add_maildir(&mail, 0, "b", 20);
	session_init(&session, STORE_MAILDIR, &mail);
	assert_ids_with(&racing.base, "2 3");
	assert_ids(STORE_MAILDIR, "2 3");
}

/* A listing may overlook a message that is there: renamed while the folder was read, or delivered
 * and numbered by another session after this one's listing. */
static void overlooked_message_keeps_its_id(void **state)
{
	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	mail_add_maildir(&mail, 0, "b", 20);
	assert_ids(STORE_MAILDIR, "1 2");
	mail_remove(&mail, 0);
	mail_add_maildir(&mail, 0, "c", 30);
	assert_ids(STORE_MAILDIR, "2 3");
	mail_add_maildir(&mail, 0, "d", 40);
	assert_ids(STORE_MAILDIR, "2 3 4");
	assert_int_equal(sql(&folder, "SELECT count(*) FROM message WHERE missing"), 1);
	mail_add_maildir(&mail, 0, "a", 10);
	assert_ids(STORE_MAILDIR, "1 2 3 4");
	/* Seen again: the next time that it is overlooked counts from the start. */
	assert_int_equal(sql(&folder, "SELECT count(*) FROM message WHERE missing"), 0);
}

static void users_have_numbers_of_their_own(void **state)
{
	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	assert_ids(STORE_MAILDIR, "1");
	session_init(&session, STORE_MAILDIR, &mail);
	session.account.login = "other@example";
	assert_ids_with(registry, "1");
	session_init(&session, STORE_MAILDIR, &mail);
	session.tenant.name = "second";
	assert_ids_with(registry, "1");
}

static void without_registry_names_make_ids(void **state)
{
	const char *also[] = { "Junk" };

	(void)state;
	mail_add_maildir(&mail, 0, "17.M1P2.host,S=5", 10);
	mail_add_maildir(&mail, 1, "17.M1P2.host,S=5", 20);
	session_init(&session, STORE_MAILDIR, &mail);
	session.tenant.maildrop.also = (struct string_list){ also, 1 };
	assert_ids_with(NULL, "17.M1P2.host~2CS=5 Junk/17.M1P2.host~2CS=5");
}

static int64_t measured(void)
{
	return sql(&folder, "SELECT count(measured) FROM message");
}

static void measured_size_is_remembered(void **state)
{
	uint64_t before;

	(void)state;
	mail_add_imap(&mail, 0, 1, 1);
	mail_add_imap(&mail, 0, 1, 2);
	mail.messages[0].exact = mail.messages[1].exact = false;
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, registry));
	before = folder_fingerprint(&folder);
	maildrop_measured(session.drop, 1, 100); /* as listed */
	maildrop_measured(session.drop, 2, 123);
	assert_int_equal(maildrop_size(session.drop, 2), 100);
	assert_int_equal(folder_fingerprint(&folder), before);
	assert_ok(session_update(&session));
	assert_int_equal(measured(), 1);
	session_done(&session);

	restart();
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, registry));
	assert_int_equal(maildrop_size(session.drop, 1), 100);
	assert_int_equal(maildrop_size(session.drop, 2), 123);
	assert_int_equal(maildrop_visible_octets(session.drop), 223);
	/* Measured again, nothing new. */
	before = folder_fingerprint(&folder);
	maildrop_measured(session.drop, 2, 123);
	assert_ok(session_update(&session));
	assert_int_equal(folder_fingerprint(&folder), before);
	session_done(&session);

	/* Where the store's own figures are wanted, they are shown. */
	session_init(&session, STORE_IMAP, &mail);
	session.tenant.maildrop.exact_rfc822_size = false;
	assert_ok(session_open(&session, registry));
	assert_int_equal(maildrop_size(session.drop, 2), 100);
	maildrop_measured(session.drop, 1, 55);
	assert_ok(session_update(&session));
	assert_int_equal(measured(), 1);
	session_done(&session);
}

static void measured_size_of_a_lost_session_is_lost(void **state)
{
	(void)state;
	mail_add_imap(&mail, 0, 1, 1);
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, registry));
	maildrop_measured(session.drop, 1, 123);
	session_done(&session);
	session_init(&session, STORE_IMAP, &mail);
	assert_ok(session_open(&session, registry));
	assert_int_equal(maildrop_size(session.drop, 1), 100);
	session_done(&session);
}

static void registry_trouble_fails_the_login(void **state)
{
	(void)state;
	mail_add_maildir(&mail, 0, "a", 10);
	sql(&folder, "DROP TABLE message");
	session_init(&session, STORE_MAILDIR, &mail);
	assert_error(session_open(&session, registry), ERR_PERM, "no such table");
	session_done(&session);
}

static void thousands_of_messages(void **state)
{
	const unsigned n = 20000;
	char key[32];

	(void)state;
	/* Arrival and name disagree, so that both orders have to be sorted. */
	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "%05u", i * 7919 % n);
		mail_add_maildir(&mail, 0, key, 1000 + i);
	}
	for (unsigned pass = 0; pass < 2; pass++) {
		session_init(&session, STORE_MAILDIR, &mail);
		assert_ok(session_open(&session, registry));
		for (unsigned i = 1; i <= n; i++) {
			snprintf(key, sizeof(key), "%u", i);
			assert_string_equal(maildrop_unique_id(session.drop, i), key);
		}
		session_done(&session);
	}
	assert_int_equal(entries(), n);
}

#define ids_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
		ids_test(imap_ids_are_computed),
		ids_test(imap_folders_do_not_collide),
		ids_test(folders_that_would_collide_are_refused),
		ids_test(maildir_numbers_in_order_of_arrival),
		ids_test(settings_do_not_change_ids),
		ids_test(deleted_newest_is_not_reused),
		ids_test(unchanged_login_writes_nothing),
		ids_test(vanished_entries_go_with_a_later_write),
		ids_test(overlooked_message_keeps_its_id),
		ids_test(ids_given_meanwhile_are_taken),
		ids_test(entries_gone_meanwhile_are_not_shown),
		ids_test(folders_are_numbered_together),
		ids_test(users_have_numbers_of_their_own),
		ids_test(without_registry_names_make_ids),
		ids_test(measured_size_is_remembered),
		ids_test(measured_size_of_a_lost_session_is_lost),
		ids_test(registry_trouble_fails_the_login),
		ids_test(thousands_of_messages),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
