/* login_name: the rules that turn what a client sent into user, domain and folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/routing/login_name.h"

static const struct login_name_settings plain = {
	.lower_case = true, .separators = "@", .default_domain = "", .folder_separator = ""
};
static const struct login_name_settings all = { .lower_case = true,
	.separators = "@%#",
	.default_domain = "Default.Test",
	.folder_separator = "+" };
static const struct login_name_settings exact = { .lower_case = false,
	.separators = "%",
	.default_domain = "Default.Test",
	.folder_separator = "--" };

struct example {
	const struct login_name_settings *settings;
	const char *text;
	const char *login, *user, *domain, *folder;
};

static void logins_are_divided(void **state)
{
	static const struct example examples[] = {
		{ &plain, "anna@acme.test", "anna@acme.test", "anna", "acme.test", "" },
		{ &plain, "Anna.SMITH@ACME.test", "anna.smith@acme.test", "anna.smith", "acme.test",
			"" },
		{ &plain, "anna", "anna", "anna", "", "" },
		{ &plain, "anna@", "anna", "anna", "", "" },
		{ &plain, "a@b@c.test", "a@b@c.test", "a@b", "c.test", "" },
		{ &plain, "anna%acme.test", "anna%acme.test", "anna%acme.test", "", "" },
		{ &plain, "anna+junk@acme.test", "anna+junk@acme.test", "anna+junk", "acme.test",
			"" },
		{ &plain, "ACME\\anna/box", "acme\\anna/box", "acme\\anna/box", "", "" },
		/* Letters beyond ASCII keep their case. */
		{ &plain, "\xc3\x84NNA@t", "\xc3\x84nna@t", "\xc3\x84nna", "t", "" },
		{ &all, "anna%acme.test", "anna@acme.test", "anna", "acme.test", "" },
		{ &all, "anna#acme.test", "anna@acme.test", "anna", "acme.test", "" },
		{ &all, "a%b@c.test", "a%b@c.test", "a%b", "c.test", "" },
		{ &all, "a@b%c.test", "a@b@c.test", "a@b", "c.test", "" },
		{ &all, "anna", "anna@default.test", "anna", "default.test", "" },
		{ &all, "anna@", "anna@default.test", "anna", "default.test", "" },
		{ &all, "Anna+Junk/Old@acme.test", "anna@acme.test", "anna", "acme.test",
			"Junk/Old" },
		{ &all, "anna+a+b", "anna@default.test", "anna", "default.test", "a+b" },
		{ &all, "anna+@acme.test", "anna@acme.test", "anna", "acme.test", "" },
		{ &all, "anna@acme+b.test", "anna@acme+b.test", "anna", "acme+b.test", "" },
		{ &exact, "Anna%Acme.Test", "Anna@Acme.Test", "Anna", "Acme.Test", "" },
		{ &exact, "Anna@Acme.Test", "Anna@Acme.Test", "Anna", "Acme.Test", "" },
		{ &exact, "Anna", "Anna@Default.Test", "Anna", "Default.Test", "" },
		{ &exact, "Anna-x--Junk", "Anna-x@Default.Test", "Anna-x", "Default.Test", "Junk" },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const struct example *e = &examples[i];
		struct login_name name;

		assert_null(login_name_parse(e->settings, e->text, arena, &name));
		assert_string_equal(name.login, e->login);
		assert_string_equal(name.user, e->user);
		assert_string_equal(name.domain, e->domain);
		assert_string_equal(name.folder, e->folder);
	}
	arena_free(arena);
}

static void malformed_logins_are_refused(void **state)
{
	static const char *const bad[] = { "", "@", "@acme.test", "+junk@acme.test", "+junk",
		"a\nb@acme.test", "a\x7f", "a\x01", "a@b\t", "\xff", "a\xc3", "a\xc0\xaf",
		"a\xc2\x85", "a+b\x1b" };
	struct arena *arena = arena_new();
	char longest[LOGIN_NAME_MAX_OCTETS + 2];
	struct login_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!login_name_parse(&all, bad[i], arena, &name))
			fail_msg("\"%s\" was taken", bad[i]);
	}
	memset(longest, 'a', sizeof(longest));
	longest[LOGIN_NAME_MAX_OCTETS] = '\0';
	assert_null(login_name_parse(&all, longest, arena, &name));
	longest[LOGIN_NAME_MAX_OCTETS] = 'a';
	longest[LOGIN_NAME_MAX_OCTETS + 1] = '\0';
	assert_non_null(login_name_parse(&all, longest, arena, &name));
	arena_free(arena);
}

static void paths_take_harmless_names_only(void **state)
{
	static const struct {
		const char *user, *domain, *folder;
		bool domain_needed, safe;
	} examples[] = {
		{ "anna", "acme.test", "", true, true },
		{ "anna.smith", "acme.test", "Junk", true, true },
		{ "anna", "", "", false, true },
		{ "anna", "", "", true, false },
		{ "\xc3\xa4nna", "acme.test", "a/b", true, true },
		{ "an/na", "acme.test", "", true, false },
		{ "/anna", "acme.test", "", true, false },
		{ "..", "acme.test", "", true, false },
		{ ".", "acme.test", "", true, false },
		{ ".anna", "acme.test", "", true, false },
		{ "an..na", "acme.test", "", true, false },
		{ "anna", "..", "", true, false },
		{ "anna", ".acme", "", false, false },
		{ "anna", "a/b", "", true, false },
		{ "anna", "a..b", "", true, false },
		{ "anna", "acme.test", "../bob", true, false },
		{ "anna", "acme.test", "/etc", true, false },
		{ "anna", "acme.test", "a//b", true, false },
		{ "anna", "acme.test", "a/", true, false },
		{ "anna", "acme.test", ".Junk", true, false },
		{ "anna", "acme.test", "a/../../b", true, false },
		{ "anna", "acme.test", "a..b", true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct login_name name = { .user = examples[i].user,
			.domain = examples[i].domain,
			.folder = examples[i].folder };
		const char *wrong = login_name_unsafe_in_path(&name, examples[i].domain_needed);

		if (examples[i].safe != !wrong)
			fail_msg("%s %s %s: %s", name.user, name.domain, name.folder,
				wrong ? wrong : "taken");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_are_divided),
		cmocka_unit_test(malformed_logins_are_refused),
		cmocka_unit_test(paths_take_harmless_names_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
