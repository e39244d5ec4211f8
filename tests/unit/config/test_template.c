/* template: filling, unknown names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/template.h"

static const char *const pairs[] = { "login", "anna@acme.example", "user", "anna", "domain",
	"%{user}", "empty", "", NULL };
static const struct choice names[] = { { "login" }, { "user" }, { 0 } };

static void names_are_filled_in(void **state)
{
	static const char *const examples[][2] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "%{login}", "anna@acme.example" },
		{ "/srv/%{user}/%{user}/Maildir", "/srv/anna/anna/Maildir" },
		{ "%{empty}x%{empty}", "x" },
		{ "100% {user} %%{user} }", "100% {user} %anna }" },
		/* What is filled in is not filled in again. */
		{ "<%{domain}>", "<%{user}>" },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		assert_string_equal(template_fill(arena, examples[i][0], pairs), examples[i][1]);
	arena_free(arena);
}

static void unknown_names_are_found(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_null(template_unknown("", names, arena));
	assert_null(template_unknown("%{login} %{user} % %x }", names, arena));
	assert_string_equal(template_unknown("%{login}/%{home}/x", names, arena), "%{home}");
	assert_string_equal(template_unknown("%{User}", names, arena), "%{User}");
	assert_string_equal(template_unknown("%{}", names, arena), "%{}");
	assert_string_equal(template_unknown("a%{login", names, arena), "%{login");
	assert_string_equal(template_unknown("%{use}", names, arena), "%{use}");
	arena_free(arena);
}

static void use_of_a_name_is_found(void **state)
{
	(void)state;
	assert_true(template_uses("/srv/%{domain}/%{user}", "user"));
	assert_false(template_uses("/srv/%{domain}/%{user}", "login"));
	assert_false(template_uses("user %{user", "user"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_filled_in),
		cmocka_unit_test(unknown_names_are_found),
		cmocka_unit_test(use_of_a_name_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
