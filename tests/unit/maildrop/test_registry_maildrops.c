/* What concerns all maildrops of a registry: going through them, expiry, the check. */
#include "stores.h"

#include <stdio.h>
#include <string.h>

#include "proxy/maildrop/registry_expiry.h"

struct walk {
	const char *tenant, *login;
	struct arena *arena;
	struct registry_maildrop found;
	struct err e;
};

static void call_next(void *arg)
{
	struct walk *walk = arg;

	walk->e = registry_next(registry, walk->tenant, walk->login, walk->arena, &walk->found);
}

static void maildrops_follow_one_another(void **state)
{
	static const char *const names[][2] = { { "b", "b" }, { "a", "b" }, { "a", "a" },
		{ "a", "\xc3\xa4" }, { "a", "B" }, { "ab", "a" } };
	static const char *const order[] = { "a/B", "a/a", "a/b", "a/\xc3\xa4", "ab/a", "b/b" };
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct walk walk = { .arena = arena };

	(void)state;
	in_fiber(call_next, &walk);
	assert_ok(walk.e);
	assert_null(walk.found.tenant);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct registry_maildrop maildrop = { names[i][0], names[i][1], NULL, 0 };
		uint64_t revision;

		assert_ok(change_record(
			registry, &maildrop, &(struct registry_change){ 0 }, &revision));
	}
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		in_fiber(call_next, &walk);
		assert_ok(walk.e);
		assert_string_equal(
			arena_printf(arena, "%s/%s", walk.found.tenant, walk.found.login),
			order[i]);
		walk.tenant = walk.found.tenant;
		walk.login = walk.found.login;
	}
	in_fiber(call_next, &walk);
	assert_ok(walk.e);
	assert_null(walk.found.tenant);
}

struct expiry {
	int64_t before;
	size_t max, n;
	struct err e;
};

static void call_expire(void *arg)
{
	struct expiry *expiry = arg;

	expiry->e = registry_expire(registry, expiry->before, expiry->max, &expiry->n);
}

static size_t expire(int64_t before, size_t max)
{
	struct expiry expiry = { .before = before, .max = max };

	in_fiber(call_expire, &expiry);
	assert_ok(expiry.e);
	return expiry.n;
}

/* A maildrop that was written at that time (in s), with one entry. */
static void write_login(
	const char *login, int64_t seen, unsigned flags, struct registry_entry entry)
{
	static const char *const inbox[] = { "INBOX" };
	struct registry_maildrop maildrop = { "tenant", login, inbox, 1 };
	struct registry_change change = {
		.seen = seen, .flags = flags, .keep = &entry, .n_keep = 1
	};
	uint64_t revision;

	fake_clock = 1000000000;
	assert_ok(change_record(registry, &maildrop, &change, &revision));
}

static bool is_known(const char *login)
{
	struct registry_maildrop maildrop = { "tenant", login, NULL, 0 };

	return revision_of(registry, &maildrop) != 0;
}

static void what_can_be_computed_anew_expires(void **state)
{
	struct registry_entry plain = imap_entry(1, 1), hidden = plain, measured = plain;

	(void)state;
	hidden.hidden = true;
	measured.measured = 0;
	plain.missing = 5;
	write_login("plain", 2000, 0, plain);
	write_login("recent", 3000, 0, plain);
	write_login("hidden", 2000, 0, hidden);
	write_login("measured", 2000, 0, measured);
	write_login("numbered", 2000, 0, maildir_entry("a", "1"));
	write_login("flagged", 2000, REGISTRY_NUMBERS, plain);
	write_login("accepted", 2000, REGISTRY_ACCEPTED, plain);
	assert_int_equal(expire(2000, 10), 0);
	assert_int_equal(expire(2001, 10), 1);
	assert_false(is_known("plain"));
	assert_true(is_known("recent"));
	assert_true(is_known("hidden"));
	assert_true(is_known("measured"));
	assert_true(is_known("numbered"));
	assert_true(is_known("flagged"));
	assert_true(is_known("accepted"));
	/* It begins from nothing. */
	write_login("plain", 2000, 0, imap_entry(7, 7));
	assert_entries(
		registry, &(struct registry_maildrop){ "tenant", "plain", NULL, 0 }, "0:7.7\n");
}

/* One whose logins nobody noted counts from its last write. */
static void expiry_needs_time_and_turns(void **state)
{
	char login[16];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		snprintf(login, sizeof(login), "user%u", i);
		write_login(login, i % 2 ? 0 : 1, 0, imap_entry(1, 1));
	}
	assert_int_equal(expire(1000, 10), 0);
	assert_int_equal(expire(1001, 2), 2);
	assert_int_equal(expire(1001, 2), 2);
	assert_int_equal(expire(1001, 2), 1);
	assert_int_equal(expire(1001, 2), 0);
}

static void call_expiry_run(void *arg)
{
	struct expiry *expiry = arg;

	expiry->e = registry_expiry_run(registry, (uint64_t)expiry->before, &expiry->n);
}

/* In more than one transaction; age is counted from now, by the clock of revisions. */
static void the_daily_expiry_forgets_all_that_is_old(void **state)
{
	struct expiry expiry = { .before = 500 * 1000 };
	char login[16];

	(void)state;
	for (unsigned i = 0; i < 250; i++) {
		snprintf(login, sizeof(login), "user%u", i);
		write_login(login, i < 249 ? 900 : 1001, 0, imap_entry(1, 1));
	}
	fake_clock = 1500 * 1000000u;
	in_fiber(call_expiry_run, &expiry);
	assert_ok(expiry.e);
	assert_int_equal(expiry.n, 0);
	fake_clock = 1501 * 1000000u;
	in_fiber(call_expiry_run, &expiry);
	assert_ok(expiry.e);
	assert_int_equal(expiry.n, 249);
	assert_true(is_known("user249"));
}

