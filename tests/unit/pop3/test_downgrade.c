/*
 * Headers that are not ASCII, and what a client without UTF8 gets for them (RFC 6858).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/pop3/downgrade.h"

#define INVALID "<invalid@internationalized-address.invalid>"

struct example {
	const char *header, *ascii;
};

/* The caller frees out. */
static const char *downgraded(const char *header, struct buffer *out)
{
	downgrade_header((struct text){ header, strlen(header) }, out);
	buffer_append(out, "", 1);
	return out->data + out->start;
}

static void expect(const struct example *examples)
{
	for (; examples->header; examples++) {
		struct buffer out = { 0 };

		assert_string_equal(downgraded(examples->header, &out), examples->ascii);
		buffer_done(&out);
	}
}

/* clang-format off */
static void what_is_ascii_stays_octet_by_octet(void **state)
{
	static const struct example examples[] = {
		{ "", "" },
		{ "no end", "no end" },
		{ "Subject:  two  spaces \r\n\tand a fold\r\nA:b\n\r\n",
		  "Subject:  two  spaces \r\n\tand a fold\r\nA:b\n\r\n" },
		{ "Subject: =?utf-8?Q?=C3=BC?=\r\n", "Subject: =?utf-8?Q?=C3=BC?=\r\n" },
		{ "From: \"x, y\" <a@b>\r\nSubject: ü\r\nTo:  c@d\n\n",
		  "From: \"x, y\" <a@b>\r\nSubject: =?UTF-8?Q?=C3=BC?=\r\nTo:  c@d\n\n" },
		{ 0 },
	};

	(void)state;
	expect(examples);
}

static void text_becomes_encoded_words(void **state)
{
	static const struct example examples[] = {
		{ "Subject: Grüße\r\n", "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n" },
		/* Only the words that need it; the space between two of those is one of them. */
		{ "Subject: Re: für über all\r\n",
		  "Subject: Re: =?UTF-8?Q?f=C3=BCr_=C3=BCber?= all\r\n" },
		/* Every character that means something somewhere. */
		{ "X-Any: €?=_\"(,<@:.a+-*/!9\r\n",
		  "X-Any: =?UTF-8?Q?=E2=82=AC=3F=3D=5F=22=28=2C=3C=40=3A=2Ea+-*/!9?=\r\n" },
		/* Beside encoded-words that were there. */
		{ "Subject: =?utf-8?Q?a?= ü =?utf-8?Q?b?=\r\n",
		  "Subject: =?utf-8?Q?a?= =?UTF-8?Q?_=C3=BC_?= =?utf-8?Q?b?=\r\n" },
		/* Unfolded first. */
		{ "Subject: ä\n\tö\r\n  x\r\n", "Subject: =?UTF-8?Q?=C3=A4_=C3=B6?= x\r\n" },
		{ "Subject: a\r\n ä\r\nB: c\r\n", "Subject: a =?UTF-8?Q?=C3=A4?=\r\nB: c\r\n" },
		{ "Subject:ä\r\n", "Subject: =?UTF-8?Q?=C3=A4?=\r\n" },
		{ "Subject \t: ä\r\n", "Subject: =?UTF-8?Q?=C3=A4?=\r\n" },
		{ "Subject: ä", "Subject: =?UTF-8?Q?=C3=A4?=\r\n" },
		/* What is no field is not lost. */
		{ "Grüße aus\r\n", "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?= aus\r\n" },
		{ "Ümlaut: x\r\n", "=?UTF-8?Q?=C3=9Cmlaut=3A?= x\r\n" },
		{ ": ä\r\n", ": =?UTF-8?Q?=C3=A4?=\r\n" },
		/* Octets that are no UTF-8. */
		{ "Subject: caf\xe9 x\r\n", "Subject: =?unknown-8bit?Q?caf=E9?= x\r\n" },
		{ 0 },
	};

	(void)state;
	expect(examples);
}

