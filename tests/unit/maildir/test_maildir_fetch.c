/* Fetching, while others rename, remove and cut files; and what is no message. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/maildir/locate.h"
#include "proxy/runtime/fiber.h"
#include "world.h"

static void gives_the_octets_as_stored(void **state)
{
	struct world *w = *state;
	struct collector out = collector(w);
	size_t n = 300000;
	char *text = arena_alloc(w->arena, n);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i * 31 % 256);
	put_octets(w, "new/1700000001.a", text, n);
	put(w, "new/1700000002.empty", "");
	list(w);
	assert_false(failed(fetch(w, "1700000001.a", FETCH_ALL, &out)));
	assert_int_equal(buffer_used(&out.data), n);
	assert_memory_equal(out.data.data + out.data.start, text, n);
	buffer_done(&out.data);
	assert_fetches(w, "1700000002.empty", "");
}

static void finds_what_others_renamed(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "first");
	put(w, "cur/1700000002.b:2,", "second");
	put(w, "cur/odd:2,", "third");
	list(w);
	move(w, "new/1700000001.a", "cur/1700000001.a:2,");
	move(w, "cur/1700000002.b:2,", "cur/1700000002.b:2,FRS");
	move(w, "cur/odd:2,", "cur/odd:2,S");
	assert_fetches(w, "1700000001.a", "first");
	assert_fetches(w, "1700000002.b", "second");
	assert_fetches(w, "odd", "third");
	/* Again, after the folder was read anew for the first search. */
	move(w, "cur/1700000002.b:2,FRS", "cur/1700000002.b:2,");
	move(w, "cur/1700000001.a:2,", "cur/1700000001.a:2,S");
	assert_fetches(w, "1700000001.a", "first");
	assert_fetches(w, "1700000002.b", "second");
	move(w, "cur/1700000001.a:2,S", "cur/1700000001.a");
	assert_fetches(w, "1700000001.a", "first");
}

/* What the search found is given back while the client is silent, and found again. */
static void finds_what_others_renamed_after_a_rest(void **state)
{
	struct world *w = *state;
	const struct maildir_folder *folder;

	put(w, "new/1700000001.a", "first");
	list(w);
	folder = &maildir_of(w->backend)->folders[0];
	move(w, "new/1700000001.a", "cur/1700000001.a:2,");
	for (int i = 0; i < 2; i++) {
		assert_fetches(w, "1700000001.a", "first");
		assert_true(folder->scanned);
		w->backend->ops->rest(w->backend);
		assert_false(folder->scanned);
		assert_null(folder->scan.entries);
	}
	move(w, "cur/1700000001.a:2,", "cur/1700000001.a:2,S");
	assert_fetches(w, "1700000001.a", "first");
}

static void says_what_others_removed(void **state)
{
	struct world *w = *state;
	struct collector out = collector(w);

	put(w, "new/1700000001.a", "first");
	put(w, "new/1700000002.b", "second");
	list(w);
	drop(w, "new/1700000001.a");
	assert_error(fetch(w, "1700000001.a", FETCH_ALL, &out), ERR_GONE, "1700000001.a");
	assert_error(fetch(w, "1700000001.a", FETCH_TOP, &out), ERR_GONE, "1700000001.a");
	assert_int_equal(buffer_used(&out.data), 0);
	assert_fetches(w, "1700000002.b", "second");
	/* What was thought gone may come back, as when another client undoes a move. */
	put(w, "cur/1700000001.a:2,S", "first");
	assert_fetches(w, "1700000001.a", "first");
}

static void replace_by_fifo(struct world *w)
{
	drop(w, "new/1700000001.a");
	assert_int_equal(mkfifo(full(w, "new/1700000001.a"), 0644), 0);
}

static void replace_by_link(struct world *w)
{
	put(w, "other", "somebody's");
	drop(w, "new/1700000001.a");
	assert_int_equal(symlink("../other", full(w, "new/1700000001.a")), 0);
}

