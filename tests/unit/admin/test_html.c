/* html: anybody's text stays text; numbers as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/admin/html.h"

#define THIN "\xe2\x80\xaf"
#define BAD  "\xef\xbf\xbd"

static void expect(struct buffer *out, const char *text)
{
	buffer_append(out, "", 1);
	assert_string_equal(buffer_data(out), text);
	buffer_done(out);
}

static void test_text(void **state)
{
	static const char *const cases[][2] = {
		{ "joe@a.example", "joe@a.example" },
		{ "<script>'\"&", "&lt;script&gt;&#39;&quot;&amp;" },
		{ "a\x01\x1b[m\x7f", "a" BAD BAD "[m" BAD },
		{ "\xc2\x9bx", BAD "x" }, /* a control character of C1 */
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xff\xfe<", BAD BAD "&lt;" },
		{ "\xc0\xbcscript", BAD BAD "script" }, /* "<" in too many octets */
		{ "cut \xe2\x82", "cut " BAD BAD },
		{ "", "" },
	};
	struct buffer out = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		html_text(&out, cases[i][0]);
		expect(&out, cases[i][1]);
	}
}

static void test_counts(void **state)
{
	struct buffer out = { 0 };

	(void)state;
	html_count(&out, 0);
	expect(&out, "0");
	html_count(&out, 999);
	expect(&out, "999");
	html_count(&out, 1000);
	expect(&out, "1" THIN "000");
	html_count(&out, UINT64_MAX);
	expect(&out, "18" THIN "446" THIN "744" THIN "073" THIN "709" THIN "551" THIN "615");
}

static void test_bytes(void **state)
{
	struct buffer out = { 0 };

	(void)state;
	html_bytes(&out, 0);
	expect(&out, "0" THIN "B");
	html_bytes(&out, 999);
	expect(&out, "999" THIN "B");
	html_bytes(&out, 1000);
	expect(&out, "1.0" THIN "kB");
	html_bytes(&out, 999999);
	expect(&out, "1.0" THIN "MB");
	html_bytes(&out, 12345678901);
	expect(&out, "12" THIN "GB");
}

static void test_spans(void **state)
{
	struct buffer out = { 0 };

	(void)state;
	html_span(&out, 59);
	expect(&out, "59" THIN "s");
	html_span(&out, 60);
	expect(&out, "1" THIN "min 0" THIN "s");
	html_span(&out, 3661);
	expect(&out, "1" THIN "h 1" THIN "min");
	html_span(&out, 90000);
	expect(&out, "1" THIN "d 1" THIN "h");
}

static void test_times(void **state)
{
	struct buffer out = { 0 };

	(void)state;
	html_time(&out, 0);
	expect(&out, "\xe2\x80\x93");
	html_time(&out, 0.00042);
	expect(&out, "0.4" THIN "ms");
	html_time(&out, 0.0251);
	expect(&out, "25" THIN "ms");
	html_time(&out, 1.25);
	expect(&out, "1.2" THIN "s");
}

static void test_moments(void **state)
{
	struct buffer out = { 0 };

	(void)state;
	html_moment(&out, 1000000000, 1000000100);
	expect(&out, "<time datetime=\"2001-09-09T01:46:40Z\">01:46:40</time>");
	html_moment(&out, 1000000000, 1000100000);
	expect(&out, "<time datetime=\"2001-09-09T01:46:40Z\">09 Sep 01:46</time>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
