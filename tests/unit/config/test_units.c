/* units: durations, sizes, numbers, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/units.h"

struct example {
	const char *text;
	bool good;
	uint64_t value;
	const char *shortest; /* NULL: as text */
};

static void check(const struct example *e, bool (*parse)(const char *text, uint64_t *ret),
	void (*format)(uint64_t n, struct buffer *out))
{
	struct buffer out = { 0 };
	uint64_t n = 4711;

	if (parse(e->text, &n) != e->good)
		fail_msg("%s: expected %s", e->text, e->good ? "good" : "bad");
	if (!e->good)
		return;
	assert_int_equal(n, e->value);
	if (!format)
		return;
	format(n, &out);
	buffer_append(&out, "", 1);
	assert_string_equal(out.data + out.start, e->shortest ? e->shortest : e->text);
	buffer_done(&out);
}

static void durations(void **state)
{
	static const struct example examples[] = {
		{ "10s", true, 10000, NULL },
		{ "5m", true, 300000, NULL },
		{ "2h", true, 7200000, NULL },
		{ "30d", true, 30 * DAY, NULL },
		{ "250ms", true, 250, NULL },
		{ "0s", true, 0, NULL },
		{ "0d", true, 0, "0s" },
		{ "60s", true, 60000, "1m" },
		{ "90s", true, 90000, NULL },
		{ "1500ms", true, 1500, NULL },
		{ "24h", true, DAY, "1d" },
		{ "10", false, 0, NULL },
		{ "", false, 0, NULL },
		{ "s", false, 0, NULL },
		{ "-1s", false, 0, NULL },
		{ "+1s", false, 0, NULL },
		{ "1.5s", false, 0, NULL },
		{ "1 s", false, 0, NULL },
		{ " 1s", false, 0, NULL },
		{ "1S", false, 0, NULL },
		{ "1s ", false, 0, NULL },
		{ "1sm", false, 0, NULL },
		{ "213503982334d", true, UINT64_C(213503982334) * DAY, NULL },
		{ "213503982335d", false, 0, NULL },
		{ "99999999999999999999s", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		check(&examples[i], duration_parse, duration_format);
}

static void sizes(void **state)
{
	static const struct example examples[] = {
		{ "512", true, 512, NULL },
		{ "64K", true, 65536, NULL },
		{ "20M", true, 20 << 20, NULL },
		{ "1G", true, 1 << 30, NULL },
		{ "1024", true, 1024, "1K" },
		{ "1025", true, 1025, NULL },
		{ "0", true, 0, NULL },
		{ "64k", false, 0, NULL },
		{ "1KB", false, 0, NULL },
		{ "K", false, 0, NULL },
		{ "-1", false, 0, NULL },
		{ "17179869184G", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		check(&examples[i], size_parse, size_format);
}

static void numbers(void **state)
{
	static const struct example examples[] = {
		{ "0", true, 0, NULL },
		{ "18446744073709551615", true, UINT64_MAX, NULL },
		{ "18446744073709551616", false, 0, NULL },
		{ "007", true, 7, NULL },
		{ "0x10", false, 0, NULL },
		{ "1e3", false, 0, NULL },
		{ "-0", false, 0, NULL },
		{ "", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		check(&examples[i], number_parse, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
