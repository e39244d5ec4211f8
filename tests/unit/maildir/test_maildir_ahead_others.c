/* Reading ahead, while others rename, remove, replace and cut files. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mailbox.h"
#include "proxy/runtime/wait.h"

#define OCTETS 700

/* Ten messages, of which two were read: so 2 and 3 are kept. */
static void begin(struct world *w)
{
	fill(w, 10, OCTETS);
	assert_retr(w, 0, 1);
	assert_retr(w, 1, 1);
	assert_int_equal(n_kept(w), 2);
}

/* Message i by what it was, though its file is another or none. */
static void assert_retr_as_delivered(struct world *w, size_t i, unsigned expected_visits)
{
	put_numbered(w, i, OCTETS);
	assert_retr(w, i, expected_visits);
	drop(w, path_of(w, i));
}

static void gone(const struct world *w, size_t i)
{
	drop(w, path_of(w, i));
}

static void made_a_fifo(const struct world *w, size_t i)
{
	drop(w, path_of(w, i));
	assert_int_equal(mkfifo(full(w, path_of(w, i)), 0644), 0);
}

static void made_a_directory(const struct world *w, size_t i)
{
	drop(w, path_of(w, i));
	assert_int_equal(mkdir(full(w, path_of(w, i)), 0755), 0);
}

/* To what is a message, but not this one. */
static void made_a_link(const struct world *w, size_t i)
{
	drop(w, path_of(w, i));
	assert_int_equal(symlink(full(w, path_of(w, 0)), full(w, path_of(w, i))), 0);
}

/* What cannot be read is told in its own turn, and neither before nor behind it. */
static void assert_told_in_its_turn(
	struct world *w, void (*spoil)(const struct world *w, size_t i), enum err_scope scope)
{
	begin(w);
	assert_retr(w, 2, 0);
	assert_retr(w, 3, 0);
	spoil(w, 6);
	assert_retr(w, 4, 1);
	assert_int_equal(n_kept(w), 3);
	assert_retr(w, 5, 0);
	assert_no_retr(w, 6, scope);
	assert_retr(w, 7, 0);
	assert_retr(w, 8, 0);
	assert_retr(w, 9, 1);
}

static void what_is_gone_is_told_in_its_turn(void **state)
{
	assert_told_in_its_turn(*state, gone, ERR_GONE);
}

static void what_is_no_file_is_told_in_its_turn(void **state)
{
	assert_told_in_its_turn(*state, made_a_fifo, ERR_MESSAGE);
}

static void what_is_a_directory_is_told_in_its_turn(void **state)
{
	assert_told_in_its_turn(*state, made_a_directory, ERR_MESSAGE);
}

static void what_is_a_link_is_told_in_its_turn(void **state)
{
	assert_told_in_its_turn(*state, made_a_link, ERR_MESSAGE);
}

/* The one asked for is gone: the others come along all the same. */
static void the_first_of_a_run_may_be_gone(void **state)
{
	struct world *w = *state;

	begin(w);
	drop(w, path_of(w, 4));
	assert_retr(w, 2, 0);
	assert_retr(w, 3, 0);
	assert_no_retr(w, 4, ERR_GONE);
	for (size_t i = 5; i < 9; i++)
		assert_retr(w, i, 0);
}

static void rename_all(const struct world *w, size_t from, const char *info)
{
	for (size_t i = from; i < w->listing.n; i++)
		move(w, path_of(w, i), arena_printf(w->arena, "cur/%s%s", key_of(w, i), info));
}

/* One search finds them all, and the rest of the run is read along with it. */
static void renamed_in_the_middle(void **state)
{
	struct world *w = *state;

	begin(w);
	/* 4 comes along with 5 to 8. */
	assert_retr(w, 2, 0);
	rename_all(w, 3, ":2,T");
	assert_retr(w, 3, 0);
	assert_retr(w, 4, 1);
	assert_int_equal(n_kept(w), 4);
	for (size_t i = 5; i < 9; i++)
		assert_retr(w, i, 0);
	assert_retr(w, 9, 1);
}

