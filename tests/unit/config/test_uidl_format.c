/* uidl_format: what is a template, and what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/uidl_format.h"

static const struct uidl_values all = { .uid = 0x2a,
	.uidvalidity = 0x6553f100,
	.filename = "1700000000.M1P2.host,S=3",
	.emailid = "G1278455344230334865",
	.guid = "7b2e1c" };

static const char *fill(const char *format, const struct uidl_values *values, struct arena *arena)
{
	struct buffer out = { 0 };
	const char *text = NULL;

	if (uidl_format_fill(format, values, &out)) {
		buffer_append(&out, "", 1);
		text = arena_strdup(arena, buffer_data(&out));
	}
	buffer_done(&out);
	return text;
}

static void templates_are_filled(void **state)
{
	static const char *const examples[][2] = {
		{ "%{uid}", "42" },
		{ "%{uidvalidity}.%{uid}", "1700000000.42" },
		/* Dovecot: %08Xu%08Xv */
		{ "%{uid:hex8}%{uidvalidity:hex8}", "0000002a6553f100" },
		{ "%{uid:HEX8}/%{uid:hex}/%{uid:HEX1}", "0000002A/2a/2A" },
		{ "%{uid:dec10}%{uid:dec}%{uid:dec1}", "00000000424242" },
		{ "%{uid:hex32}", "0000000000000000000000000000002a" },
		{ "%{filename}", "1700000000.M1P2.host,S=3" },
		{ "%{guid}-%{emailid}", "7b2e1c-1278455344230334865" },
		/* Gmail's own POP3 */
		{ "GmailId%{emailid:hex}", "GmailId11bdfc5cae0c8191" },
		{ "100%%{uid}% %x }", "100%42% %x }" },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		assert_null(uidl_format_unknown(examples[i][0], arena));
		assert_string_equal(fill(examples[i][0], &all, arena), examples[i][1]);
	}
	arena_free(arena);
}

static void what_is_missing_is_not_made_up(void **state)
{
	static const char *const formats[] = { "%{uid}", "a%{uidvalidity}", "%{filename}",
		"%{emailid}", "%{guid}" };
	const struct uidl_values none = { 0 },
				 empty = { .filename = "", .emailid = "E", .guid = "" },
				 letters = { .emailid = "EM12" },
				 large = { .emailid = "G18446744073709551616" },
				 sign = { .emailid = "G-1" };
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		assert_null(fill(formats[i], &none, arena));
		assert_null(fill(formats[i], &empty, arena));
		assert_non_null(fill(formats[i], &all, arena));
	}
	assert_string_equal(fill("%{emailid}", &letters, arena), "M12");
	assert_null(fill("%{emailid:hex}", &letters, arena));
	assert_null(fill("%{emailid:hex}", &large, arena));
	assert_null(fill("%{emailid:hex}", &sign, arena));
	arena_free(arena);
}

static void mistakes_are_found(void **state)
{
	static const char *const examples[][2] = {
		{ "%{uid}%{x}", "%{x}" },
		{ "%{uid", "%{uid" },
		{ "a%{}b", "%{}" },
		{ "%{uid:}", "%{uid:}" },
		{ "%{uid:hx}", "%{uid:hx}" },
		{ "%{uid:Hex}", "%{uid:Hex}" },
		{ "%{uid:hex0}", "%{uid:hex0}" },
		{ "%{uid:hex08}", "%{uid:hex08}" },
		{ "%{uid:hex33}", "%{uid:hex33}" },
		{ "%{uid:hex100}", "%{uid:hex100}" },
		{ "%{uid:hex-1}", "%{uid:hex-1}" },
		{ "%{uid:hex8x}", "%{uid:hex8x}" },
		{ "%{uid:he}", "%{uid:he}" },
		{ "%{:hex8}", "%{:hex8}" },
		{ "%{filename:hex8}", "%{filename:hex8}" },
		{ "%{guid:hex}", "%{guid:hex}" },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const char *found = uidl_format_unknown(examples[i][0], arena);

		assert_non_null(found);
		assert_string_equal(found, examples[i][1]);
		assert_null(fill(examples[i][0], &all, arena));
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_are_filled),
		cmocka_unit_test(what_is_missing_is_not_made_up),
		cmocka_unit_test(mistakes_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
