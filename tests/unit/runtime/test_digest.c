/* Equal for equal texts, and for nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/runtime/digest.h"

static void test_equal_texts(void **state)
{
	const struct digest_part parts[] = { { "a", 1 }, { "bc", 2 } };
	const struct digest_part copies[] = { { "a", 1 }, { "bc", 2 } };
	struct digest one = digest_of(parts, 2), two = digest_of(copies, 2);

	(void)state;
	assert_true(digest_equal(&one, &two));
}

static void test_other_texts(void **state)
{
	static const struct {
		struct digest_part parts[3];
		size_t n;
	} others[] = {
		{ { { "ab", 2 }, { "c", 1 } }, 2 },
		{ { { "a", 1 }, { "bd", 2 } }, 2 },
		{ { { "a", 1 }, { "bc", 2 }, { "", 0 } }, 3 },
		{ { { "", 0 }, { "a", 1 }, { "bc", 2 } }, 3 },
		{ { { "abc", 3 } }, 1 },
		{ { { "bc", 2 }, { "a", 1 } }, 2 },
		{ { { "a", 1 }, { "bc", 3 } }, 2 },
	};
	const struct digest_part parts[] = { { "a", 1 }, { "bc", 2 } };
	struct digest one = digest_of(parts, 2);

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct digest other = digest_of(others[i].parts, others[i].n);

		assert_false(digest_equal(&one, &other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_texts),
		cmocka_unit_test(test_other_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
