/* The language that a range of LANG gets (RFC 4647 sections 2.1 and 3.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/pop3/language.h"

static void ranges(void **state)
{
	static const struct {
		const char *range, *tag; /* tag NULL: none */
	} cases[] = {
		{ "en", "en" },
		{ "EN", "en" },
		{ "*", "en" },
		{ "en-GB", "en" },
		{ "en-Latn-GB-boont-x-mine", "en" },
		{ "en-a-bbb", "en" },
		{ "i-default", "i-default" },
		{ "I-Default-12345678", "i-default" },
		{ "de", NULL },
		{ "eng", NULL },
		{ "e", NULL },
		{ "i", NULL },
		{ "i-klingon", NULL },
		{ "x-en", NULL },
		{ "mul", NULL },
		/* No ranges. */
		{ "", NULL },
		{ "en-", NULL },
		{ "-en", NULL },
		{ "en--GB", NULL },
		{ "en-*", NULL },
		{ "**", NULL },
		{ "en_GB", NULL },
		{ "e1", NULL },
		{ "en-123456789", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct language *language = language_lookup(cases[i].range);

		if (cases[i].tag) {
			assert_non_null(language);
			assert_string_equal(language->tag, cases[i].tag);
		} else if (language) {
			fail_msg("\"%s\" gets %s", cases[i].range, language->tag);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
