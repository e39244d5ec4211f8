/* The logins of delegates ([MS-OXPOP3] section 2.2.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/routing/delegate.h"

static struct arena *arena;

static void assert_delegate(const char *text, const char *actor, const char *owner)
{
	const struct login_name_settings settings = { .delegate = true };
	struct delegate d = { NULL, NULL };

	assert_true(delegate_parse(&settings, text, arena, &d));
	assert_string_equal(d.actor, actor);
	assert_string_equal(d.owner, owner);
}

static void the_four_forms_of_the_document(void **state)
{
	(void)state;
	assert_delegate("acme.example/ann/bob", "ann@acme.example", "bob@acme.example");
	assert_delegate(
		"acme.example/ann/bob@other.example", "ann@acme.example", "bob@other.example");
	assert_delegate("ann@acme.example/bob", "ann@acme.example", "bob@acme.example");
	assert_delegate(
		"ann@acme.example/bob@other.example", "ann@acme.example", "bob@other.example");
}

static void without_any_domain(void **state)
{
	(void)state;
	assert_delegate("ann/bob", "ann", "bob");
}

static void what_is_no_delegate(void **state)
{
	static const char *const texts[] = { "", "ann@acme.example", "/", "/bob", "ann/", "//",
		"//bob", "acme.example//bob", "acme.example/ann/", "a/b/c/d", "/ann/bob" };
	const struct login_name_settings settings = { .delegate = true };
	struct delegate d;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (delegate_parse(&settings, texts[i], arena, &d))
			fail_msg("\"%s\" was taken as %s for %s", texts[i], d.actor, d.owner);
}

static void only_where_it_is_on(void **state)
{
	const struct login_name_settings settings = { .delegate = false };
	struct delegate d;

	(void)state;
	assert_false(delegate_parse(&settings, "ann@acme.example/bob", arena, &d));
}

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_four_forms_of_the_document),
		cmocka_unit_test(without_any_domain),
		cmocka_unit_test(what_is_no_delegate),
		cmocka_unit_test(only_where_it_is_on),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
