/* The registry as its callers see it, on real SQLite files. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

static const char *const inbox[] = { "INBOX", "Junk" };
static const struct registry_maildrop user = { "tenant", "user", inbox, 2 };

/* Writes visited entries as text. */
static void write_out(const struct registry_entry *entry, void *arg)
{
	struct buffer *out = arg;

	if (!entry) {
		buffer_consume(out, buffer_used(out));
		return;
	}
	buffer_printf(out, "%zu:%u.%u%s n%llu", entry->folder, entry->uidvalidity, entry->uid,
		entry->key, (unsigned long long)entry->number);
	if (entry->size != REGISTRY_NO_SIZE)
		buffer_printf(out, " s%llu", (unsigned long long)entry->size);
	if (entry->arrival)
		buffer_printf(out, " a%lld", (long long)entry->arrival);
	if (entry->missing)
		buffer_printf(out, " m%lld", (long long)entry->missing);
	buffer_printf(out, "%s\n", entry->hidden ? " h" : "");
}

static void assert_entries(
	struct registry *registry, const struct registry_maildrop *maildrop, const char *expected)
{
	struct buffer out = { 0 };

	assert_ok(load(registry, maildrop, write_out, &out));
	buffer_append(&out, "", 1);
	assert_string_equal(out.data + out.start, expected);
	buffer_done(&out);
}

/* A plan that keeps or drops given entries. */
struct writes {
	const struct registry_entry *keep, *drop;
	size_t n_keep, n_drop;
	bool numbers; /* of the kept are taken from the registry */
	struct err end;
	uint64_t next;
};

static struct err write_plan(struct registry_writer *writer, void *arg)
{
	struct writes *writes = arg;

	for (size_t i = 0; i < writes->n_keep; i++) {
		struct registry_entry entry = writes->keep[i];

		if (writes->numbers)
			entry.number = writer->next++;
		assert_ok(writer->keep(writer, &entry));
	}
	for (size_t i = 0; i < writes->n_drop; i++)
		assert_ok(writer->drop(writer, &writes->drop[i]));
	writes->next = writer->next;
	return writes->end;
}

static struct err keep(struct registry *registry, struct registry_entry entry)
{
	struct writes writes = { .keep = &entry, .n_keep = 1 };

	return change(registry, &user, NULL, write_plan, &writes);
}

static struct err drop(struct registry *registry, struct registry_entry entry)
{
	struct writes writes = { .drop = &entry, .n_drop = 1 };

	return change(registry, &user, NULL, write_plan, &writes);
}

static struct registry_entry maildir_entry(const char *key, uint64_t number)
{
	return (struct registry_entry){ .key = key, .number = number, .size = REGISTRY_NO_SIZE };
}

static struct registry_entry imap_entry(uint32_t uidvalidity, uint32_t uid)
{
	return (struct registry_entry){
		.uidvalidity = uidvalidity, .uid = uid, .key = "", .size = REGISTRY_NO_SIZE
	};
}

static struct folder folder;
static struct registry *registry;

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
	registry_close(registry);
	registry = NULL;
	folder_remove(&folder);
	return 0;
}

static void unknown_maildrop_has_no_entries(void **state)
{
	(void)state;
	assert_entries(registry, &user, "");
}

