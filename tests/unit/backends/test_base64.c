/* base64: what decodes is what encoding gives, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backends/base64.h"

static void decodes_what_it_encodes(void **state)
{
	char octets[256];

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (char)(i * 7);
	for (size_t n = 0; n <= sizeof(octets); n++) {
		struct buffer text = { 0 }, back = { 0 };

		base64_encode(&text, octets, n);
		buffer_append(&text, "", 1);
		buffer_append(&back, "behind", 6);
		assert_true(base64_decode(&back, buffer_data(&text)));
		assert_int_equal(buffer_used(&back), 6 + n);
		assert_memory_equal(buffer_data(&back) + 6, octets, n);
		buffer_done(&text);
		buffer_done(&back);
	}
}

static void refuses_the_rest(void **state)
{
	static const char *const wrong[] = { "A", "AA", "AAA", "AAAAA", "=", "====", "A===", "AA=A",
		"AA==AAAA", "AAA=AAAA", "AB==", "AAB=", "AA A", "AAA\n", "AA-_", "AAA,",
		"\xc3\xa4\xc3\xa4" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct buffer back = { 0 };

		if (base64_decode(&back, wrong[i]))
			fail_msg("%s is taken", wrong[i]);
		buffer_done(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_what_it_encodes),
		cmocka_unit_test(refuses_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