static void replace_by_dir(struct world *w)
{
	drop(w, "new/1700000001.a");
	assert_int_equal(mkdir(full(w, "new/1700000001.a"), 0755), 0);
}

static void assert_refused(struct world *w, void (*replace)(struct world *w))
{
	struct collector out = collector(w);

	put(w, "new/1700000001.a", "x");
	list(w);
	replace(w);
	assert_error(fetch(w, "1700000001.a", FETCH_ALL, &out), ERR_MESSAGE, "1700000001.a");
	assert_int_equal(buffer_used(&out.data), 0);
	assert_int_equal(remove(full(w, "new/1700000001.a")), 0);
}

static void refuses_what_is_no_plain_file(void **state)
{
	assert_refused(*state, replace_by_fifo);
	assert_refused(*state, replace_by_link);
	assert_refused(*state, replace_by_dir);
}

/* Counts its calls; always too late. */
static int too_late(const struct maildir_place *place, const struct maildir_file *file, void *arg)
{
	(void)place;
	(void)file;
	++*(int *)arg;
	return ENOENT;
}

static void what_cannot_be_caught_is_not_taken_for_gone(void **state)
{
	static const int64_t times[] = { 1500000000, INT32_MAX };
	struct world *w = *state;
	struct maildir_place place;

	put(w, "new/1700000001.a", "x");
	put(w, "new/1700000002.b", "x");
	list(w);
	drop(w, "new/1700000002.b");
	for (size_t i = 0; i < 2; i++) {
		int calls = 0;

		set_mtime(w, "new", times[i]);
		set_mtime(w, "cur", times[i]);
		place = maildir_place(maildir_of(w->backend));
		assert_false(failed(maildir_enter(&place, 0)));
		assert_int_equal(maildir_locate(&place, "1700000001.a", too_late, &calls), EBUSY);
		assert_in_range(calls, 1, 10);
		calls = 0;
		assert_int_equal(maildir_locate(&place, "1700000002.b", too_late, &calls), ENOENT);
		assert_int_equal(calls, 0);
		maildir_leave(&place);
	}
}

/* Three blocks, and a last one. */
#define LONG_TEXT 200000

static void put_long(struct world *w)
{
	char *text = arena_alloc(w->arena, LONG_TEXT);

	memset(text, 'x', LONG_TEXT);
	put_octets(w, "new/1700000001.a", text, LONG_TEXT);
	list(w);
}

static void remove_it(struct world *w, void *arg)
{
	(void)arg;
	drop(w, "new/1700000001.a");
}

static void a_removal_does_not_touch_a_running_fetch(void **state)
{
	struct world *w = *state;
	struct collector out = collector(w);

	put_long(w);
	out.on_first = remove_it;
	assert_false(failed(fetch(w, "1700000001.a", FETCH_ALL, &out)));
	assert_int_equal(buffer_used(&out.data), LONG_TEXT);
	buffer_done(&out.data);
}

static void cut_it(struct world *w, void *arg)
{
	(void)arg;
	assert_int_equal(truncate(full(w, "new/1700000001.a"), LONG_TEXT - 1), 0);
}

static void a_file_that_shrinks_is_incomplete(void **state)
{
	struct world *w = *state;
	struct collector out = collector(w);

	put_long(w);
	out.on_first = cut_it;
	assert_error(fetch(w, "1700000001.a", FETCH_ALL, &out), ERR_TEMP, "became shorter");
	buffer_done(&out.data);
}

static void the_sinks_error_ends_it_unchanged(void **state)
{
	struct world *w = *state;
	struct collector out = collector(w);

	put_long(w);
	out.e = err_make(ERR_PEER, "client gone");
	assert_error(fetch(w, "1700000001.a", FETCH_ALL, &out), ERR_PEER, "client gone");
	assert_true(buffer_used(&out.data) < LONG_TEXT);
	buffer_done(&out.data);
}

static void cancel_it(struct world *w, void *arg)
{
	(void)w;
	(void)arg;
	fiber_cancel(fiber_current());
}

