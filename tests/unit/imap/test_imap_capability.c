/* What a server says that it can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backends/imap/imap_capability.h"

static void takes_what_lines_tell(void **state)
{
	static const struct {
		const char *line;
		bool told;
		unsigned bits;
	} cases[] = {
		{ "* CAPABILITY IMAP4rev1 UIDPLUS id\r\n", true, IMAP_UIDPLUS | IMAP_ID },
		{ "* capability imap4rev1\n", true, 0 },
		{ "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN auth=gssapi] hello\r\n", true,
			IMAP_AUTH_PLAIN | IMAP_AUTH_GSSAPI },
		{ "12 ok [capability MOVE] Logged in\r\n", true, IMAP_MOVE },
		{ "12 OK [CAPABILITY MOVE]\r\n", true, IMAP_MOVE },
		{ "12 OK [CAPABILITY  MOVE  ] x\r\n", true, IMAP_MOVE },
		{ "12 OK [CAPABILITY AUTH=PLAINER UIDPLUSX XMOVE] x\r\n", true, 0 },
		{ "12 OK [CAPABILITY MOVE\r\n", false, 0 },
		{ "12 OK [UIDVALIDITY 3] [CAPABILITY MOVE] x\r\n", false, 0 },
		{ "12 NO [CAPABILITY MOVE] no\r\n", false, 0 },
		{ "* BYE [CAPABILITY MOVE] no\r\n", false, 0 },
		{ "* CAPABILITYMOVE MOVE\r\n", false, 0 },
		{ "+ OK [CAPABILITY MOVE] x\r\n", false, 0 },
		{ "\r\n", false, 0 },
		{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct imap_capabilities capabilities = { 0 };

		imap_capability_take(&capabilities, cases[i].line, strlen(cases[i].line));
		assert_int_equal(capabilities.told, cases[i].told);
		assert_int_equal(capabilities.bits, cases[i].bits);
	}
}

static void the_last_word_counts(void **state)
{
	struct imap_capabilities capabilities = { 0 };
	const char *first = "* CAPABILITY MOVE UIDPLUS\r\n", *last = "1 OK [CAPABILITY ID] in\r\n";

	(void)state;
	imap_capability_take(&capabilities, first, strlen(first));
	imap_capability_take(&capabilities, last, strlen(last));
	assert_int_equal(capabilities.bits, IMAP_ID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_lines_tell),
		cmocka_unit_test(the_last_word_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
