/* What only the SQLite store has: its file, other programs' locks, its schema's versions. */
#include "stores.h"
#include "version_1.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

static struct err try_keep(struct registry *at, struct registry_entry entry)
{
	uint64_t revision = revision_of(at, &user);
	struct registry_change change = { .revision = revision, .keep = &entry, .n_keep = 1 };

	return change_record(at, &user, &change, &revision);
}

static void close_registry(void)
{
	registry_close(registry);
	registry = NULL;
}

static void sql(const char *text)
{
	(void)store->sql(&place, text);
}

/* The sum of the sizes and the times of the database's files: moves with every write. */
static uint64_t files_fingerprint(void)
{
	static const char *const suffixes[] = { "", "-wal" };
	char path[sizeof(place.address) + 8];
	uint64_t ret = 0;
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", place.address, suffixes[i]);
		if (stat(path, &st) == 0)
			ret += (uint64_t)st.st_size + (uint64_t)st.st_mtim.tv_sec * 1000000000u +
			       (uint64_t)st.st_mtim.tv_nsec;
	}
	return ret;
}

static void reading_writes_nothing(void **state)
{
	uint64_t before;

	(void)state;
	keep(maildir_entry("a", "1"));
	before = files_fingerprint();
	assert_entries(registry, &user, "0:0.0a id=1\n");
	assert_true(revision_of(registry, &user) > 0);
	assert_int_equal(files_fingerprint(), before);
}

