#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backends/base64.h"
#include "backends/imap/imap.h"
#include "backends/imap/imap_answer.h"
#include "backends/imap/imap_set.h"

static struct err feed(struct answer *a, const char *line, struct answer_literal *literal)
{
	char copy[512];

	strcpy(copy, line);
	return answer_line(a, copy, strlen(copy), literal);
}

static void kinds(void **state)
{
	static const struct {
		const char *line;
		enum answer_kind kind;
	} cases[] = {
		{ "12 OK done\r\n", ANSWER_TAGGED },
		{ "+ go on\r\n", ANSWER_CONTINUE },
		{ "+\r\n", ANSWER_CONTINUE },
		{ "* ok still here\r\n", ANSWER_OK },
		{ "* OKAY\r\n", ANSWER_IGNORED },
		{ "* bad thing\r\n", ANSWER_TEXT },
		{ "* NO well\n", ANSWER_TEXT },
		{ "* BYE now\r\n", ANSWER_BYE },
		{ "* PREAUTH hello\r\n", ANSWER_PREAUTH },
		{ "* CAPABILITY IMAP4rev1\r\n", ANSWER_IGNORED },
		{ "* 3 EXISTS\r\n", ANSWER_IGNORED },
		{ "* 3 FETCH (UID 4)\r\n", ANSWER_FETCH },
		{ "* 3 FETCH UID 4\r\n", ANSWER_IGNORED },
		{ "* 3 EXPUNGE\r\n", ANSWER_IGNORED },
		{ "* SEARCH 1 2 3\r\n", ANSWER_IGNORED },
		{ "* XYZZY ((((\r\n", ANSWER_IGNORED },
		{ "\r\n", ANSWER_IGNORED },
		{ "\n", ANSWER_IGNORED },
		{ " * 3 FETCH (UID 4)\r\n", ANSWER_NONE },
		{ "*3 FETCH (UID 4)\r\n", ANSWER_NONE },
		{ "*\t3 FETCH (UID 4)\r\n", ANSWER_NONE },
		{ " 12 OK done\r\n", ANSWER_NONE },
		{ "HTTP/1.1 400 Bad Request\r\n", ANSWER_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer a = { 0 };
		struct answer_literal literal;

		assert_false(failed(feed(&a, cases[i].line, &literal)));
		assert_int_equal(a.kind, cases[i].kind);
		assert_false(literal.present);
	}
}

static void literals(void **state)
{
	static const struct {
		const char *line;
		bool present, body;
		uint64_t octets;
	} cases[] = {
		{ "* 1 FETCH (UID 5 BODY[] {12}\r\n", true, true, 12 },
		{ "* 1 FETCH (BODY[TEXT]<0> {4096}\r\n", true, true, 4096 },
		{ "* 1 FETCH (body[HEADER] {0}\r\n", true, true, 0 },
		{ "* 1 FETCH (ENVELOPE (\"x]\" {12}\r\n", true, false, 12 },
		{ "* 1 FETCH (XBODY {12}\r\n", true, false, 12 },
		{ "* LIST () \"/\" {5}\r\n", true, false, 5 },
		{ "* OK is this {5}\r\n", false, false, 0 },
		{ "3 NO or this {5}\r\n", false, false, 0 },
		{ "* 1 FETCH (X \"{5}\")\r\n", false, false, 0 },
		{ "* 1 FETCH (X \"a\\\"{5}\\\\\")\r\n", false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer a = { 0 };
		struct answer_literal literal;

		assert_false(failed(feed(&a, cases[i].line, &literal)));
		assert_int_equal(literal.present, cases[i].present);
		assert_int_equal(literal.body, cases[i].body);
		assert_int_equal(literal.octets, cases[i].octets);
		assert_int_equal(a.continued, cases[i].present);
	}
}

/* What libetpan might read in another way than we do. */
static void refused(void **state)
{
	static const char *const lines[] = {
		"* 1 FETCH (X \"open)\r\n",
		"* 1 FETCH (((\r\n",
		"* 1 FETCH (X \")\"\r\n",
		"* 1 FETCH (X \"a\\\")\r\n",
		"* 1 FETCH (BODY[] {5}x)\r\n",
		"* 1 FETCH (BODY[] {-5}\r\n",
		"* 1 FETCH (BODY[] { 5}\r\n",
		"* 1 FETCH (BODY[] {}\r\n",
		"* 1 FETCH (BODY[] {5+}\r\n",
		"* 1 FETCH (BODY[] {99999999999}\r\n",
		"* 1 FETCH (BODY[] {4294967295}\r\n",
		"* 1 FETCH (BODY[] \"{5}\r\n",
		"* 1 FETCH (X \r)\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct answer a = { 0 };
		struct answer_literal literal;
		struct err e = feed(&a, lines[i], &literal);

		if (e.scope != ERR_TEMP)
			fail_msg("taken: %s", lines[i]);
	}
}

static void nesting(void **state)
{
	struct answer a = { 0 };
	struct answer_literal literal;
	char line[512] = "* 1 FETCH (";

	(void)state;
	memset(line + strlen(line), '(', IMAP_NESTING_MAX - 2);
	strcat(line, "\"((((((((\" {3}\r\n");
	assert_false(failed(feed(&a, line, &literal)));
	assert_int_equal(a.depth, IMAP_NESTING_MAX - 1);
	/* The literal does not end the line: what is open stays open. */
	assert_false(failed(feed(&a, ")(( {3}\r\n", &literal)));
	assert_true(failed(feed(&a, "(\r\n", &literal)));
}

static void long_lines(void **state)
{
	struct answer a = { 0 };
	struct answer_literal literal;

	(void)state;
	assert_false(failed(feed(&a, "* 1 FETCH (X {65000}\r\n", &literal)));
	assert_true(failed(feed(&a, " Y {65000}\r\n", &literal)));
	a = (struct answer){ 0 };
	assert_false(failed(feed(&a, "* 1 FETCH (BODY[] {4000000000}\r\n", &literal)));
	assert_false(failed(feed(&a, " UID 1)\r\n", &literal)));
}

static void text_is_cleaned(void **state)
{
	struct answer a = { 0 };
	struct answer_literal literal;
	char line[] = "1 NO a\0b\x80 c\r\n";

	(void)state;
	assert_false(failed(answer_line(&a, line, sizeof(line) - 1, &literal)));
	assert_memory_equal(line, "1 NO a?b? c\r\n", sizeof(line) - 1);
}

static void mailbox_names(void **state)
{
	/* RFC 3501 section 5.1.3, and what it does not show: quotes, "&", beyond 16 bits. */
	static const char *const cases[][2] = {
		{ "INBOX", "\"INBOX\"" },
		{ "~peter/mail/台北/日本語", "\"~peter/mail/&U,BTFw-/&ZeVnLIqe-\"" },
		{ "Entwürfe", "\"Entw&APw-rfe\"" },
		{ "a&b", "\"a&-b\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "😀", "\"&2D3eAA-\"" },
		{ "", "\"\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer b = { 0 };

		assert_false(failed(imap_mailbox_name(&b, cases[i][0])));
		buffer_append(&b, "", 1);
		assert_string_equal(b.data + b.start, cases[i][1]);
		buffer_done(&b);
	}
}

static void mailbox_names_that_cannot_be(void **state)
{
	struct buffer b = { 0 };

	(void)state;
	assert_int_equal(imap_mailbox_name(&b, "Entw\xfcrfe").scope, ERR_PERM);
	assert_int_equal(imap_mailbox_name(&b, "a\r\nb").scope, ERR_PERM);
	buffer_done(&b);
}

static void base64(void **state)
{
	static const char *const cases[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xff\xff", "////" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer b = { 0 };

		base64_encode(&b, cases[i][0], strlen(cases[i][0]));
		buffer_append(&b, "", 1);
		assert_string_equal(b.data + b.start, cases[i][1]);
		buffer_done(&b);
	}
}

static void assert_set(const uint32_t *uids, size_t n, const char *text)
{
	struct buffer b = { 0 };

	assert_int_equal(imap_set(&b, uids, n), n);
	buffer_append(&b, "", 1);
	assert_string_equal(b.data + b.start, text);
	buffer_done(&b);
}

static void sets(void **state)
{
	(void)state;
	assert_set((uint32_t[]){ 5 }, 1, "5");
	assert_set((uint32_t[]){ 5, 6 }, 2, "5:6");
	assert_set((uint32_t[]){ 1, 2, 3, 5, 7, 8, 4294967295U }, 7, "1:3,5,7:8,4294967295");
}

/* Every UID is in exactly one set, no other one in any, and no set is too long. */
static void long_sets(void **state)
{
	enum { N = 30000 };
	uint32_t *uids = mem_zalloc(N, sizeof(*uids));
	size_t done = 0;

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		uids[i] = i < N / 2 ? 4000000000U + 2 * i : 4100000000U + i;
	while (done < N) {
		struct buffer b = { 0 };
		size_t n = imap_set(&b, uids + done, N - done), seen = done;
		char *text, *part, *rest = NULL;

		assert_true(n > 0 && n <= IMAP_SET_UIDS);
		assert_true(buffer_used(&b) <= IMAP_SET_OCTETS);
		buffer_append(&b, "", 1);
		text = b.data + b.start;
		for (part = strtok_r(text, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
			unsigned from, to;

			if (sscanf(part, "%u:%u", &from, &to) == 1)
				to = from;
			for (; from <= to; from++)
				assert_int_equal(from, uids[seen++]);
		}
		done += n;
		assert_int_equal(seen, done);
		buffer_done(&b);
	}
	free(uids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(literals),
		cmocka_unit_test(refused),
		cmocka_unit_test(nesting),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(text_is_cleaned),
		cmocka_unit_test(mailbox_names),
		cmocka_unit_test(mailbox_names_that_cannot_be),
		cmocka_unit_test(base64),
		cmocka_unit_test(sets),
		cmocka_unit_test(long_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