/* What was renamed is not searched for before it is asked for; then those behind it come along. */
static void renamed_between_run_and_turn(void **state)
{
	struct world *w = *state;

	begin(w);
	assert_retr(w, 2, 0);
	assert_retr(w, 3, 0);
	for (size_t i = 5; i < 10; i++)
		move(w, path_of(w, i), arena_printf(w->arena, "cur/%s:2,T", key_of(w, i)));
	reads = 0;
	assert_retr(w, 4, 1);
	assert_int_equal(n_kept(w), 0);
	assert_int_equal(reads, 0);
	assert_retr(w, 5, 1);
	assert_int_equal(n_kept(w), 3);
	assert_int_not_equal(reads, 0);
	for (size_t i = 6; i < 9; i++)
		assert_retr(w, i, 0);
}

static void removed_after_it_was_read_ahead(void **state)
{
	struct world *w = *state;

	begin(w);
	drop(w, path_of(w, 2));
	assert_retr_as_delivered(w, 2, 0);
	/* It was kept once. */
	assert_no_retr(w, 2, ERR_GONE);
}

/* What others did long ago is seen. */
static void what_is_old_is_read_again(void **state)
{
	struct world *w = *state;

	begin(w);
	drop(w, path_of(w, 2));
	put(w, path_of(w, 2), "another");
	drop(w, path_of(w, 3));
	clock_advance(MAILDIR_AHEAD_AGE + 1);
	assert_retr(w, 2, 1);
	assert_no_retr(w, 3, ERR_GONE);
}

static void what_is_not_old_is_not(void **state)
{
	struct world *w = *state;

	begin(w);
	clock_advance(MAILDIR_AHEAD_AGE - 1000);
	assert_retr(w, 2, 0);
}

/* A client that pauses at each message gets on in short runs. */
static void slow_clients_get_shorter_runs(void **state)
{
	struct world *w = *state;

	fill(w, 40, OCTETS);
	for (size_t i = 0; i < 20; i++)
		assert_retr(w, i, ANY_VISITS);
	assert_true(n_kept(w) > 8);
	for (size_t i = 20; i < 36; i++) {
		clock_advance(MAILDIR_AHEAD_AGE + 1);
		assert_retr(w, i, 1);
		assert_int_equal(n_kept(w), 2);
	}
}

static void a_rest_drops_it(void **state)
{
	struct world *w = *state;

	begin(w);
	drop(w, path_of(w, 2));
	w->backend->ops->rest(w->backend);
	assert_int_equal(octets_kept(w), 0);
	assert_null(maildir_of(w->backend)->ahead.run.kept);
	assert_no_retr(w, 2, ERR_GONE);
	assert_retr(w, 3, 1);
	assert_retr(w, 4, 0);
	w->backend->ops->rest(w->backend);
	w->backend->ops->rest(w->backend);
	assert_retr(w, 5, 1);
	assert_int_equal(octets_kept(w), 0);
}

/* Longer than it was listed: no part of it is taken for the whole. */
static void a_file_that_grew_is_read_in_its_turn(void **state)
{
	struct world *w = *state;

	fill(w, 10, OCTETS);
	drop(w, path_of(w, 2));
	put_numbered(w, 2, 10 * OCTETS);
	drop(w, path_of(w, 3));
	put_numbered(w, 3, OCTETS / 2);
	assert_retr(w, 0, 1);
	assert_retr(w, 1, 1);
	assert_int_equal(n_kept(w), 1);
	assert_retr(w, 2, 1);
	assert_retr(w, 3, 0);
}

/* What comes in pieces, as from some file systems, is not taken for a shorter message. */
static void a_read_that_gives_less(void **state)
{
	struct world *w = *state;

	fill(w, 8, OCTETS);
	read_max = OCTETS - 1;
	for (size_t i = 0; i < 8; i++)
		assert_retr(w, i, 1);
	for (size_t i = 0; i < 8; i++)
		assert_top(w, i, UINT64_MAX, 1);
}

/* A name that tells a wrong size. */
static void a_name_that_lies(void **state)
{
	static const char *const keys[] = { "1700000000.a,S=3,W=3", "1700000001.b,S=3,W=3",
		"1700000002.c,S=3,W=3", "1700000003.d,S=99999999,W=99999999" };
	struct world *w = *state;

	for (size_t i = 0; i < 4; i++)
		put(w, arena_printf(w->arena, "cur/%s:2,", keys[i]), "Subject: x\n\nlonger\n");
	list(w);
	for (size_t i = 0; i < 4; i++)
		assert_retr(w, i, 1);
	for (size_t i = 0; i < 4; i++)
		assert_top(w, i, 1, ANY_VISITS);
	for (size_t i = 4; i-- > 0;)
		assert_top(w, i, 0, ANY_VISITS);
}

