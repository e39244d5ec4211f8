#include "tests/unit/login/fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/runtime/fiber.h"
#include "proxy/runtime/mem.h"

static char *root;
static struct arena *paths;

void in_fiber(void (*fn)(void *arg), void *arg)
{
	runtime_init();
	fiber_spawn("test", fn, arg);
	runtime_run();
	assert_int_equal(fiber_count(), 0);
	runtime_close();
}

int folder_setup(void **state)
{
	(void)state;
	root = mem_strdup("/tmp/popgate-login-XXXXXX");
	paths = arena_new();
	return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int folder_teardown(void **state)
{
	(void)state;
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	arena_free(steal(paths));
	free(steal(root));
	return 0;
}

const char *folder(void)
{
	return root;
}

const char *path_of(const char *name)
{
	return arena_printf(paths, "%s/%s", root, name);
}

void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

char *read_file(const char *path)
{
	struct buffer text = { 0 };
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text.end = fread(buffer_reserve(&text, 65536), 1, 65535, f);
	text.data[text.end] = '\0';
	fclose(f);
	return text.data;
}

struct secret *secret_of(const char *text)
{
	return secret_new(text, strlen(text));
}
