#include "stores.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#define PATIENCE 10000

const struct test_store *store = &sqlite_store;
struct place place;
struct registry *registry;
uint64_t fake_clock;

static const char *const folders[] = { "INBOX", "Junk" };
const struct registry_maildrop user = { "tenant", "user", folders, 2 };

uint64_t __wrap_registry_clock(void)
{
	return fake_clock ? fake_clock : __real_registry_clock();
}

static bool sqlite_start(void)
{
	return true;
}

static void sqlite_stop(void)
{
}

static void sqlite_make(struct place *at)
{
	snprintf(at->address, sizeof(at->address), "%s/state.db", at->folder);
}

static void sqlite_remove(const struct place *at)
{
	(void)at;
}

static struct err sqlite_open(const struct place *at, int patience, struct registry **ret)
{
	return registry_sqlite_open(at->address, patience, ret);
}

static int64_t sqlite_sql(const struct place *at, const char *text)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t ret = 0;
	int code;

	assert_int_equal(sqlite3_open(at->address, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
	code = sqlite3_step(statement);
	assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
	if (code == SQLITE_ROW)
		ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return ret;
}

const struct test_store sqlite_store = {
	.name = "sqlite",
	.start = sqlite_start,
	.stop = sqlite_stop,
	.make = sqlite_make,
	.remove = sqlite_remove,
	.open = sqlite_open,
	.sql = sqlite_sql,
	.count_maildrops = "SELECT count(*) FROM maildrop",
	.count_folders = "SELECT count(*) FROM folder",
};

void place_make(void)
{
	const char *parent = getenv("TMPDIR");

	snprintf(place.folder, sizeof(place.folder), "%.40s/popgateXXXXXX",
		parent && strlen(parent) <= 40 ? parent : "/tmp");
	assert_non_null(mkdtemp(place.folder));
	store->make(&place);
}

void place_remove(void)
{
	char path[sizeof(place.folder) + sizeof(((struct dirent *)0)->d_name)];
	struct dirent *entry;
	DIR *dir;

	store->remove(&place);
	dir = opendir(place.folder);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", place.folder, entry->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(place.folder);
}

struct registry *open_another(void)
{
	struct registry *ret = NULL;

	assert_ok(store->open(&place, PATIENCE, &ret));
	return ret;
}

void reopen(void)
{
	registry_close(registry);
	registry = NULL;
	registry = open_another();
}

int place_set_up(void **state)
{
	(void)state;
	runtime_init();
	place_make();
	registry = open_another();
	return 0;
}

int place_tear_down(void **state)
{
	(void)state;
	fake_clock = 0;
	registry_close(registry);
	registry = NULL;
	place_remove();
	runtime_close();
	return 0;
}

int processes_set_up(void **state)
{
	(void)state;
	place_make();
	return 0;
}

int processes_tear_down(void **state)
{
	(void)state;
	place_remove();
	return 0;
}

static void be_child(void (*job)(int out, unsigned arg), int out, unsigned arg, const char *fault)
{
	/* A failed assertion must not go on with the parent's tests. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	(void)signal(SIGABRT, SIG_DFL);
	if (fault)
		setenv("POPGATE_FAULT", fault, 1);
	runtime_init();
	if (failed(store->open(&place, PATIENCE, &registry)))
		_exit(1);
	job(out, arg);
	registry_close(registry);
	_exit(0);
}

void child_start(
	struct child *child, void (*job)(int out, unsigned arg), unsigned arg, const char *fault)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		close(ends[0]);
		be_child(job, ends[1], arg, fault);
	}
	close(ends[1]);
	child->out = ends[0];
}

bool child_report(struct child *child, void *report, size_t size)
{
	ssize_t n;

	do
		n = read(child->out, report, size);
	while (n < 0 && errno == EINTR);
	assert_true(n == 0 || n == (ssize_t)size);
	return n > 0;
}

int child_end(struct child *child)
{
	int status;

	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	close(child->out);
	assert_true(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

struct fiber_job {
	void (*job)(void *arg);
	void *arg;
	bool done;
};

static void fiber_job_run(void *arg)
{
	struct fiber_job *job = arg;

	job->job(job->arg);
	job->done = true;
}

void in_fiber(void (*job)(void *arg), void *arg)
{
	struct fiber_job run = { .job = job, .arg = arg };

	fiber_spawn("test", fiber_job_run, &run);
	runtime_run();
	assert_true(run.done);
}

/* Arguments and result of whatever runs in a fiber. */
struct call {
	struct registry *registry;
	const struct registry_maildrop *maildrop;
	struct arena *arena;
	struct registry_record *record;
	const struct registry_change *change;
	uint64_t revision;
	struct err e;
};

static void call_load(void *arg)
{
	struct call *c = arg;

	c->e = registry_load(c->registry, c->maildrop, c->arena, c->record);
}

struct err load_record(struct registry *at, const struct registry_maildrop *maildrop,
	struct arena *arena, struct registry_record *ret)
{
	struct call call = { .registry = at, .maildrop = maildrop, .arena = arena, .record = ret };

	in_fiber(call_load, &call);
	return call.e;
}

static void call_change(void *arg)
{
	struct call *c = arg;

	c->e = registry_change(c->registry, c->maildrop, c->change, &c->revision);
}

struct err change_record(struct registry *at, const struct registry_maildrop *maildrop,
	const struct registry_change *change, uint64_t *ret_revision)
{
	struct call call = { .registry = at, .maildrop = maildrop, .change = change };

	in_fiber(call_change, &call);
	*ret_revision = call.revision;
	return call.e;
}

static void call_revision(void *arg)
{
	struct call *c = arg;

	c->e = registry_revision(c->registry, c->maildrop, &c->revision);
}

uint64_t revision_of(struct registry *at, const struct registry_maildrop *maildrop)
{
	struct call call = { .registry = at, .maildrop = maildrop, .revision = 1 };

	in_fiber(call_revision, &call);
	assert_ok(call.e);
	return call.revision;
}

uint64_t write_record(struct registry_change change)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record;
	uint64_t revision;

	assert_ok(load_record(registry, &user, arena, &record));
	change.revision = record.revision;
	if (!change.flags)
		change.flags = record.flags;
	if (!change.seen)
		change.seen = record.seen;
	assert_ok(change_record(registry, &user, &change, &revision));
	assert_true(revision > record.revision);
	return revision;
}

uint64_t keep(struct registry_entry entry)
{
	return write_record((struct registry_change){ .keep = &entry, .n_keep = 1 });
}

uint64_t drop(struct registry_entry entry)
{
	return write_record((struct registry_change){ .drop = &entry, .n_drop = 1 });
}

struct registry_entry maildir_entry(const char *key, const char *unique_id)
{
	return (struct registry_entry){
		.key = key,
		.unique_id = unique_id,
		.emailid = "",
		.size = REGISTRY_NO_SIZE,
		.measured = REGISTRY_NO_SIZE,
	};
}

struct registry_entry imap_entry(uint32_t uidvalidity, uint32_t uid)
{
	struct registry_entry entry = maildir_entry("", "");

	entry.uidvalidity = uidvalidity;
	entry.uid = uid;
	return entry;
}

static void entry_as_text(const struct registry_entry *entry, struct buffer *out)
{
	buffer_printf(out, "%u:%" PRIu32 ".%" PRIu32 "%s", entry->folder, entry->uidvalidity,
		entry->uid, entry->key);
	if (*entry->unique_id)
		buffer_printf(out, " id=%s", entry->unique_id);
	if (*entry->emailid)
		buffer_printf(out, " emailid=%s", entry->emailid);
	if (entry->fingerprint)
		buffer_printf(out, " fingerprint=%" PRIu64, entry->fingerprint);
	if (entry->size != REGISTRY_NO_SIZE)
		buffer_printf(out, " size=%" PRIu64, entry->size);
	if (entry->measured != REGISTRY_NO_SIZE)
		buffer_printf(out, " measured=%" PRIu64, entry->measured);
	if (entry->arrival)
		buffer_printf(out, " arrival=%" PRId64, entry->arrival);
	if (entry->missing)
		buffer_printf(out, " missing=%" PRId64, entry->missing);
	buffer_printf(out, "%s%s\n", entry->exact ? " exact" : "", entry->hidden ? " hidden" : "");
}

const char *record_as_text(const struct registry_record *record, struct arena *arena)
{
	struct buffer out = { 0 };
	const char *ret;

	for (size_t i = 0; i < record->n_entries; i++)
		entry_as_text(&record->entries[i], &out);
	buffer_append(&out, "", 1);
	ret = arena_strdup(arena, buffer_data(&out));
	buffer_done(&out);
	return ret;
}

void assert_entries(
	struct registry *at, const struct registry_maildrop *maildrop, const char *expected)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record;

	assert_ok(load_record(at, maildrop, arena, &record));
	assert_string_equal(record_as_text(&record, arena), expected);
}

void check_ok(struct err e, const char *file, int line)
{
	if (!failed(e))
		return;
	print_error("%s: %s\n", err_scope_name(e.scope), e.detail);
	_fail(file, line);
}

void check_error(
	struct err e, enum err_scope expected, const char *text, const char *file, int line)
{
	if (e.scope == expected && strstr(e.detail, text))
		return;
	print_error("%s: %s\n", err_scope_name(e.scope), e.detail);
	_fail(file, line);
}

int run_on_stores(const char *name, const struct CMUnitTest *tests, size_t n,
	const struct test_store *const *stores, size_t n_stores)
{
	int n_failed = 0;

	for (size_t i = 0; i < n_stores; i++) {
		char group[64];

		store = stores[i];
		if (!store->start()) {
			print_message("no %s on this machine\n", store->name);
			continue;
		}
		snprintf(group, sizeof(group), "%s on %s", name, store->name);
		n_failed += _cmocka_run_group_tests(group, tests, n, NULL, NULL);
		store->stop();
	}
	return n_failed;
}
