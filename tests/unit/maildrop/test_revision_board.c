/* Revisions that are known without a look into the database: never one that is not the present one.
 */
#include "stores.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/maildrop/revision_board.h"

static const struct registry_maildrop other = { .tenant = "tenant", .login = "other" };

static bool recalls(struct registry *at, const struct registry_maildrop *maildrop, uint64_t *ret)
{
	return at->ops->recall(at, maildrop, ret);
}

static void a_revision_is_known_once_it_was_read(void **state)
{
	uint64_t revision, known = 0;

	(void)state;
	assert_false(recalls(registry, &user, &known));
	revision = keep(maildir_entry("a", "1"));
	reopen();
	assert_false(recalls(registry, &user, &known));
	assert_int_equal(revision_of(registry, &user), revision);
	assert_true(recalls(registry, &user, &known));
	assert_int_equal(known, revision);
	assert_false(recalls(registry, &other, &known));
}

static void ones_own_change_is_known_at_once(void **state)
{
	uint64_t known = 0, first = keep(maildir_entry("a", "1"));

	(void)state;
	assert_true(recalls(registry, &user, &known));
	assert_int_equal(known, first);
	assert_int_not_equal(keep(maildir_entry("b", "2")), first);
	assert_true(recalls(registry, &user, &known));
	assert_int_not_equal(known, first);
	assert_int_equal(known, revision_of(registry, &user));
}

static void what_is_unknown_is_asked_for_each_time(void **state)
{
	uint64_t known = 0;

	(void)state;
	assert_int_equal(revision_of(registry, &other), 0);
	assert_false(recalls(registry, &other, &known));
}

static void anothers_change_is_seen(void **state)
{
	struct registry *another = open_another();
	struct registry_change change = { .revision = keep(maildir_entry("a", "1")), .flags = 1 };
	uint64_t revision = 0, known = 0;

	(void)state;
	assert_true(recalls(registry, &user, &known));
	assert_ok(change_record(another, &user, &change, &revision));
	assert_int_not_equal(revision, 0);
	assert_false(recalls(registry, &user, &known));
	assert_int_equal(revision_of(registry, &user), revision);
	assert_true(recalls(registry, &user, &known));
	/* One who comes too late has changed nothing, and knows nothing. */
	assert_ok(change_record(another, &user, &change, &revision));
	assert_int_equal(revision, 0);
	assert_false(recalls(another, &user, &known));
	registry_close(another);
}

static void expire_all(void *arg)
{
	size_t n = 0;

	assert_ok(registry_expire(arg, INT64_MAX, 10, &n));
	assert_int_equal(n, 1);
}

static void what_was_forgotten_is_not_recalled(void **state)
{
	struct registry *another = open_another();
	uint64_t known = 0;

	(void)state;
	(void)keep(imap_entry(1, 1));
	assert_true(recalls(registry, &user, &known));
	in_fiber(expire_all, another);
	assert_false(recalls(registry, &user, &known));
	assert_int_equal(revision_of(registry, &user), 0);
	registry_close(another);
}

/* The board alone: what two processes do, step by step. */
struct two {
	struct revision_board *one, *two;
	struct board_place place; /* of one */
	struct board_place there; /* the same, of two */
};

static struct two two_open(void)
{
	struct two t;

	assert_ok(revision_board_open(place.address, &t.one));
	assert_ok(revision_board_open(place.address, &t.two));
	t.place = revision_board_place(t.one, &user);
	t.there = revision_board_place(t.two, &user);
	assert_int_equal(t.place.cell, t.there.cell);
	return t;
}

static void two_close(struct two *t)
{
	revision_board_close(t->one);
	revision_board_close(t->two);
}

static void nothing_is_known_while_a_change_is_under_way(void **state)
{
	struct two t = two_open();
	uint64_t begun, known;

	(void)state;
	revision_board_keep(t.one, t.place, revision_board_ticket(t.one, t.place), 7);
	assert_true(revision_board_recall(t.one, t.place, &known));
	begun = revision_board_begin(t.two, t.there);
	assert_false(revision_board_recall(t.one, t.place, &known));
	/* Read in between it may be the old one or the new one. */
	revision_board_keep(t.one, t.place, revision_board_ticket(t.one, t.place), 7);
	assert_false(revision_board_recall(t.one, t.place, &known));
	(void)revision_board_end(t.two, t.there, begun);
	assert_false(revision_board_recall(t.one, t.place, &known));
	two_close(&t);
}

static void a_ticket_from_before_a_change_is_worth_nothing(void **state)
{
	struct two t = two_open();
	uint64_t ticket = revision_board_ticket(t.one, t.place), known;

	(void)state;
	(void)revision_board_end(t.two, t.there, revision_board_begin(t.two, t.there));
	revision_board_keep(t.one, t.place, ticket, 7);
	assert_false(revision_board_recall(t.one, t.place, &known));
	two_close(&t);
}

/* The later of two changes may be the other's, which began before one's own was told. */
static void of_two_changes_at_once_neither_is_sure(void **state)
{
	struct two t = two_open();
	uint64_t first = revision_board_begin(t.one, t.place), known;
	uint64_t second = revision_board_begin(t.two, t.there);

	(void)state;
	revision_board_keep(t.two, t.there, revision_board_end(t.two, t.there, second), 8);
	assert_false(revision_board_recall(t.two, t.there, &known));
	revision_board_keep(t.one, t.place, revision_board_end(t.one, t.place, first), 7);
	assert_false(revision_board_recall(t.one, t.place, &known));
	two_close(&t);
}

