/* Marking seen and removing: exactly the messages given, and nothing overwritten. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/runtime/fiber.h"
#include "world.h"

static void marks_seen_by_renaming(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	put(w, "cur/1700000002.b:2,FTa", "x");
	put(w, "cur/1700000003.c", "x");
	put(w, "cur/1700000004.d:2,RS", "x");
	list(w);
	mark_seen(w, "1700000001.a");
	mark_seen(w, "1700000002.b");
	mark_seen(w, "1700000003.c");
	mark_seen(w, "1700000004.d");
	assert_true(exists(w, "cur/1700000001.a:2,S"));
	assert_true(exists(w, "cur/1700000002.b:2,FSTa"));
	assert_true(exists(w, "cur/1700000003.c:2,S"));
	assert_true(exists(w, "cur/1700000004.d:2,RS"));
	assert_int_equal(count_names(w, "new"), 0);
	assert_int_equal(count_names(w, "cur"), 4);
	/* And found under their new names. */
	assert_fetches(w, "1700000001.a", "x");
	mark_seen(w, "1700000001.a");
	assert_true(exists(w, "cur/1700000001.a:2,S"));
}

static void marking_seen_overwrites_nothing(void **state)
{
	struct world *w = *state;

	put(w, "cur/1700000001.a:2,", "first");
	list(w);
	put(w, "cur/1700000001.a:2,S", "second");
	mark_seen(w, "1700000001.a");
	assert_string_equal(content(w, "cur/1700000001.a:2,"), "first");
	assert_string_equal(content(w, "cur/1700000001.a:2,S"), "second");
}

static void expunges_exactly_what_is_given(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	put(w, "cur/1700000002.b:2,T", "x");
	put(w, "cur/1700000003.c:2,", "x");
	put(w, "cur/1700000004.d:2,", "x");
	list(w);
	move(w, "cur/1700000003.c:2,", "cur/1700000003.c:2,S");
	put(w, "new/1700000005.e", "x");
	remove_one(w, "1700000001.a", DELETE_EXPUNGE);
	remove_one(w, "1700000003.c", DELETE_EXPUNGE);
	assert_int_equal(count_names(w, "new"), 1);
	assert_int_equal(count_names(w, "cur"), 2);
	assert_true(exists(w, "cur/1700000002.b:2,T"));
	assert_true(exists(w, "cur/1700000004.d:2,"));
	assert_true(exists(w, "new/1700000005.e"));
	assert_int_equal(count_names(w, "."), 3);
}

static void what_is_gone_already_is_removed(void **state)
{
	struct world *w = *state;

	put(w, "new/1700000001.a", "x");
	put(w, "new/1700000002.b", "x");
	list(w);
	drop(w, "new/1700000001.a");
	remove_one(w, "1700000001.a", DELETE_EXPUNGE);
	remove_one(w, "1700000001.a", DELETE_TRASH);
	assert_int_equal(count_names(w, "new"), 1);
}

/* More than a job does at once, with some gone, some renamed and some marked seen. */
static void removes_many(void **state)
{
	struct world *w = *state;
	size_t *all = arena_alloc(w->arena, 1000 * sizeof *all);
	enum removal_result *results = arena_zalloc(w->arena, 1000, sizeof *results);
	struct backend_update what = {
		.remove = all, .n_remove = 999, .how = DELETE_EXPUNGE, .seen = all, .n_seen = 1000
	};
	char name[64], to[64];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof name, "new/%d.a", 1700000000 + i);
		put(w, name, "x");
		all[i] = (size_t)i;
	}
	list(w);
	for (int i = 0; i < 999; i += 3) {
		(void)snprintf(name, sizeof name, "new/%d.a", 1700000000 + i);
		drop(w, name);
		(void)snprintf(name, sizeof name, "new/%d.a", 1700000000 + i + 1);
		(void)snprintf(to, sizeof to, "cur/%d.a:2,F", 1700000000 + i + 1);
		move(w, name, to);
	}
	assert_false(failed(update(w, &what, results)));
	for (size_t i = 0; i < 999; i++)
		assert_int_equal(results[i], REMOVAL_DONE);
	assert_int_equal(count_names(w, "new"), 0);
	assert_int_equal(count_names(w, "cur"), 1);
	assert_true(exists(w, "cur/1700000999.a:2,S"));
}