static void names_become_encoded_words(void **state)
{
	static const struct example examples[] = {
		{ "From: Jörg Müller <j@x.example>\r\n",
		  "From: =?UTF-8?Q?J=C3=B6rg_M=C3=BCller?= <j@x.example>\r\n" },
		{ "From: John Q. Döe <j@x.example>\r\n",
		  "From: John Q. =?UTF-8?Q?D=C3=B6e?= <j@x.example>\r\n" },
		{ "To: \"Müller, \\\"Jö\\\"\" <a@b>, \"c, d\" <e@f>\r\n",
		  "To: =?UTF-8?Q?M=C3=BCller=2C_=22J=C3=B6=22?= <a@b>, \"c, d\" <e@f>\r\n" },
		{ "Cc: (é) a@b (ü), c@d (x (é) y) (z)\r\n",
		  "Cc: (=?UTF-8?Q?=C3=A9?=) a@b (=?UTF-8?Q?=C3=BC?=), c@d\r\n"
		  " (=?UTF-8?Q?x_=28=C3=A9=29_y?=) (z)\r\n" },
		{ "To: Gröup: a@b, <c@d>;, e@f\r\n",
		  "To: =?UTF-8?Q?Gr=C3=B6up?=: a@b, <c@d>;, e@f\r\n" },
		{ "To: é <@a,@b:c@d>, e@f\r\n",
		  "To: =?UTF-8?Q?=C3=A9?= <@a,@b:c@d>, e@f\r\n" },
		{ "DISPOSITION-Notification-To: é <c@d>\r\n",
		  "DISPOSITION-Notification-To: =?UTF-8?Q?=C3=A9?= <c@d>\r\n" },
		{ "To: caf\xe9 <c@d>\r\n", "To: =?unknown-8bit?Q?caf=E9?= <c@d>\r\n" },
		/* Empty members stay where they are. */
		{ "To: , é <c@d>,\r\n", "To:, =?UTF-8?Q?=C3=A9?= <c@d>,\r\n" },
		{ 0 },
	};

	(void)state;
	expect(examples);
}

static void internationalized_addresses_become_invalid_ones(void **state)
{
	static const struct example examples[] = {
		{ "From: jörg@x.example\r\n",
		  "From: =?UTF-8?Q?j=C3=B6rg=40x=2Eexample?=\r\n " INVALID "\r\n" },
		{ "From: info@grüße.example\r\n",
		  "From: =?UTF-8?Q?info=40gr=C3=BC=C3=9Fe=2Eexample?=\r\n " INVALID "\r\n" },
		{ "Sender: Fred <fréd@x>, a@b\r\n",
		  "Sender: Fred =?UTF-8?Q?=28fr=C3=A9d=40x=29?=\r\n " INVALID ", a@b\r\n" },
		/* Two encoded-words are read without the space between them. */
		{ "Reply-To: Fréd <fréd@x>\r\n",
		  "Reply-To: =?UTF-8?Q?Fr=C3=A9d?= =?UTF-8?Q?_=28fr=C3=A9d=40x=29?=\r\n " INVALID
		  "\r\n" },
		{ "Bcc: <fréd@x> (c)\r\n", "Bcc: =?UTF-8?Q?fr=C3=A9d=40x?= " INVALID "\r\n (c)\r\n" },
		{ "To: \"jö rg\"@x\r\n", "To: =?UTF-8?Q?=22j=C3=B6_rg=22=40x?=\r\n " INVALID "\r\n" },
		{ "To: <caf\xe9@x>\r\n", "To: =?unknown-8bit?Q?caf=E9=40x?=\r\n " INVALID "\r\n" },
		{ "Resent-From: <é@x\r\n", "Resent-From: =?UTF-8?Q?=C3=A9=40x?=\r\n " INVALID "\r\n" },
		/* There is no display name here. */
		{ "Return-Path: <é@x>\r\n", "Return-Path: " INVALID "\r\n" },
		{ 0 },
	};

	(void)state;
	expect(examples);
}

static void parameters_take_the_extended_form(void **state)
{
	static const struct example examples[] = {
		{ "Content-Type: text/plain; charset=utf-8; name=\"Grüße, alle.txt\"\r\n",
		  "Content-Type: text/plain; charset=utf-8;\r\n"
		  " name*=UTF-8''Gr%C3%BC%C3%9Fe%2C%20alle.txt\r\n" },
		{ "Content-Disposition: attachment; filename=ü.pdf; size=3\r\n",
		  "Content-Disposition: attachment; filename*=UTF-8''%C3%BC.pdf; size=3\r\n" },
		{ "content-disposition: attachment; filename=\"a;b\\\"ü\"\r\n",
		  "content-disposition: attachment; filename*=UTF-8''a%3Bb%22%C3%BC\r\n" },
		/* A long value in sections; no character is divided. */
		{ "Content-Type: a/b; name=ÄÄÄÄÄÄÄÄÄÄÄÄÄ\r\n",
		  "Content-Type: a/b;\r\n"
		  " name*0*=UTF-8''%C3%84%C3%84%C3%84%C3%84%C3%84%C3%84%C3%84%C3%84%C3%84;\r\n"
		  " name*1*=%C3%84%C3%84%C3%84%C3%84\r\n" },
		/* Sent in both forms. */
		{ "Content-Type: a/b; name=ü; NAME*=UTF-8''%C3%BC; names=ä\r\n",
		  "Content-Type: a/b; NAME*=UTF-8''%C3%BC; names*=UTF-8''%C3%A4\r\n" },
		/* Left out: what has no form in ASCII. */
		{ "Content-Type: a/b; name=caf\xe9; c=d\r\n", "Content-Type: a/b; c=d\r\n" },
		{ "Content-Type: a/b; näme=c; c=d\r\n", "Content-Type: a/b; c=d\r\n" },
		{ "Content-Type: a/b; name*=utf-8''ü; c=d;\r\n", "Content-Type: a/b; c=d\r\n" },
		{ "Content-Type: a/b; ü; name=x (ü); c=d\r\n", "Content-Type: a/b; c=d\r\n" },
		{ "A: b\r\nContent-Type: ä/b; c=d\r\nE: f\r\n", "A: b\r\nE: f\r\n" },
		{ 0 },
	};

	(void)state;
	expect(examples);
}

