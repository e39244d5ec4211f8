/* A look at a Maildir without a thread says what a thread would say, or nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/maildir/glance.h"
#include "backends/maildir/maildir.h"
#include "memory.h"

static const char *const subs[] = { "cur", "new", "tmp" };

static struct maildir *opened(struct world *w)
{
	assert_int_equal(world_open(w).scope, ERR_OK);
	return maildir_of(w->backend);
}

static void it_says_what_a_thread_says(void **state)
{
	struct world *w = *state;
	struct maildir_state before;
	struct maildir *m;

	put(w, "cur/1700000002.b:2,S", "x");
	put(w, "maildirsize", "1000S,10C\n400 3\n-100 -1\n");
	m = opened(w);
	before = m->state;
	memset(&m->state, 0, sizeof m->state);
	m->quota = (struct backend_quota){ 0 };
	assert_true(maildir_glance(m));
	assert_true(maildir_state_equal(&m->state, &before));
	assert_int_equal(m->quota.limit_octets, 1000);
	assert_int_equal(m->quota.used_octets, 300);
	assert_int_equal(m->quota.used_messages, 2);
	rest(w); /* so that the change has a time of its own */
	put(w, "new/1700000003.c", "y");
	assert_true(maildir_glance(m));
	assert_false(maildir_state_equal(&m->state, &before));
}

static void nothing_is_said_of_what_lies_on_a_server(void **state)
{
	struct world *w = *state;

	on_server = true;
	assert_false(maildir_glance(opened(w)));
	on_server = false;
	assert_true(maildir_glance(opened(w)));
}

/* What is wrong is for a thread to name. */
static void a_folder_without_its_directories(void **state)
{
	struct world *w = *state;

	(void)opened(w);
	for (size_t i = 0; i < sizeof subs / sizeof subs[0]; i++) {
		move(w, subs[i], "away");
		assert_false(maildir_glance(maildir_of(w->backend)));
		assert_error(world_open(w), ERR_PERM, subs[i]);
		put(w, subs[i], "a file");
		assert_error(world_open(w), ERR_PERM, subs[i]);
		drop(w, subs[i]);
		assert_int_equal(symlink(full(w, "away"), full(w, subs[i])), 0);
		assert_error(world_open(w), ERR_PERM, subs[i]);
		drop(w, subs[i]);
		move(w, "away", subs[i]);
		assert_true(maildir_glance(opened(w)));
	}
}

/* Of who may be led by a link the thread knows. */
static void a_linked_maildir(void **state)
{
	struct world *w = *state;
	const char *elsewhere = arena_printf(w->arena, "%s/elsewhere", w->dir);

	(void)opened(w);
	assert_int_equal(rename(w->maildir, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, w->maildir), 0);
	assert_false(maildir_glance(maildir_of(w->backend)));
	(void)opened(w);
}

static void quota_of_something_that_is_no_file(void **state)
{
	struct world *w = *state;

	(void)opened(w);
	assert_int_equal(mkfifo(full(w, "maildirsize"), 0600), 0);
	assert_false(maildir_glance(maildir_of(w->backend)));
	assert_int_equal(opened(w)->quota.limit_octets, 0);
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First, since one open is enough for all later ones. */
		world_test(nothing_is_said_of_what_lies_on_a_server),
		world_test(it_says_what_a_thread_says),
		world_test(a_folder_without_its_directories),
		world_test(a_linked_maildir),
		world_test(quota_of_something_that_is_no_file),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