static void entries_come_in_key_order(void **state)
{
	const struct registry_entry entries[] = {
		{ .folder = 1, .key = "0", .number = 9, .size = REGISTRY_NO_SIZE },
		maildir_entry("b", 2),
		maildir_entry("a\xff\xfe", 4),
		maildir_entry("aa", 1),
		maildir_entry("B", 3),
		imap_entry(7, 10),
		imap_entry(7, 9),
		imap_entry(UINT32_MAX, 1),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		assert_ok(keep(registry, entries[i]));
	assert_entries(registry, &user,
		"0:0.0B n3\n0:0.0aa n1\n0:0.0a\xff\xfe n4\n0:0.0b n2\n"
		"0:7.9 n0\n0:7.10 n0\n0:4294967295.1 n0\n1:0.00 n9\n");
}

static void maildrops_are_apart(void **state)
{
	static const char *const junk[] = { "Junk" };
	struct registry_maildrop others[] = {
		{ "tenant", "User", inbox, 2 },
		{ "other", "user", inbox, 2 },
		{ "tenant", "user", junk, 1 },
	};

	(void)state;
	assert_ok(keep(registry, maildir_entry("a", 1)));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_entries(registry, &others[i], "");
	assert_entries(registry, &user, "0:0.0a n1\n");
}

static void keep_merges(void **state)
{
	struct registry_entry entry = maildir_entry("a", 5);

	(void)state;
	entry.arrival = 1000;
	assert_ok(keep(registry, entry));
	/* A number that was given stays; a size and a hiding come along. */
	entry = maildir_entry("a", 6);
	entry.size = 0;
	entry.hidden = true;
	entry.arrival = 2000;
	assert_ok(keep(registry, entry));
	assert_entries(registry, &user, "0:0.0a n5 s0 a1000 h\n");
	/* Hidden sticks, the newer size counts, missing comes and goes. */
	entry = maildir_entry("a", 0);
	entry.size = 77;
	entry.missing = 3000;
	assert_ok(keep(registry, entry));
	assert_entries(registry, &user, "0:0.0a n5 s77 a1000 m3000 h\n");
	assert_ok(keep(registry, maildir_entry("a", 0)));
	assert_entries(registry, &user, "0:0.0a n5 s77 a1000 h\n");
}

static void drop_spares_what_returned(void **state)
{
	struct registry_entry entry = maildir_entry("a", 1);

	(void)state;
	assert_ok(keep(registry, entry));
	entry.missing = 3000;
	assert_ok(drop(registry, entry));
	assert_entries(registry, &user, "0:0.0a n1\n");
	assert_ok(keep(registry, entry));
	assert_ok(drop(registry, entry));
	assert_entries(registry, &user, "");
	assert_ok(keep(registry, maildir_entry("b", 2)));
	assert_ok(drop(registry, maildir_entry("b", 2)));
	assert_entries(registry, &user, "");
}

static uint64_t take_number(const char *key)
{
	struct registry_entry entry = maildir_entry(key, 0);
	struct writes writes = { .keep = &entry, .n_keep = 1, .numbers = true };

	assert_ok(change(registry, &user, NULL, write_plan, &writes));
	return writes.next - 1;
}

static void numbers_stay_spent(void **state)
{
	(void)state;
	assert_int_equal(take_number("a"), 1);
	assert_int_equal(take_number("b"), 2);
	assert_ok(drop(registry, maildir_entry("b", 2)));
	registry_close(registry);
	registry = registry_at(&folder);
	assert_int_equal(take_number("b"), 3);
}

static void failed_plan_leaves_no_trace(void **state)
{
	struct registry_entry entry = maildir_entry("a", 0);
	struct writes writes = {
		.keep = &entry, .n_keep = 1, .numbers = true, .end = err_make(ERR_TEMP, "no")
	};

	(void)state;
	assert_error(change(registry, &user, NULL, write_plan, &writes), ERR_TEMP, "no");
	assert_entries(registry, &user, "");
	assert_int_equal(take_number("b"), 1);
}

static void numbers_end_with_an_error(void **state)
{
	struct registry_entry entry = maildir_entry("b", 0);
	struct writes writes = { .keep = &entry, .n_keep = 1, .numbers = true };

	(void)state;
	assert_int_equal(take_number("a"), 1);
	sql(&folder, "UPDATE maildrop SET next_number = 9223372036854775807");
	assert_error(change(registry, &user, NULL, write_plan, &writes), ERR_PERM, "numbers");
	assert_entries(registry, &user, "0:0.0a n1\n");
}

/* Sees the entries in the transaction, then writes. */
struct look_and_write {
	struct buffer seen;
	struct writes writes;
};

static void look(const struct registry_entry *entry, void *arg)
{
	write_out(entry, &((struct look_and_write *)arg)->seen);
}

static struct err then_write(struct registry_writer *writer, void *arg)
{
	return write_plan(writer, &((struct look_and_write *)arg)->writes);
}

static void change_visits_what_is_there_then(void **state)
{
	struct registry *second = registry_at(&folder);
	struct registry_entry entry = maildir_entry("b", 0);
	struct look_and_write both = { .writes = { .keep = &entry, .n_keep = 1, .numbers = true } };

	(void)state;
	assert_entries(registry, &user, "");
	assert_ok(keep(second, maildir_entry("a", 1)));
	buffer_printf(&both.seen, "from an earlier pass");
	assert_ok(change(registry, &user, look, then_write, &both));
	buffer_append(&both.seen, "", 1);
	assert_string_equal(both.seen.data + both.seen.start, "0:0.0a n1\n");
	buffer_done(&both.seen);
	registry_close(second);
}

static void reading_writes_nothing(void **state)
{
	uint64_t before;

	(void)state;
	assert_ok(keep(registry, maildir_entry("a", 1)));
	before = folder_fingerprint(&folder);
	assert_entries(registry, &user, "0:0.0a n1\n");
	assert_int_equal(folder_fingerprint(&folder), before);
}

static void file_is_private(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	assert_ok(keep(registry, maildir_entry("a", 1)));
	assert_int_equal(stat(folder.database, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s-wal", folder.database);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void readers_and_writers_do_not_meet(void **state)
{
	(void)state;
	assert_int_equal(sql(&folder, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
}

static struct err try_open(const char *path)
{
	struct registry *r = NULL;
	struct err e = registry_sqlite_open(path, 20, &r);

	registry_close(r);
	return e;
}

static void locked_by_another_process(void **state)
{
	struct registry *impatient = NULL;
	sqlite3 *db;

	(void)state;
	assert_ok(keep(registry, maildir_entry("a", 1)));
	assert_ok(registry_sqlite_open(folder.database, 20, &impatient));
	assert_int_equal(sqlite3_open(folder.database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_error(keep(impatient, maildir_entry("b", 2)), ERR_TEMP, "locked");
	/* Readers go on, and so do writers once the lock is gone. */
	assert_entries(impatient, &user, "0:0.0a n1\n");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_ok(keep(impatient, maildir_entry("b", 2)));
	registry_close(impatient);
}

static void file_removed_in_use(void **state)
{
	(void)state;
	assert_ok(keep(registry, maildir_entry("a", 1)));
	unlink(folder.database);
	assert_error(keep(registry, maildir_entry("b", 2)), ERR_PERM, "removed while in use");
}

static void folder_is_missing(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/none/state.db", folder.path);
	assert_error(try_open(path), ERR_PERM, "No such file or directory");
	assert_error(try_open(path), ERR_PERM, path);
	assert_error(try_open(folder.path), ERR_PERM, folder.path);
}

static void overwrite(const char *path, off_t at, const char *text)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
	close(fd);
}

static void not_a_database(void **state)
{
	(void)state;
	registry_close(registry);
	registry = NULL;
	overwrite(folder.database, 0, "From someone: this is a mailbox");
	assert_error(try_open(folder.database), ERR_PERM, "not a database");
}

static void damaged_database(void **state)
{
	char *garbage;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		char key[32];

		snprintf(key, sizeof(key), "message-%u", i);
		assert_ok(keep(registry, maildir_entry(key, i + 1)));
	}
	registry_close(registry); /* the last one: everything is in the file itself now */
	registry = NULL;
	garbage = mem_zalloc(1, 4096 * 4);
	memset(garbage, 'x', 4096 * 4 - 1);
	overwrite(folder.database, 4096 * 3, garbage);
	free(garbage);
	registry = registry_at(&folder);
	assert_error(
		load(registry, &user, write_out, &(struct buffer){ 0 }), ERR_PERM, "malformed");
}

static void other_application(void **state)
{
	(void)state;
	registry_close(registry);
	registry = NULL;
	sql(&folder, "PRAGMA application_id = 17");
	assert_error(try_open(folder.database), ERR_PERM, "another application");
	sql(&folder, "PRAGMA application_id = 0");
	sql(&folder, "PRAGMA user_version = 0");
	assert_error(try_open(folder.database), ERR_PERM, "another application");
}

static void newer_schema(void **state)
{
	(void)state;
	sql(&folder, "PRAGMA user_version = 99");
	assert_error(try_open(folder.database), ERR_PERM, "version 99");
}

static void schema_without_its_tables(void **state)
{
	(void)state;
	sql(&folder, "DROP TABLE message");
	assert_error(try_open(folder.database), ERR_PERM, "no such table");
}

static void states_without_a_file(void **state)
{
	struct config none = { .state_kind = STATE_NONE };
	struct config postgresql = { .state_kind = STATE_POSTGRESQL, .state = "postgresql://x/y" };
	struct config sqlite = { .state_kind = STATE_SQLITE, .state = folder.database };
	struct registry *r = registry;

	(void)state;
	assert_ok(registry_open(&none, &r));
	assert_null(r);
	assert_error(registry_open(&postgresql, &r), ERR_PERM, "postgresql");
	assert_ok(registry_open(&sqlite, &r));
	assert_non_null(r);
	registry_close(r);
	registry_close(NULL);
}

/* Runs a function that reports in another process, as nobody where this one is root. */
static void as_nobody(struct err (*job)(void))
{
	struct err result = ok();
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(chmod(folder.path, 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534))
			_exit(1);
		result = job();
		_exit(write(fds[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &result, sizeof(result)), sizeof(result));
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_error(result, ERR_PERM, folder.path);
}

static struct err open_database(void)
{
	return try_open(folder.database);
}

static void no_permission(void **state)
{
	(void)state;
	assert_int_equal(chmod(folder.database, 0444), 0);
	as_nobody(open_database);
	assert_int_equal(chmod(folder.database, 0), 0);
	as_nobody(open_database);
	registry_close(registry);
	registry = NULL;
	unlink(folder.database);
	assert_int_equal(chmod(folder.path, 0555), 0);
	as_nobody(open_database);
	assert_int_equal(chmod(folder.path, 0700), 0);
}

/* RLIMIT_FSIZE stands for a full disk: writes beyond it fail. */
static void disk_is_full(void **state)
{
	struct rlimit old, small;
	char key[200];
	struct err e = ok();

	(void)state;
	assert_ok(keep(registry, maildir_entry("a", 1)));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	small = old;
	small.rlim_cur = 100 * 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	for (unsigned i = 0; i < 1000 && !failed(e); i++) {
		snprintf(key, 8, "%07u", i);
		key[7] = 'k';
		e = keep(registry, maildir_entry(key, i + 2));
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_error(e, ERR_TEMP, folder.database);
	assert_ok(keep(registry, maildir_entry("z", 5000)));
}

/* More calls at once than there are connections. */
struct crowd {
	struct registry *registry;
	unsigned n_done;
	bool reads;
};

static void crowd_member(void *arg)
{
	struct crowd *crowd = arg;
	struct buffer out = { 0 };
	struct registry_entry entry = maildir_entry("a", 0);
	struct writes writes = { .keep = &entry, .n_keep = 1, .numbers = true };
	struct err e;

	if (crowd->reads)
		e = registry_load(crowd->registry, &user, write_out, &out);
	else
		e = registry_change(crowd->registry, &user, NULL, write_plan, &writes);
	buffer_done(&out);
	crowd->n_done += !failed(e);
}

static void many_fibers_at_once(void **state)
{
	struct crowd readers = { .registry = registry, .reads = true };
	struct crowd writers = { .registry = registry };

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		fiber_spawn("reader", crowd_member, &readers);
		fiber_spawn("writer", crowd_member, &writers);
	}
	runtime_run();
	assert_int_equal(readers.n_done, 20);
	assert_int_equal(writers.n_done, 20);
	assert_int_equal(take_number("b"), 21);
}

#define registry_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
		registry_test(unknown_maildrop_has_no_entries),
		registry_test(entries_come_in_key_order),
		registry_test(maildrops_are_apart),
		registry_test(keep_merges),
		registry_test(drop_spares_what_returned),
		registry_test(numbers_stay_spent),
		registry_test(failed_plan_leaves_no_trace),
		registry_test(numbers_end_with_an_error),
		registry_test(change_visits_what_is_there_then),
		registry_test(reading_writes_nothing),
		registry_test(file_is_private),
		registry_test(readers_and_writers_do_not_meet),
		registry_test(locked_by_another_process),
		registry_test(file_removed_in_use),
		registry_test(folder_is_missing),
		registry_test(not_a_database),
		registry_test(damaged_database),
		registry_test(other_application),
		registry_test(newer_schema),
		registry_test(schema_without_its_tables),
		registry_test(states_without_a_file),
		registry_test(no_permission),
		registry_test(disk_is_full),
		registry_test(many_fibers_at_once),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
