/* mutf7: names of mailboxes as IMAP spells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backends/mutf7.h"

static void assert_mutf7(const char *text, const char *encoded)
{
	struct buffer out = { 0 };

	assert_true(mutf7_append(&out, text, strlen(text)));
	assert_int_equal(buffer_used(&out), strlen(encoded));
	assert_memory_equal(out.data, encoded, strlen(encoded));
	buffer_done(&out);
}

static void names_become_modified_utf7(void **state)
{
	struct buffer out = { 0 };

	(void)state;
	/* RFC 3501 section 5.1.3 */
	assert_mutf7("~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		"~peter/mail/&U,BTFw-/&ZeVnLIqe-");
	assert_mutf7("Entw\xc3\xbcrfe", "Entw&APw-rfe");
	assert_mutf7("A&B", "A&-B");
	assert_mutf7("\xc3\xbc&", "&APw-&-");
	assert_mutf7("\xf0\x9f\x98\x80", "&2D3eAA-");
	assert_false(mutf7_append(&out, "\xff", 1));
	assert_false(mutf7_append(&out, "a\nb", 3));
	assert_false(mutf7_append(&out, "\x7f", 1));
	assert_false(mutf7_append(&out, "\xc2\x85", 2));
	buffer_done(&out);
	assert_true(mutf7_append(&out, "", 0));
	assert_int_equal(buffer_used(&out), 0);
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(names_become_modified_utf7) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
