/* Names and passwords in the form in which they are compared (RFC 4013). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/login/saslprep.h"

static void prepared(void **state)
{
	static const struct {
		const char *text, *form; /* form NULL: refused */
	} cases[] = {
		{ "a b!~", "a b!~" },
		{ "jörg", "jörg" },
		{ "jo\u0308rg", "jörg" }, /* composed */
		{ "a\u00a0b", "a b" },    /* no-break space */
		{ "I\u00adX", "IX" },     /* soft hyphen */
		{ "\u00aa\u2168", "aIX" },
		{ "a\U0001f642", "a\U0001f642" }, /* not known to Unicode 3.2 */
		/* RFC 4013 section 2.3: prohibited; 2.4: direction. */
		{ "a\a", NULL },
		{ "a\ue000", NULL },
		{ "\u06271", NULL },
		/* No UTF-8. */
		{ "caf\xe9", NULL },
		{ "\xc3", NULL },
		{ "\xed\xa0\x80", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret *secret = NULL;

		if (!cases[i].form) {
			assert_false(saslprep(cases[i].text, &secret));
			assert_null(secret);
			continue;
		}
		assert_true(saslprep(cases[i].text, &secret));
		assert_string_equal(secret_data(secret), cases[i].form);
		secret_free(secret);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prepared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