static void lose_the_disk(struct world *w, const char *away)
{
	assert_int_equal(rename(w->maildir, away), 0);
}

/* Then nothing of it is kept. */
static void a_lost_disk_is_told(void **state)
{
	struct world *w = *state;
	const char *away = arena_printf(w->arena, "%s/away", w->dir);
	struct collector out = collector(w);

	begin(w);
	assert_retr(w, 2, 0);
	assert_retr(w, 3, 0);
	lose_the_disk(w, away);
	assert_error(fetch(w, key_of(w, 4), FETCH_ALL, &out), ERR_TEMP, "No such file");
	assert_int_equal(octets_kept(w), 0);
	assert_error(fetch(w, key_of(w, 5), FETCH_ALL, &out), ERR_TEMP, "No such file");
	assert_int_equal(rename(away, w->maildir), 0);
	assert_retr(w, 6, 1);
}

static void the_sinks_error_ends_it(void **state)
{
	struct world *w = *state;
	struct collector out = collector(w);

	begin(w);
	out.e = err_make(ERR_PEER, "client gone");
	assert_error(fetch(w, key_of(w, 2), FETCH_ALL, &out), ERR_PEER, "client gone");
	buffer_done(&out.data);
}

/* A server that takes 20 ms for each file: three of a run come with each job, not all eight. */
static void where_files_take_long_a_run_is_read_in_pieces(void **state)
{
	struct world *w = *state;

	fill(w, 30, OCTETS);
	for (size_t i = 0; i < 9; i++)
		assert_retr(w, i, ANY_VISITS);
	assert_int_equal(n_kept(w), 0);
	hrtime_step = MAILDIR_AHEAD_TIME * UINT64_C(1000000) * 2 / 5;
	assert_retr(w, 9, 1);
	assert_int_equal(n_kept(w), 2);
	assert_retr(w, 10, 0);
	assert_retr(w, 11, 0);
	assert_retr(w, 12, 1);
	assert_int_equal(n_kept(w), 2);
	for (size_t i = 13; i < 30; i++)
		assert_retr(w, i, ANY_VISITS);
}

static void read_unreadable(struct world *w)
{
	fill(w, 6, OCTETS);
	assert_retr(w, 0, 1);
	assert_int_equal(chmod(full(w, path_of(w, 2)), 0), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_retr(w, 1, 1);
	assert_no_retr(w, 2, ERR_MESSAGE);
	assert_retr(w, 3, 0);
}

/* Root may read everything, so this runs in a process that is somebody else. */
static void what_may_not_be_read_is_told_in_its_turn(void **state)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		runtime_init();
		read_unreadable(*state);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define AHEAD_TEST(f) cmocka_unit_test_setup_teardown(f, mailbox_setup, world_teardown)

int main(void)
{
	/* Without a loop in the parent: one does not survive a fork. */
	const struct CMUnitTest forking[] = {
		AHEAD_TEST(what_may_not_be_read_is_told_in_its_turn),
	};
	const struct CMUnitTest tests[] = {
		AHEAD_TEST(what_is_gone_is_told_in_its_turn),
		AHEAD_TEST(what_is_no_file_is_told_in_its_turn),
		AHEAD_TEST(what_is_a_directory_is_told_in_its_turn),
		AHEAD_TEST(what_is_a_link_is_told_in_its_turn),
		AHEAD_TEST(the_first_of_a_run_may_be_gone),
		AHEAD_TEST(renamed_in_the_middle),
		AHEAD_TEST(renamed_between_run_and_turn),
		AHEAD_TEST(removed_after_it_was_read_ahead),
		AHEAD_TEST(what_is_old_is_read_again),
		AHEAD_TEST(what_is_not_old_is_not),
		AHEAD_TEST(slow_clients_get_shorter_runs),
		AHEAD_TEST(a_rest_drops_it),
		AHEAD_TEST(a_file_that_grew_is_read_in_its_turn),
		AHEAD_TEST(a_read_that_gives_less),
		AHEAD_TEST(a_name_that_lies),
		AHEAD_TEST(a_lost_disk_is_told),
		AHEAD_TEST(the_sinks_error_ends_it),
		AHEAD_TEST(where_files_take_long_a_run_is_read_in_pieces),
	};

	return cmocka_run_group_tests_name("forking", forking, NULL, NULL) +
	       cmocka_run_group_tests_name(
		       "maildir_ahead_others", tests, loop_setup, loop_teardown);
}