static void moves_to_a_trash_that_it_makes(void **state)
{
	struct world *w = *state;
	size_t both[] = { 0, 1 };
	enum removal_result results[2];
	struct backend_update what = {
		.remove = both, .n_remove = 2, .how = DELETE_TRASH, .seen = both, .n_seen = 1
	};
	struct stat st;

	assert_int_equal(chmod(w->maildir, 0750), 0);
	put(w, "new/1700000001.a", "first");
	put(w, "cur/1700000002.b,S=6:2,F", "second");
	list(w);
	assert_false(failed(update(w, &what, results)));
	assert_int_equal(results[0], REMOVAL_DONE);
	assert_int_equal(results[1], REMOVAL_DONE);
	assert_string_equal(content(w, ".Trash/cur/1700000001.a:2,S"), "first");
	assert_string_equal(content(w, ".Trash/cur/1700000002.b,S=6:2,F"), "second");
	assert_int_equal(count_names(w, "new") + count_names(w, "cur"), 0);
	assert_true(exists(w, ".Trash/maildirfolder"));
	assert_true(exists(w, ".Trash/new"));
	assert_true(exists(w, ".Trash/tmp"));
	assert_int_equal(stat(full(w, ".Trash/cur"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(stat(full(w, ".Trash"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void the_trash_has_the_owner_of_the_maildir(void **state)
{
	struct world *w = *state;
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(w->maildir, 12345, 54321), 0);
	put(w, "new/1700000001.a", "x");
	list(w);
	remove_one(w, "1700000001.a", DELETE_TRASH);
	assert_int_equal(stat(full(w, ".Trash/cur"), &st), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 54321);
	assert_int_equal(stat(full(w, ".Trash/maildirfolder"), &st), 0);
	assert_int_equal(st.st_uid, 12345);
}

static void the_trash_may_lie_deep_in_the_fs_layout(void **state)
{
	struct world *w = *state;

	w->tenant.maildir.folder_layout = LAYOUT_FS;
	w->tenant.maildrop.trash = "Old/M\xc3\xbcll/Bin";
	put(w, "new/1700000001.a", "x");
	put(w, "new/1700000002.b", "x");
	list(w);
	remove_one(w, "1700000001.a", DELETE_TRASH);
	remove_one(w, "1700000002.b", DELETE_TRASH);
	assert_true(exists(w, "Old/M&APw-ll/Bin/cur/1700000001.a:2,"));
	assert_true(exists(w, "Old/M&APw-ll/Bin/cur/1700000002.b:2,"));
	assert_false(exists(w, "Old/M&APw-ll/Bin/maildirfolder"));
}

static void the_trash_overwrites_nothing(void **state)
{
	struct world *w = *state;

	make_maildir(w, ".Trash");
	put(w, ".Trash/cur/1700000001.a,S=6:2,", "first");
	put(w, ".Trash/cur/1700000001.a_1,S=6:2,", "second");
	put(w, "new/1700000001.a,S=6", "third");
	list(w);
	remove_one(w, "1700000001.a,S=6", DELETE_TRASH);
	assert_string_equal(content(w, ".Trash/cur/1700000001.a,S=6:2,"), "first");
	assert_string_equal(content(w, ".Trash/cur/1700000001.a_1,S=6:2,"), "second");
	assert_string_equal(content(w, ".Trash/cur/1700000001.a_2,S=6:2,"), "third");
	assert_int_equal(count_names(w, "new"), 0);
}

/* A crash between link and unlink, on file systems where a move is done so. */
static void the_trash_takes_no_second_copy_of_one_file(void **state)
{
	struct world *w = *state;

	make_maildir(w, ".Trash");
	put(w, "new/1700000001.a", "x");
	list(w);
	assert_int_equal(
		link(full(w, "new/1700000001.a"), full(w, ".Trash/cur/1700000001.a:2,")), 0);
	remove_one(w, "1700000001.a", DELETE_TRASH);
	assert_int_equal(count_names(w, "new"), 0);
	assert_int_equal(count_names(w, ".Trash/cur"), 1);
}

static void what_is_deleted_in_the_trash_is_deleted(void **state)
{
	struct world *w = *state;
	size_t first = 0;
	enum removal_result result;
	struct backend_update what = {
		.remove = &first, .n_remove = 1, .how = DELETE_TRASH, .seen = &first, .n_seen = 1
	};

	make_maildir(w, ".Trash");
	put(w, ".Trash/cur/1700000001.a:2,", "x");
	w->account.folder = "Trash";
	list(w);
	assert_false(failed(update(w, &what, &result)));
	assert_int_equal(result, REMOVAL_DONE);
	assert_int_equal(count_names(w, ".Trash/cur"), 0);
}

static void says_what_it_could_not_remove(void **state)
{
	struct world *w = *state;
	size_t both[] = { 0, 1 };
	enum removal_result results[2];
	struct backend_update what = { .remove = both, .n_remove = 2, .how = DELETE_EXPUNGE };

	put(w, "new/1700000001.a", "x");
	put(w, "new/1700000002.b", "x");
	list(w);
	drop(w, "new/1700000001.a");
	assert_int_equal(mkdir(full(w, "new/1700000001.a"), 0755), 0);
	assert_error(update(w, &what, results), ERR_TEMP, "1700000001.a");
	assert_int_equal(results[0], REMOVAL_FAILED);
	assert_int_equal(results[1], REMOVAL_DONE);
	assert_false(exists(w, "new/1700000002.b"));
}

static void nothing_is_removed_without_the_trash(void **state)
{
	struct world *w = *state;
	size_t first = 0;
	enum removal_result result = REMOVAL_DONE;
	struct backend_update what = { .remove = &first, .n_remove = 1, .how = DELETE_TRASH };

	put(w, "new/1700000001.a", "x");
	put(w, ".Trash", "no folder");
	list(w);
	assert_error(update(w, &what, &result), ERR_PERM, ".Trash");
	assert_int_equal(result, REMOVAL_FAILED);
	assert_true(exists(w, "new/1700000001.a"));
}

static void a_lost_disk_is_no_removal(void **state)
{
	struct world *w = *state;
	size_t first = 0;
	enum removal_result result = REMOVAL_DONE;
	struct backend_update what = { .remove = &first, .n_remove = 1, .how = DELETE_EXPUNGE };
	const char *away = arena_printf(w->arena, "%s/away", w->dir);

	put(w, "new/1700000001.a", "x");
	list(w);
	assert_int_equal(rename(w->maildir, away), 0);
	assert_true(failed(update(w, &what, &result)));
	assert_int_equal(result, REMOVAL_FAILED);
	assert_int_equal(rename(away, w->maildir), 0);
}

static void tells_the_quota_file(void **state)
{
	struct world *w = *state;
	char *long_text = arena_alloc(w->arena, 5120);

	put(w, "new/1700000001.a", "12345");
	put(w, "new/1700000002.b,S=77", "x");
	put(w, "new/1700000003.c", "x");
	put(w, "new/1700000004.d", "x");
	put(w, "new/1700000005.e", "x");
	put(w, "maildirsize", "1000S\n90 3\n");
	list(w);
	remove_one(w, "1700000001.a", DELETE_EXPUNGE);
	remove_one(w, "1700000002.b,S=77", DELETE_EXPUNGE);
	assert_string_equal(content(w, "maildirsize"), "1000S\n90 3\n-5 -1\n-77 -1\n");
	/* A move leaves the sum as it is; what was gone, somebody else has accounted for. */
	remove_one(w, "1700000003.c", DELETE_TRASH);
	drop(w, "new/1700000005.e");
	remove_one(w, "1700000005.e", DELETE_EXPUNGE);
	assert_string_equal(content(w, "maildirsize"), "1000S\n90 3\n-5 -1\n-77 -1\n");
	drop(w, "maildirsize");
	memset(long_text, '\n', 5120);
	put_octets(w, "maildirsize", long_text, 5120);
	remove_one(w, "1700000004.d", DELETE_EXPUNGE);
	assert_int_equal(strlen(content(w, "maildirsize")), 5120);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(marks_seen_by_renaming),
		WORLD_TEST(marking_seen_overwrites_nothing),
		WORLD_TEST(expunges_exactly_what_is_given),
		WORLD_TEST(what_is_gone_already_is_removed),
		WORLD_TEST(removes_many),
		WORLD_TEST(moves_to_a_trash_that_it_makes),
		WORLD_TEST(the_trash_has_the_owner_of_the_maildir),
		WORLD_TEST(the_trash_may_lie_deep_in_the_fs_layout),
		WORLD_TEST(the_trash_overwrites_nothing),
		WORLD_TEST(the_trash_takes_no_second_copy_of_one_file),
		WORLD_TEST(what_is_deleted_in_the_trash_is_deleted),
		WORLD_TEST(says_what_it_could_not_remove),
		WORLD_TEST(nothing_is_removed_without_the_trash),
		WORLD_TEST(a_lost_disk_is_no_removal),
		WORLD_TEST(tells_the_quota_file),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