/* Whoever dies in the middle of a change leaves no certainty, until all have gone. */
static void one_that_died_is_forgotten_by_the_next_to_come(void **state)
{
	struct two t = two_open();
	uint64_t known;

	(void)state;
	(void)revision_board_begin(t.two, t.there);
	revision_board_close(t.two);
	assert_ok(revision_board_open(place.address, &t.two));
	revision_board_keep(t.one, t.place, revision_board_ticket(t.one, t.place), 7);
	assert_false(revision_board_recall(t.one, t.place, &known));
	two_close(&t);
	registry_close(registry);
	registry = NULL;
	t = two_open();
	revision_board_keep(t.one, t.place, revision_board_ticket(t.one, t.place), 7);
	assert_true(revision_board_recall(t.one, t.place, &known));
	two_close(&t);
}

static void board_path(char path[static 300])
{
	(void)snprintf(path, 300, "%s-board", place.address);
}

/* Others would come to have another one. */
static void a_board_that_was_removed_is_no_good(void **state)
{
	struct registry_change change = { .revision = keep(maildir_entry("a", "1")), .flags = 1 };
	uint64_t known = 0, revision = 0;
	struct registry *another;
	char path[300];

	(void)state;
	assert_true(recalls(registry, &user, &known));
	board_path(path);
	assert_int_equal(unlink(path), 0);
	assert_false(recalls(registry, &user, &known));
	assert_int_equal(revision_of(registry, &user), change.revision);
	assert_error(change_record(registry, &user, &change, &revision), ERR_PERM, "-board was");
	another = open_another();
	assert_ok(change_record(another, &user, &change, &revision));
	assert_false(recalls(registry, &user, &known));
	assert_int_equal(revision_of(registry, &user), revision);
	registry_close(another);
}

/* More than one call writes, so that the board can go in between. */
#define MANY 60000

struct large {
	struct registry_change change;
	uint64_t revision;
	struct err e;
	bool over;
};

static void write_many(void *arg)
{
	struct large *large = arg;

	large->e = registry_change(registry, &user, &large->change, &large->revision);
	large->over = true;
}

/* Whether a change is under way: one was begun that is not done. */
static bool has_begun(int board)
{
	static uint32_t counters[2 * 65536];
	size_t n = sizeof(counters) / sizeof(*counters);

	assert_int_equal(pread(board, counters, sizeof(counters), 0), sizeof(counters));
	for (size_t i = 0; i < n; i += 2)
		if (counters[i] != counters[i + 1])
			return true;
	return false;
}

static void remove_board(void *arg)
{
	struct large *large = arg;
	char path[300];
	int board;

	board_path(path);
	board = open(path, O_RDONLY);
	while (!has_begun(board) && !large->over)
		(void)fiber_yield();
	(void)unlink(path);
	(void)close(board);
}

/* What has begun is carried to its end: it must not leave the database locked. */
static void a_board_that_is_removed_during_a_change(void **state)
{
	struct registry_entry *entries = mem_zalloc(MANY, sizeof(*entries));
	struct large large = { .change = { .keep = entries, .n_keep = MANY, .next = 1 } };
	struct registry *another;
	uint64_t revision;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		entries[i] = imap_entry(1, i + 1);
	(void)fiber_spawn("writer", write_many, &large);
	(void)fiber_spawn("remover", remove_board, &large);
	runtime_run();
	assert_ok(large.e);
	another = open_another();
	assert_ok(change_record(another, &user,
		&(struct registry_change){ .revision = large.revision, .flags = 1 }, &revision));
	assert_int_not_equal(revision, 0);
	registry_close(another);
	free(entries);
}

/* However the database is named, it has one board. */
static void a_link_to_the_database(void **state)
{
	struct place linked = place;
	struct registry_change change = { .revision = keep(maildir_entry("a", "1")), .flags = 1 };
	struct registry *another;
	uint64_t known = 0, revision = 0;

	(void)state;
	(void)snprintf(linked.address, sizeof(linked.address), "%s/linked.db", place.folder);
	assert_int_equal(symlink(place.address, linked.address), 0);
	assert_ok(store->open(&linked, 20, &another));
	assert_true(recalls(registry, &user, &known));
	assert_ok(change_record(another, &user, &change, &revision));
	assert_false(recalls(registry, &user, &known));
	registry_close(another);
	assert_int_equal(unlink(linked.address), 0);
}

static void a_board_that_cannot_be_used_keeps_the_registry_closed(void **state)
{
	char path[300];
	struct stat st;

	(void)state;
	board_path(path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	registry_close(registry);
	registry = NULL;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_error(store->open(&place, 20, &registry), ERR_PERM, "-board");
	assert_int_equal(unlink(path), 0);
	/* An odd length is made good. */
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	assert_ok(store->open(&place, 20, &registry));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 65536 * 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		store_test(a_revision_is_known_once_it_was_read),
		store_test(ones_own_change_is_known_at_once),
		store_test(what_is_unknown_is_asked_for_each_time),
		store_test(anothers_change_is_seen),
		store_test(what_was_forgotten_is_not_recalled),
		store_test(nothing_is_known_while_a_change_is_under_way),
		store_test(a_ticket_from_before_a_change_is_worth_nothing),
		store_test(of_two_changes_at_once_neither_is_sure),
		store_test(one_that_died_is_forgotten_by_the_next_to_come),
		store_test(a_board_that_was_removed_is_no_good),
		store_test(a_board_that_is_removed_during_a_change),
		store_test(a_link_to_the_database),
		store_test(a_board_that_cannot_be_used_keeps_the_registry_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
