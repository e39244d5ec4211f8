/* fingerprint: what is the same message in another guise, and what is another message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/fingerprint.h"
#include "proxy/runtime/mem.h"

static uint64_t of(const char *headers)
{
	return fingerprint_of_headers(headers, strlen(headers));
}

static void is_the_number_it_always_was(void **state)
{
	(void)state;
	/* printf 'message-id\0<a@b> \n' | sha256sum, the highest bit cleared. */
	assert_int_equal(of("Message-ID: <a@b>\r\n"), UINT64_C(0x622211b9ba8d7866));
	/* printf 'date\0Mon, 1 Jan 2024 00:00:00 +0000 \nfrom\0a@b \nsubject\0\n' */
	assert_int_equal(of("Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nFrom: a@b\r\n"),
		UINT64_C(0x7af1d8277badcc5c));
}

static void sees_through_form(void **state)
{
	static const char *const same[] = {
		"Message-ID: <a b@c>\n",
		"Message-ID: <a b@c>",
		"MESSAGE-ID:<a b@c>\r\n",
		"message-id:\r\n <a b@c>\r\n",
		"Message-Id: \t<a\r\n\tb@c> \t\r\n",
		"Message-Id: <a\n  \n   b@c>\n \n",
		"Message-ID : <a b@c>\r\r\n",
		"From: x\r\nDate: y\r\nMessage-ID: <a b@c>\r\nSubject: z\r\n\r\nbody\r\n",
		"Message-ID: \r\nMessage-ID: <a b@c>\r\nMessage-ID: <other@c>\r\n",
		"no field\r\n folded\r\nMessage-ID: <a b@c>\r\n",
		" folded before any field: x\r\nMessage-ID: <a b@c>\r\n",
		"Message-ID: <a b@c>\n\nMessage-ID: <other@c>\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (of(same[i]) != of("Message-ID: <a b@c>\r\n"))
			fail_msg("\"%s\" is another message", same[i]);
}

static void tells_messages_apart(void **state)
{
	static const char *const different[] = {
		"Message-ID: <a@b>\n",
		"Message-ID: <A@b>\n",
		"Message-ID: <a @b>\n",
		"Date: <a@b>\n",
		"From: <a@b>\n",
		"Subject: <a@b>\n",
		"Date: d\nFrom: f\nSubject: s\n",
		"Date: d\nFrom: f s\n",
		"Date: d\nSubject: f\n",
		"Date: d\n\nFrom: f\n",
		"Date: d\n f: x\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++) {
		assert_in_range(of(different[i]), 1, INT64_MAX);
		for (size_t j = 0; j < i; j++)
			if (of(different[i]) == of(different[j]))
				fail_msg("\"%s\" is \"%s\"", different[i], different[j]);
	}
}

static void takes_the_others_for_want_of_a_message_id(void **state)
{
	uint64_t number = of("Date: d\r\nFrom: f\r\nSubject: s\r\n");

	(void)state;
	assert_int_equal(of("Subject: s\nFrom: f\nDate: d\nTo: t\n"), number);
	assert_int_equal(of("Subject: s\nFrom: f\nDate: d\nMessage-ID:\n \n"), number);
	assert_int_equal(of("Subject: s\nFrom: f\nDate: d\n\nMessage-ID: <a@b>\n"), number);
}

static void knows_nothing_of_junk(void **state)
{
	static const char *const junk[] = { "", "\n", "\r\n", "\r\nMessage-ID: <a@b>", ":", ": x\n",
		"Message-ID", "Message-ID\n: <a@b>\n", "Message-ID:\n", "Message-ID: \t \r\n \r\n",
		"To: x\n", "XMessage-ID: <a@b>\n", "Message-IDs: <a@b>\n", "\xff\xfe\x80\n",
		" Message-ID: <a@b>\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		if (of(junk[i]) != 0)
			fail_msg("\"%s\" is a message", junk[i]);
	assert_int_equal(fingerprint_of_headers(NULL, 0), 0);
	assert_int_equal(fingerprint_of_headers("a\0\0b\n\0", 6), 0);
	assert_int_not_equal(fingerprint_of_headers("Date: \0\n", 8), 0);
	assert_int_not_equal(fingerprint_of_headers("Date: \0\n", 8), of("Date: 0\n"));
}

/* The text is as long as its memory, so that a sanitizer sees a step behind it. */
static uint64_t of_long(const char *before, char c, size_t n, const char *after)
{
	size_t all = strlen(before) + n + strlen(after);
	cleanup(free_cleanup) char *text = mem_alloc(all);

	memcpy(text, before, strlen(before));
	memset(text + strlen(before), c, n);
	memcpy(text + strlen(before) + n, after, strlen(after));
	return fingerprint_of_headers(text, all);
}

static void takes_lines_of_any_length(void **state)
{
	const size_t n = 1 << 20;

	(void)state;
	assert_int_equal(of_long("Subject: ", 'x', n, "\r\nMessage-ID: <a@b>\r\n"),
		of("Message-ID: <a@b>\r\n"));
	assert_int_equal(of_long("Message-ID:", ' ', n, "<a@b>"), of("Message-ID: <a@b>\r\n"));
	assert_int_equal(of_long("Message-ID: <a@b>\n", '\n', n, "Message-ID: x\n"),
		of("Message-ID: <a@b>\r\n"));
	assert_int_not_equal(
		of_long("Message-ID: ", 'x', n, ""), of_long("Message-ID: ", 'x', n + 1, ""));
	assert_int_equal(of_long("", 'x', n, ""), 0);
	assert_int_equal(of_long("Message-ID:", '\r', n, ""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_number_it_always_was),
		cmocka_unit_test(sees_through_form),
		cmocka_unit_test(tells_messages_apart),
		cmocka_unit_test(takes_the_others_for_want_of_a_message_id),
		cmocka_unit_test(knows_nothing_of_junk),
		cmocka_unit_test(takes_lines_of_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