static void file_is_private(void **state)
{
	char path[sizeof(place.address) + 8];
	struct stat st;

	(void)state;
	keep(maildir_entry("a", "1"));
	assert_int_equal(stat(place.address, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s-wal", place.address);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void readers_and_writers_do_not_meet(void **state)
{
	(void)state;
	assert_int_equal(
		store->sql(&place, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
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
	keep(maildir_entry("a", "1"));
	assert_ok(store->open(&place, 20, &impatient));
	assert_int_equal(sqlite3_open(place.address, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_error(try_keep(impatient, maildir_entry("b", "2")), ERR_TEMP, "locked");
	/* Readers go on, and so do writers once the lock is gone. */
	assert_entries(impatient, &user, "0:0.0a id=1\n");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_ok(try_keep(impatient, maildir_entry("b", "2")));
	registry_close(impatient);
}

/* One who waits for another program's lock is a fiber that can be called off; those behind him get
 * their turn. */
struct waiting {
	struct fiber *fiber;
	sqlite3 *db;
	struct err first, second;
	bool over; /* the first */
};

static void wait_for_lock(void *arg)
{
	struct waiting *waiting = arg;
	uint64_t revision;

	waiting->first =
		registry_change(registry, &user, &(struct registry_change){ 0 }, &revision);
	waiting->over = true;
}

static void call_off(void *arg)
{
	struct waiting *waiting = arg;
	uint64_t revision;

	/* A reader gets through meanwhile. */
	(void)registry_revision(registry, &user, &revision);
	fiber_cancel(waiting->fiber);
	while (!waiting->over)
		(void)fiber_yield();
	sqlite3_close(waiting->db);
	waiting->second =
		registry_change(registry, &user, &(struct registry_change){ 0 }, &revision);
}

static void wait_for_the_lock_can_be_called_off(void **state)
{
	struct waiting waiting = { 0 };

	(void)state;
	assert_int_equal(sqlite3_open(place.address, &waiting.db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(waiting.db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	waiting.fiber = fiber_spawn("waiting", wait_for_lock, &waiting);
	fiber_spawn("other", call_off, &waiting);
	runtime_run();
	assert_error(waiting.first, ERR_CANCELED, "");
	assert_ok(waiting.second);
}

static void file_removed_in_use(void **state)
{
	(void)state;
	keep(maildir_entry("a", "1"));
	unlink(place.address);
	assert_error(try_keep(registry, maildir_entry("b", "2")), ERR_PERM, "removed while in use");
}

static void folder_is_missing(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/none/state.db", place.folder);
	assert_error(try_open(path), ERR_PERM, "No such file or directory");
	assert_error(try_open(path), ERR_PERM, path);
	assert_error(try_open(place.folder), ERR_PERM, place.folder);
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
	close_registry();
	overwrite(place.address, 0, "From someone: this is a mailbox");
	assert_error(try_open(place.address), ERR_PERM, "not a database");
}

/* registry_check's lines, counted. */
struct checking {
	size_t n_lines, n_maildrops;
	char first[256];
	struct err e;
};

static void count_line(const char *text, void *arg)
{
	struct checking *checking = arg;

	if (!checking->n_lines++)
		snprintf(checking->first, sizeof(checking->first), "%s", text);
}

static void call_check(void *arg)
{
	struct checking *checking = arg;

	checking->e = registry_check(registry, count_line, checking, &checking->n_maildrops);
}

static void damaged_database(void **state)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct checking checking = { 0 };
	struct registry_record record;
	char *garbage;
	off_t size;
	struct stat st;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		char key[32];

		snprintf(key, sizeof(key), "message-%u", i);
		keep(maildir_entry(key, key));
	}
	close_registry(); /* the last one: everything is in the file itself now */
	assert_int_equal(stat(place.address, &st), 0);
	size = st.st_size - 4096 * 5;
	garbage = mem_zalloc(1, (size_t)size + 1);
	memset(garbage, 'x', (size_t)size);
	overwrite(place.address, 4096 * 5, garbage);
	free(garbage);
	reopen();
	assert_error(load_record(registry, &user, arena, &record), ERR_PERM, "malformed");
	in_fiber(call_check, &checking);
	assert_true(checking.n_lines > 0 || failed(checking.e));
}

static void check_reports_rows_of_nobody(void **state)
{
	struct checking checking = { 0 };

	(void)state;
	keep(maildir_entry("a", "1"));
	sql("UPDATE folder SET maildrop = 77");
	in_fiber(call_check, &checking);
	assert_ok(checking.e);
	assert_int_equal(checking.n_lines, 1);
	assert_string_equal(checking.first, "1 rows belong to no folder or no maildrop");
	assert_int_equal(checking.n_maildrops, 1);
}

static void other_application(void **state)
{
	(void)state;
	close_registry();
	sql("PRAGMA application_id = 17");
	assert_error(try_open(place.address), ERR_PERM, "another application");
	sql("PRAGMA application_id = 0");
	sql("PRAGMA user_version = 0");
	assert_error(try_open(place.address), ERR_PERM, "another application");
}

static void newer_schema(void **state)
{
	(void)state;
	sql("PRAGMA user_version = 99");
	assert_error(try_open(place.address), ERR_PERM, "version 99");
}

static void schema_without_its_tables(void **state)
{
	(void)state;
	sql("DROP TABLE message");
	assert_error(try_open(place.address), ERR_PERM, "no such table");
}

static void states_without_a_file(void **state)
{
	struct config none = { .state_kind = STATE_NONE };
	struct config sqlite = { .state_kind = STATE_SQLITE, .state = place.address };
	struct registry *r = registry;

	(void)state;
	assert_ok(registry_open(&none, &r));
	assert_null(r);
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
	assert_int_equal(chmod(place.folder, 0755), 0);
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
	assert_error(result, ERR_PERM, place.folder);
}

static struct err open_database(void)
{
	return try_open(place.address);
}

static void no_permission(void **state)
{
	(void)state;
	assert_int_equal(chmod(place.address, 0444), 0);
	as_nobody(open_database);
	assert_int_equal(chmod(place.address, 0), 0);
	as_nobody(open_database);
	close_registry();
	unlink(place.address);
	assert_int_equal(chmod(place.folder, 0555), 0);
	as_nobody(open_database);
	assert_int_equal(chmod(place.folder, 0700), 0);
}

/* RLIMIT_FSIZE stands for a full disk: writes beyond it fail. */
static void disk_is_full(void **state)
{
	static struct registry_entry entries[1000];
	struct registry_change change = { .keep = entries, .n_keep = 1000 };
	struct rlimit old, small;
	uint64_t revision;
	struct err e;

	(void)state;
	change.revision = keep(maildir_entry("a", "1"));
	for (uint32_t i = 0; i < 1000; i++) {
		entries[i] = imap_entry(1, i + 1);
		entries[i].emailid =
			"an emailid that takes its room in the database, so that it is "
			"soon beyond the limit";
	}
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	small = old;
	small.rlim_cur = 100 * 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	e = change_record(registry, &user, &change, &revision);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_error(e, ERR_TEMP, place.address);
	assert_entries(registry, &user, "0:0.0a id=1\n");
	assert_int_equal(revision_of(registry, &user), change.revision);
	assert_ok(change_record(registry, &user, &change, &revision));
	assert_true(revision > change.revision);
}

static void make_version_1(void)
{
	close_registry();
	place_remove();
	place_make();
	version_1_make(&place);
}

static void first_schema_is_upgraded(void **state)
{
	static const char *const with_notices[] = { "INBOX", "Junk", "" };
	struct registry_maildrop maildrop = { "tenant", "user", with_notices, 3 };
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record;

	(void)state;
	make_version_1();
	reopen();
	assert_ok(load_record(registry, &maildrop, arena, &record));
	assert_string_equal(record_as_text(&record, arena),
		"0:0.01600.M1.host id=12 arrival=1600 missing=1800 hidden\n"
		"0:0.01700.M1.host id=76 measured=4000 arrival=1700\n"
		"1:7.9 hidden\n"
		"1:7.10 measured=123 arrival=1700\n");
	assert_int_equal(record.next, 78);
	assert_int_equal(record.flags, 0);
	assert_int_equal(record.seen, 0);
	assert_string_equal(record.folders[0].mark, "");
	assert_true(record.revision > 1700000000000000);
	assert_true(record.revision <= registry_clock());
	assert_entries(registry, &(struct registry_maildrop){ "tenant", "other", NULL, 0 },
		"0:0.0a id=4\n");
	assert_int_equal(store->sql(&place, "PRAGMA user_version"), 2);
	assert_int_equal(store->sql(&place, "SELECT count(*) FROM sqlite_schema"
					    " WHERE type = 'table'"),
		3);
	keep(imap_entry(1, 1));
	reopen();
	assert_int_equal(revision_of(registry, &user) > record.revision, 1);
}

static void upgrade_runs_once(void **state)
{
	int status;

	(void)state;
	make_version_1();
	for (unsigned i = 0; i < 4; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct registry *r = NULL;
			struct err e = store->open(&place, 10000, &r);

			registry_close(r);
			_exit(failed(e) ? 1 : 0);
		}
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	reopen();
	assert_entries(registry, &(struct registry_maildrop){ "tenant", "other", NULL, 0 },
		"0:0.0a id=4\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		store_test(reading_writes_nothing),
		store_test(file_is_private),
		store_test(readers_and_writers_do_not_meet),
		store_test(locked_by_another_process),
		store_test(wait_for_the_lock_can_be_called_off),
		store_test(file_removed_in_use),
		store_test(folder_is_missing),
		store_test(not_a_database),
		store_test(damaged_database),
		store_test(check_reports_rows_of_nobody),
		store_test(other_application),
		store_test(newer_schema),
		store_test(schema_without_its_tables),
		store_test(states_without_a_file),
		store_test(no_permission),
		store_test(disk_is_full),
		store_test(first_schema_is_upgraded),
		store_test(upgrade_runs_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
