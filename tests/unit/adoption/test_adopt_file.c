/* adopt_file: a login's lines are found, also after the file has become another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/maildrop/adopted.h"
#include "proxy/runtime/fiber.h"

static char path[] = "/tmp/popgate-adopt-XXXXXX";

static void write_file(const char *text)
{
	char *next = mem_printf("%s.new", path);
	FILE *out = fopen(next, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	assert_int_equal(rename(next, path), 0);
	free(next);
}

struct call {
	struct tenant tenant;
	const char *login;
	struct arena *arena;
	struct adopted adopted;
	struct err e;
};

static void run(void *arg)
{
	struct call *call = arg;

	call->e = adopted_entries(&call->tenant, call->login, 7, call->arena, &call->adopted);
}

/* "id id", or the error. */
static const char *adopted(const char *file, const char *login, struct arena *arena)
{
	struct call call = { .tenant = { .name = "acme", .uidl = { .adopt_file = file } },
		.login = login,
		.arena = arena };
	struct buffer out = { 0 };
	const char *text;

	fiber_spawn("lookup", run, &call);
	runtime_run();
	if (failed(call.e)) {
		assert_int_equal(call.e.scope, ERR_TEMP);
		return arena_strdup(arena, call.e.detail);
	}
	for (size_t i = 0; i < call.adopted.n; i++) {
		assert_int_equal(call.adopted.entries[i].missing, 7);
		assert_true(entry_adopted(&call.adopted.entries[i]));
		buffer_printf(&out, "%s%s", i ? " " : "", call.adopted.entries[i].unique_id);
	}
	buffer_append(&out, "", 1);
	text = arena_strdup(arena, buffer_data(&out));
	buffer_done(&out);
	return text;
}

static const char harvest[] = "kind\ttenant\tlogin\told_id\tmessages\n"
			      "message\t\tanna\ta1\t\n"
			      "message\t\tanna\ta2\t\n"
			      "end\t\tanna\t\t2\n"
			      "end\t\tcarl\t\t0\n"
			      "message\tother\tbob\tx1\t\n"
			      "end\tother\tbob\t\t1\n"
			      "message\tacme\tbob\tb1\t\n"
			      "end\tacme\tbob\t\t1\n"
			      "message\t\tanna\ta3\t\n"
			      "end\t\tanna\t\t1\n"
			      "message\t\tanna\ta4\t\n"
			      "message\t\tdora\td1\t\n";

static void logins_are_found(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_string_equal(adopted("", "anna", arena), "");
	write_file(harvest);
	/* The last complete one, of this tenant or of any. */
	assert_string_equal(adopted(path, "anna", arena), "a3");
	assert_string_equal(adopted(path, "bob", arena), "b1");
	assert_string_equal(adopted(path, "carl", arena), "");
	assert_string_equal(adopted(path, "dora", arena), "");
	assert_string_equal(adopted(path, "emil", arena), "");
	arena_free(arena);
}

static void another_file_is_noticed(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	write_file("login\told_id\nanna\tn1\nbob\tn2\nanna\tn3\n");
	assert_string_equal(adopted(path, "anna", arena), "n3");
	write_file(
		"{\"login\":\"anna\",\"old_id\":\"j1\"}\n{\"login\":\"bob\",\"old_id\":\"j2\"}\n");
	assert_string_equal(adopted(path, "anna", arena), "j1");
	assert_string_equal(adopted(path, "bob", arena), "j2");
	arena_free(arena);
}

static void a_bad_file_is_an_error(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	write_file("login\told_id\nanna\tn1\nbob\tn2\tn3\n");
	assert_non_null(strstr(adopted(path, "anna", arena), "line 3: more cells than columns"));
	unlink(path);
	assert_non_null(strstr(adopted(path, "anna", arena), "No such file"));
	write_file("login\told_id\nanna\tn1\n");
	assert_string_equal(adopted(path, "anna", arena), "n1");
	arena_free(arena);
}

/* One login in many, in a file that is no toy. */
static void large_files_are_indexed(void **state)
{
	struct arena *arena = arena_new();
	struct buffer text = { 0 };

	(void)state;
	buffer_printf(&text, "login\told_id\n");
	for (int i = 0; i < 50000; i++)
		buffer_printf(&text, "user%d\t%d\nuser%d\t%d\n", i, 2 * i, i, 2 * i + 1);
	buffer_append(&text, "", 1);
	write_file(buffer_data(&text));
	buffer_done(&text);
	assert_string_equal(adopted(path, "user0", arena), "0 1");
	assert_string_equal(adopted(path, "user31234", arena), "62468 62469");
	assert_string_equal(adopted(path, "user49999", arena), "99998 99999");
	assert_string_equal(adopted(path, "user50000", arena), "");
	arena_free(arena);
}

static int set_up(void **state)
{
	(void)state;
	runtime_init();
	close(mkstemp(path));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	runtime_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_are_found),
		cmocka_unit_test(another_file_is_noticed),
		cmocka_unit_test(a_bad_file_is_an_error),
		cmocka_unit_test(large_files_are_indexed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