static void a_cancel_ends_it_though_the_sink_never_waits(void **state)
{
	struct world *w = *state;
	struct collector out = collector(w);

	put_long(w);
	out.on_first = cancel_it;
	assert_error(fetch(w, "1700000001.a", FETCH_ALL, &out), ERR_CANCELED, "");
	buffer_done(&out.data);
}

/* A message of 8 GiB that would take seconds to read. */
static void top_reads_no_more_than_it_needs(void **state)
{
	struct world *w = *state;
	struct collector out = collector(w);

	put(w, "new/1700000001.a,W=8589934592", "Subject: x\n\nbody\n");
	assert_int_equal(truncate(full(w, "new/1700000001.a,W=8589934592"), 1LL << 33), 0);
	list(w);
	out.limit = 20000;
	assert_false(failed(fetch(w, "1700000001.a,W=8589934592", FETCH_TOP, &out)));
	assert_in_range(buffer_used(&out.data), 20000, 65536);
	buffer_done(&out.data);
}

static void a_lost_disk_is_no_lost_message(void **state)
{
	struct world *w = *state;
	struct collector out = collector(w);
	const char *away = arena_printf(w->arena, "%s/away", w->dir);

	put(w, "new/1700000001.a", "x");
	list(w);
	assert_int_equal(rename(w->maildir, away), 0);
	assert_error(fetch(w, "1700000001.a", FETCH_ALL, &out), ERR_TEMP, "No such file");
	assert_int_equal(rename(away, w->maildir), 0);
	assert_fetches(w, "1700000001.a", "x");
}

static void fetch_unreadable(struct world *w)
{
	struct collector out = collector(w);

	list(w);
	assert_int_equal(message_of(w, "1700000001.a,S=1,W=3")->size, 3);
	assert_true(message_of(w, "1700000001.a,S=1,W=3")->exact);
	assert_int_equal(message_of(w, "1700000002.b")->size, 5);
	assert_false(message_of(w, "1700000002.b")->exact);
	assert_error(fetch(w, "1700000002.b", FETCH_ALL, &out), ERR_MESSAGE, "Permission denied");
	assert_fetches(w, "1700000003.c", "fine");
}

/* Root may read everything, so this runs in a process that is somebody else. */
static void what_may_not_be_read_does_not_hide_the_rest(void **state)
{
	struct world *w = *state;
	int status;
	pid_t pid;

	put(w, "new/1700000001.a,S=1,W=3", "x");
	put(w, "new/1700000002.b", "12345");
	put(w, "new/1700000003.c", "fine");
	assert_int_equal(chmod(full(w, "new/1700000001.a,S=1,W=3"), 0), 0);
	assert_int_equal(chmod(full(w, "new/1700000002.b"), 0), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && seteuid(65534) < 0)
			_exit(99);
		runtime_init();
		fetch_unreadable(w);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	/* Without a loop in the parent: one does not survive a fork. */
	const struct CMUnitTest forking[] = {
		WORLD_TEST(what_may_not_be_read_does_not_hide_the_rest),
	};
	const struct CMUnitTest tests[] = {
		WORLD_TEST(gives_the_octets_as_stored),
		WORLD_TEST(finds_what_others_renamed),
		WORLD_TEST(finds_what_others_renamed_after_a_rest),
		WORLD_TEST(says_what_others_removed),
		WORLD_TEST(what_cannot_be_caught_is_not_taken_for_gone),
		WORLD_TEST(refuses_what_is_no_plain_file),
		WORLD_TEST(a_removal_does_not_touch_a_running_fetch),
		WORLD_TEST(a_file_that_shrinks_is_incomplete),
		WORLD_TEST(the_sinks_error_ends_it_unchanged),
		WORLD_TEST(a_cancel_ends_it_though_the_sink_never_waits),
		WORLD_TEST(top_reads_no_more_than_it_needs),
		WORLD_TEST(a_lost_disk_is_no_lost_message),
	};

	return cmocka_run_group_tests(forking, NULL, NULL) +
	       cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
