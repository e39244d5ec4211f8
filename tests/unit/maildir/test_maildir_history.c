/* Random histories: whatever happens, a listing that builds on an earlier one is as from scratch.
 */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "memory.h"

#define STEPS 600

/* A random history, the same in every run. */
static uint32_t seed;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

/* A file of new/ or cur/, or NULL. */
static const char *any_file(const struct world *w)
{
	const char *sub = any(2) ? "new" : "cur", *found = NULL;
	DIR *dir = opendir(full(w, sub));
	uint32_t seen = 0;

	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		if (d->d_name[0] != '.' && any(++seen) == 0)
			found = arena_printf(w->arena, "%s/%s", sub, d->d_name);
	assert_int_equal(closedir(dir), 0);
	return found;
}

static void deliver(const struct world *w)
{
	static const char *const forms[][2] = { { "new/1700000", "P1.test" },
		{ "cur/1700000", "P1.test,S=2,W=3:2,S" }, { "cur/odd", ":2," }, { "new/odd", "" } };
	static int count;
	uint32_t form = any(4);
	const char *path = arena_printf(
		w->arena, "%s%03u.M%d%s", forms[form][0], any(30), count++, forms[form][1]);

	put_octets(w, path, "x\n\n\n\n\n\n\n\n", 1 + any(9));
	if (form >= 2)
		set_mtime(w, path, 1700000000 + any(30));
}

static void change_flags(const struct world *w)
{
	static const char *const infos[] = { ":2,", ":2,S", ":2,RS", ":2,FRT", "" };
	const char *file = any_file(w), *info;

	if (!file)
		return;
	info = strstr(file, ":2,");
	move(w, file,
		arena_printf(w->arena, "cur/%.*s%s", (int)(info ? info - file - 4 : NAME_MAX),
			file + 4, infos[any(5)]));
}

/* With names and times, as backups are made. */
static void copy(const struct world *w, const char *from, const char *to)
{
	char *command = mem_printf("cd '%s' && rm -rf %s && cp -a %s %s", w->dir, to, from, to);
	int rc = system(command); /* NOLINT: the path is this test's own */

	assert_int_equal(rc, 0);
	free(command);
}

#define MAILDIR "example.org/joe/Maildir"

/* What an administrator does. */
static void restore(const struct world *w)
{
	switch (any(4)) {
	case 0:
		copy(w, MAILDIR, "backup");
		break;
	case 1: /* as it is, or as it was */
		if (any(3) == 0 || access(arena_printf(w->arena, "%s/backup", w->dir), F_OK) < 0)
			copy(w, MAILDIR, "backup");
		copy(w, "backup", MAILDIR);
		break;
	default:
		if (any(2))
			deliver(w);
		set_mtime(w, "new", 1700000000);
		set_mtime(w, "cur", 1700000000);
	}
}

static void anything(const struct world *w)
{
	const char *file;

	switch (any(10)) {
	case 0:
	case 1:
	case 2:
		deliver(w);
		break;
	case 3:
	case 4:
		if ((file = any_file(w)) != NULL)
			drop(w, file);
		break;
	case 5:
	case 6:
		change_flags(w);
		break;
	case 7: /* gone again at once, within one tick */
		deliver(w);
		if ((file = any_file(w)) != NULL)
			drop(w, file);
		break;
	case 8: /* nothing */
		break;
	default:
		restore(w);
	}
}

static void any_history_lists_as_from_scratch(void **state)
{
	struct world *w = *state;
	struct memory memory = { 0 };
	unsigned unread = 0;

	seed = 20261121;
	for (int step = 0; step < STEPS; step++) {
		struct backend_listing delta;

		/* In haste, a change may share its tick with the one before and the one after. */
		later_ms = 0;
		if (any(2))
			rest(w);
		list_on(w, &memory);
		unread += reads == 0;
		if (any(3) == 0)
			assert_int_equal(
				w->listing.n, count_names(w, "new") + count_names(w, "cur"));
		delta = w->listing;
		memory = remembered(w);
		if (any(3) == 0)
			reverse(&memory);
		list_anew(w);
		assert_same(w, &delta);
		for (uint32_t changes = any(4); changes > 0; changes--)
			anything(w);
	}
	assert_in_range(unread, STEPS / 20, STEPS - 1);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, memory_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(any_history_lists_as_from_scratch),
	};

	return cmocka_run_group_tests(tests, loop_setup, loop_teardown);
}
