/* Command lines: splitting, shapes of arguments, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/pop3/command.h"

static const struct command table[] = {
	{ "STAT", ARGS_NONE, NULL },
	{ "USER", ARGS_WORD, NULL },
	{ "LANG", ARGS_OPTIONAL_WORD, NULL },
	{ "PASS", ARGS_REST, NULL },
	{ "AUTH", ARGS_AUTH, NULL },
	{ "RETR", ARGS_MESSAGE, NULL },
	{ "LIST", ARGS_OPTIONAL_MESSAGE, NULL },
	{ "TOP", ARGS_MESSAGE_LINES, NULL },
	{ 0 },
};

struct parsed {
	enum command_fault fault;
	const struct command *command;
	struct command_args args;
};

/* The text stays alive, since the arguments point into it. */
static char storage[2048];

static struct parsed parse_octets(const char *text, size_t n)
{
	struct parsed p = { 0 };
	struct line line = { storage, n }, rest;
	const char *verb;

	assert_true(n < sizeof(storage));
	memcpy(storage, text, n);
	storage[n] = '\0';
	p.fault = command_split(line, &verb, &rest);
	if (p.fault != COMMAND_OK)
		return p;
	p.command = command_find(table, verb);
	if (!p.command)
		p.fault = COMMAND_UNKNOWN;
	else
		p.fault = command_arguments(p.command, rest, &p.args);
	return p;
}

static struct parsed parse(const char *text)
{
	return parse_octets(text, strlen(text));
}

static void verbs_are_case_insensitive_and_whole(void **state)
{
	(void)state;
	assert_int_equal(parse("stat").fault, COMMAND_OK);
	assert_int_equal(parse("StAt").fault, COMMAND_OK);
	assert_int_equal(parse("STATS").fault, COMMAND_UNKNOWN);
	assert_int_equal(parse("STA").fault, COMMAND_UNKNOWN);
	assert_int_equal(parse("").fault, COMMAND_UNKNOWN);
	assert_int_equal(parse(" STAT").fault, COMMAND_UNKNOWN);
	assert_int_equal(parse("ABCDEFGHIJKLMNOPQRSTUVWXYZ").fault, COMMAND_UNKNOWN);
}

static void separators_are_spaces_and_tabs_in_any_number(void **state)
{
	static const char *const forms[] = { "TOP 7 9", "TOP  7   9", "TOP\t7\t9", "TOP \t 7\t \t9",
		"TOP 7 9 ", "TOP 7 9\t \t" };

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct parsed p = parse(forms[i]);

		assert_int_equal(p.fault, COMMAND_OK);
		assert_int_equal(p.args.message, 7);
		assert_int_equal(p.args.lines, 9);
	}
}

static void counts_of_arguments_are_checked(void **state)
{
	(void)state;
	assert_int_equal(parse("STAT ").fault, COMMAND_OK);
	assert_int_equal(parse("STAT 1").fault, COMMAND_NO_ARGUMENT_EXPECTED);
	assert_int_equal(parse("RETR").fault, COMMAND_ARGUMENT_MISSING);
	assert_int_equal(parse("RETR   ").fault, COMMAND_ARGUMENT_MISSING);
	assert_int_equal(parse("RETR 1 2").fault, COMMAND_ARGUMENT_EXCESS);
	assert_int_equal(parse("TOP 1").fault, COMMAND_ARGUMENT_MISSING);
	assert_int_equal(parse("TOP 1 2 3").fault, COMMAND_ARGUMENT_EXCESS);
	assert_int_equal(parse("LIST").fault, COMMAND_OK);
	assert_int_equal(parse("LIST").args.message, 0);
	assert_int_equal(parse("LIST 4").args.message, 4);
	assert_int_equal(parse("LIST 4 4").fault, COMMAND_ARGUMENT_EXCESS);
	assert_int_equal(parse("USER").fault, COMMAND_ARGUMENT_MISSING);
	assert_int_equal(parse("USER a b").fault, COMMAND_ARGUMENT_EXCESS);
	assert_int_equal(parse("PASS").fault, COMMAND_ARGUMENT_MISSING);
	assert_int_equal(parse("LANG").fault, COMMAND_OK);
	assert_null(parse("LANG ").args.word);
	assert_string_equal(parse("LANG  en").args.word, "en");
	assert_int_equal(parse("LANG en de").fault, COMMAND_ARGUMENT_EXCESS);
	assert_int_equal(parse("LANG \xc3\xbc").fault, COMMAND_GARBAGE);
}