static void expiry_does_not_keep_the_loop_running(void **state)
{
	(void)state;
	registry_expiry_stop();
	registry_expiry_start(NULL, 1000);
	registry_expiry_start(registry, DURATION_NEVER);
	registry_expiry_stop();
	registry_expiry_start(registry, 1000);
	runtime_run();
	registry_expiry_stop();
	runtime_run();
}

/* registry_check's lines. */
struct checking {
	struct buffer lines;
	size_t n;
	struct err e;
};

static void take_line(const char *text, void *arg)
{
	buffer_printf(arg, "%s\n", text);
}

static void call_check(void *arg)
{
	struct checking *checking = arg;

	checking->e = registry_check(registry, take_line, &checking->lines, &checking->n);
}

static void assert_check(size_t n, const char *expected)
{
	struct checking checking = { 0 };

	in_fiber(call_check, &checking);
	assert_ok(checking.e);
	buffer_append(&checking.lines, "", 1);
	assert_string_equal(buffer_data(&checking.lines), expected);
	assert_int_equal(checking.n, n);
	buffer_done(&checking.lines);
}

static void sound_registry_passes_the_check(void **state)
{
	static const char *const maildir[] = { "INBOX" };
	struct registry_maildrop other = { "tenant", "another", maildir, 1 };
	struct registry_entry entries[] = { imap_entry(1, 1), imap_entry(1, 2), imap_entry(1, 1),
		maildir_entry("adopted", "!adopted+id") };
	struct registry_entry numbered = maildir_entry("a", "499");
	struct registry_change change = { .keep = &numbered, .n_keep = 1, .next = 500 };
	uint64_t revision;

	(void)state;
	assert_check(0, "");
	entries[1].unique_id = "18446744073709552115"; /* 2^64 + 499 */
	entries[2].folder = 1;
	write_record((struct registry_change){ .keep = entries, .n_keep = 4, .next = 500 });
	assert_ok(change_record(registry, &other, &change, &revision));
	assert_check(2, "");
}

static void check_finds_what_is_wrong(void **state)
{
	char long_id[80];
	struct registry_entry entries[] = {
		imap_entry(1, 1),
		imap_entry(1, 2),
		imap_entry(1, 3),
		imap_entry(1, 4),
		maildir_entry("a", "500"),
		maildir_entry("b", "with space"),
		maildir_entry("c", long_id),
		maildir_entry("d", ""),
		maildir_entry("e", "twice"),
		maildir_entry("f", "twice"),
	};

	(void)state;
	memset(long_id, 'x', 71);
	long_id[71] = '\0';
	entries[1].unique_id = "4294967297";           /* what 1.1 has */
	entries[2].unique_id = "18446744073709552116"; /* 2^64 + 500 */
	entries[3].unique_id = "999";                  /* no number of ours beside IMAP messages */
	write_record((struct registry_change){ .keep = entries, .n_keep = 10, .next = 500 });
	assert_check(1,
		"tenant user: folder 'INBOX' message a: the counter has not come to its unique-id "
		"yet: 500\n"
		"tenant user: folder 'INBOX' message b: not of the form of a unique-id: with "
		"space\n"
		"tenant user: folder 'INBOX' message c: not of the form of a unique-id: "
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
		"tenant user: folder 'INBOX' message d: it has no unique-id\n"
		"tenant user: folder 'INBOX' message 1.3: the counter has not come to its "
		"unique-id "
		"yet: 18446744073709552116\n"
		"tenant user: folder 'INBOX' message 1.2: same unique-id as folder 'INBOX' message "
		"1.1: 4294967297\n"
		"tenant user: folder 'INBOX' message f: same unique-id as folder 'INBOX' message "
		"e: "
		"twice\n");
}

static void check_does_not_flood(void **state)
{
	struct registry_entry *entries = mem_zalloc(1000, sizeof(*entries));
	struct checking checking = { 0 };
	size_t lines = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		entries[i] = imap_entry(1, i + 1);
		entries[i].unique_id = "same";
	}
	write_record((struct registry_change){ .keep = entries, .n_keep = 1000 });
	free(entries);
	in_fiber(call_check, &checking);
	assert_ok(checking.e);
	for (size_t i = checking.lines.start; i < checking.lines.end; i++)
		lines += checking.lines.data[i] == '\n';
	assert_int_equal(lines, 21);
	buffer_append(&checking.lines, "", 1);
	assert_non_null(strstr(buffer_data(&checking.lines), "979 more"));
	buffer_done(&checking.lines);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		store_test(maildrops_follow_one_another),
		store_test(what_can_be_computed_anew_expires),
		store_test(expiry_needs_time_and_turns),
		store_test(the_daily_expiry_forgets_all_that_is_old),
		store_test(expiry_does_not_keep_the_loop_running),
		store_test(sound_registry_passes_the_check),
		store_test(check_finds_what_is_wrong),
		store_test(check_does_not_flood),
	};
	static const struct test_store *const stores[] = {
		&sqlite_store,
#ifdef POPGATE_POSTGRESQL
		&postgresql_store,
#endif
	};

	return run_on_stores("maildrops", tests, sizeof(tests) / sizeof(tests[0]), stores,
		sizeof(stores) / sizeof(stores[0]));
}