static void fields_without_a_form_in_ascii_are_left_out(void **state)
{
	static const struct example examples[] = {
		{ "A: b\r\nMessage-ID: <é@x>\r\n more\r\nC: d\r\n", "A: b\r\nC: d\r\n" },
		{ "received: from é\nDate: é\n\n", "\n" },
		{ "References: <é@x>\r\nIn-Reply-To: <a@b>\r\n", "In-Reply-To: <a@b>\r\n" },
		/* Not by the beginning of its name. */
		{ "Received-By: é\r\n", "Received-By: =?UTF-8?Q?=C3=A9?=\r\n" },
		{ 0 },
	};

	(void)state;
	expect(examples);
}
/* clang-format on */

/* Broken in every way: nothing but ASCII comes out, and nothing is read beyond the end. */
static void malformed_values_come_out_in_ascii(void **state)
{
	static const char *const names[] = { "", "From:", "Return-Path:", "Content-Type:", "X:" };
	static const char *const values[] = { "\"ü", "(ü", "ü)", "<ü", "ü>", "[ü", "ü\\", "\"ü\\",
		"(ü\\", "ü: ü; ü,", ",,;;::ü", "a;ü=", "a;=ü", "a; b=\"ü", "a; b=\"c\"ü", ";;ü;",
		"<<ü>>", "\xc3", "\xc3\xbc\xc3", "=?ü?=", "ü\r", "\r\n ü", "\xf0\x9f\x99\x82" };

	(void)state;
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
			struct buffer out = { 0 }, in = { 0 };
			struct text header;

			buffer_append(&in, names[n], strlen(names[n]));
			buffer_append(&in, values[v], strlen(values[v]));
			header = (struct text){ mem_alloc(in.end), in.end };
			memcpy((char *)header.at, in.data, in.end); /* to its last octet exactly */
			downgrade_header(header, &out);
			if (buffer_used(&out))
				assert_true(text_is_ascii(
					(struct text){ out.data + out.start, buffer_used(&out) }));
			free((char *)header.at);
			buffer_done(&in);
			buffer_done(&out);
		}
	}
}

/* RFC 2047 section 2: lines of at most 76 octets, encoded-words of at most 75, none in the midst of
 * a character. */
static void long_text_is_divided_where_it_may_be(void **state)
{
	static const char *const names[] = { "S", "Subject",
		"X-A-Long-Name-That-Takes-Half-The-Line",
		"X-A-Name-That-Takes-So-Much-Of-The-Line-That-No-Encoded-Word-Follows-It" };

	(void)state;
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		struct buffer in = { 0 }, out = { 0 };
		const char *line, *end;

		buffer_printf(&in, "%s:", names[n]);
		for (int i = 0; i < 40; i++)
			buffer_printf(&in, " %.*sü日本", i % 7, "abcdefg");
		buffer_append(&in, "\r\n", 3);
		line = downgraded(in.data, &out);
		for (; *line; line = end + 2) {
			end = strstr(line, "\r\n");
			assert_non_null(end);
			assert_true(end - line <= 76);
		}
		/* The first octet of a character is never the last of an encoded-word. */
		assert_null(strstr(out.data, "=C3?="));
		assert_null(strstr(out.data, "=E6=97?="));
		buffer_done(&in);
		buffer_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_ascii_stays_octet_by_octet),
		cmocka_unit_test(text_becomes_encoded_words),
		cmocka_unit_test(names_become_encoded_words),
		cmocka_unit_test(internationalized_addresses_become_invalid_ones),
		cmocka_unit_test(parameters_take_the_extended_form),
		cmocka_unit_test(fields_without_a_form_in_ascii_are_left_out),
		cmocka_unit_test(malformed_values_come_out_in_ascii),
		cmocka_unit_test(long_text_is_divided_where_it_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