static void numbers_are_plain_decimal_within_64_bits(void **state)
{
	(void)state;
	assert_int_equal(parse("RETR 18446744073709551615").fault, COMMAND_OK);
	assert_int_equal(parse("RETR 18446744073709551616").fault, COMMAND_BAD_NUMBER);
	assert_int_equal(parse("RETR 99999999999999999999999").fault, COMMAND_BAD_NUMBER);
	assert_int_equal(parse("RETR +1").fault, COMMAND_BAD_NUMBER);
	assert_int_equal(parse("RETR -1").fault, COMMAND_BAD_NUMBER);
	assert_int_equal(parse("RETR 0").fault, COMMAND_BAD_NUMBER);
	assert_int_equal(parse("RETR 0x1").fault, COMMAND_BAD_NUMBER);
	assert_int_equal(parse("RETR 1.").fault, COMMAND_BAD_NUMBER);
	assert_int_equal(parse("RETR 001").args.message, 1);
	assert_int_equal(parse("TOP 1 0").fault, COMMAND_OK);
	assert_int_equal(parse("TOP 1 -1").fault, COMMAND_BAD_NUMBER);
}

static void a_password_is_the_rest_of_the_line(void **state)
{
	struct parsed p = parse("PASS  two  words ");

	(void)state;
	assert_int_equal(p.fault, COMMAND_OK);
	assert_int_equal(p.args.rest_length, strlen(" two  words "));
	assert_memory_equal(p.args.rest, " two  words ", p.args.rest_length);
	assert_int_equal(parse("PASS gr\xc3\xbc\xc3\x9f").fault, COMMAND_OK);
}

static void an_auth_command_has_up_to_two_words(void **state)
{
	struct parsed p = parse("AUTH PLAIN AGEAYg==");

	(void)state;
	assert_int_equal(p.fault, COMMAND_OK);
	assert_string_equal(p.args.word, "PLAIN");
	assert_string_equal(p.args.rest, "AGEAYg==");
	p = parse("AUTH PLAIN");
	assert_string_equal(p.args.word, "PLAIN");
	assert_null(p.args.rest);
	assert_null(parse("AUTH").args.word);
	assert_int_equal(parse("AUTH A B C").fault, COMMAND_ARGUMENT_EXCESS);
}

static void octets_that_no_command_holds_are_garbage(void **state)
{
	(void)state;
	assert_int_equal(parse_octets("ST\0AT", 5).fault, COMMAND_GARBAGE);
	assert_int_equal(parse_octets("RETR 1\0", 7).fault, COMMAND_GARBAGE);
	assert_int_equal(parse_octets("PASS a\0b", 8).fault, COMMAND_GARBAGE);
	assert_int_equal(parse("RETR \xb2").fault, COMMAND_GARBAGE);
	assert_int_equal(parse("\x16\x03\x01\x02").fault, COMMAND_GARBAGE);
	assert_int_equal(parse("RETR 1\r").fault, COMMAND_GARBAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_are_case_insensitive_and_whole),
		cmocka_unit_test(separators_are_spaces_and_tabs_in_any_number),
		cmocka_unit_test(counts_of_arguments_are_checked),
		cmocka_unit_test(numbers_are_plain_decimal_within_64_bits),
		cmocka_unit_test(a_password_is_the_rest_of_the_line),
		cmocka_unit_test(an_auth_command_has_up_to_two_words),
		cmocka_unit_test(octets_that_no_command_holds_are_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
