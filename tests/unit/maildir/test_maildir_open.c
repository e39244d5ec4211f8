/* Opening: which Maildir, which folders, and what is said when it cannot be. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/runtime/fiber.h"
#include "world.h"

static void opens_what_is_there_and_makes_nothing(void **state)
{
	struct world *w = *state;

	assert_false(failed(world_open(w)));
	w->account.user = "ann";
	assert_error(world_open(w), ERR_PERM, "example.org/ann/Maildir: No such file");
	assert_int_equal(access(arena_printf(w->arena, "%s/example.org/ann", w->dir), F_OK), -1);
}

static void says_what_is_missing(void **state)
{
	struct world *w = *state;

	assert_int_equal(rmdir(full(w, "tmp")), 0);
	assert_error(world_open(w), ERR_PERM, "tmp: No such file");
	assert_int_equal(rmdir(full(w, "new")), 0);
	put(w, "new", "a file");
	assert_error(world_open(w), ERR_PERM, "new: Not a directory");
	w->account.folder = "Missing";
	assert_error(world_open(w), ERR_PERM, ".Missing: No such file");
	w->account.folder = "../other";
	assert_error(world_open(w), ERR_PERM, "not a name for a folder");
}

static void follows_no_link_into_other_mail(void **state)
{
	struct world *w = *state;

	make_maildir(w, ".Real");
	assert_int_equal(symlink(full(w, ".Real"), full(w, ".Link")), 0);
	w->account.folder = "Real";
	assert_false(failed(world_open(w)));
	w->account.folder = "Link";
	assert_error(world_open(w), ERR_PERM, ".Link");
	w->account.folder = "INBOX";
	assert_int_equal(rmdir(full(w, "new")), 0);
	assert_int_equal(symlink(full(w, ".Real/new"), full(w, "new")), 0);
	assert_error(world_open(w), ERR_PERM, "new");
}

static void link_to(struct world *w, const char *user, uid_t owner)
{
	const char *home = arena_printf(w->arena, "%s/example.org/%s", w->dir, user);
	const char *link = arena_printf(w->arena, "%s/Maildir", home);

	assert_int_equal(mkdir(home, 0755), 0);
	assert_int_equal(symlink(w->maildir, link), 0);
	if (owner != geteuid())
		assert_int_equal(lchown(link, owner, -1), 0);
	w->account.user = user;
}

static void a_link_to_the_maildir_must_be_its_owners(void **state)
{
	struct world *w = *state;

	link_to(w, "ann", geteuid());
	assert_false(failed(world_open(w)));
	if (geteuid() != 0)
		skip();
	link_to(w, "eve", 12345);
	assert_error(world_open(w), ERR_PERM, "eve/Maildir");
}

/* Root may read everything, so this runs in a process that is somebody else. */
static int open_as_nobody(struct world *w)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e;

		if (geteuid() == 0 && seteuid(65534) < 0)
			_exit(99);
		runtime_init();
		e = world_open(w);
		_exit(e.scope == ERR_PERM && strstr(e.detail, "Permission denied")
				? 0
				: 1 + (int)e.scope);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void says_that_it_may_not(void **state)
{
	static const mode_t modes[] = { 0, 0111, 0444 };
	struct world *w = *state;

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(chmod(full(w, "tmp"), 0755), 0);
		assert_int_equal(chmod(full(w, "new"), 0755), 0);
		assert_int_equal(chmod(full(w, "cur"), modes[i]), 0);
		assert_int_equal(open_as_nobody(w), 0);
	}
}

int main(void)
{
	/* Without a loop in the parent: one does not survive a fork. */
	const struct CMUnitTest forking[] = {
		cmocka_unit_test_setup_teardown(says_that_it_may_not, world_setup, world_teardown),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			opens_what_is_there_and_makes_nothing, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(says_what_is_missing, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(
			follows_no_link_into_other_mail, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(
			a_link_to_the_maildir_must_be_its_owners, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(forking, NULL, NULL) +
	       cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
