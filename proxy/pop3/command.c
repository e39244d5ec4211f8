#include "proxy/pop3/command.h"

#include <string.h>

#define VERB_MAX 15

static bool is_separator(char c)
{
	return c == ' ' || c == '\t';
}

const struct command *command_find(const struct command *table, const char *verb)
{
	for (; table->verb; table++)
		if (strcmp(table->verb, verb) == 0)
			return table;
	return NULL;
}

enum command_fault command_split(struct line line, const char **ret_verb, struct line *ret_rest)
{
	size_t n = 0;

	while (n < line.length && !is_separator(line.text[n])) {
		char c = line.text[n];

		if (c < 0x21 || c > 0x7e)
			return COMMAND_GARBAGE;
		if (c >= 'a' && c <= 'z')
			line.text[n] = (char)(c - 'a' + 'A');
		n++;
	}
	if (n == 0 || n > VERB_MAX)
		return COMMAND_UNKNOWN;
	*ret_verb = line.text;
	ret_rest->text = line.text + (n < line.length ? n + 1 : n);
	ret_rest->length = line.length - (n < line.length ? n + 1 : n);
	line.text[n] = '\0';
	return COMMAND_OK;
}

/* The next word of rest, NUL-terminated in place; NULL when there is none. */
static char *next_word(struct line *rest)
{
	char *word;
	size_t n = 0;

	while (rest->length && is_separator(*rest->text)) {
		rest->text++;
		rest->length--;
	}
	if (!rest->length)
		return NULL;
	word = rest->text;
	while (n < rest->length && !is_separator(word[n]))
		n++;
	rest->text += n < rest->length ? n + 1 : n;
	rest->length -= n < rest->length ? n + 1 : n;
	word[n] = '\0';
	return word;
}

/* Digits only: strtoull would take signs and spaces. */
static bool parse_number(const char *word, uint64_t *ret)
{
	uint64_t n = 0;

	for (; *word; word++) {
		if (*word < '0' || *word > '9' || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(*word - '0'), &n))
			return false;
	}
	*ret = n;
	return true;
}

/* Logins and passwords may hold 8-bit octets; nothing may hold control octets. */
static bool is_clean(const struct command *command, struct line rest)
{
	bool eight_bit = command->shape == ARGS_REST || command->shape == ARGS_WORD;

	for (size_t i = 0; i < rest.length; i++) {
		unsigned char c = (unsigned char)rest.text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f || (c >= 0x80 && !eight_bit))
			return false;
	}
	return true;
}

static enum command_fault message_arguments(
	enum command_shape shape, struct line *rest, struct command_args *ret)
{
	const char *word = next_word(rest);
	uint64_t number = 0;

	if (!word)
		return shape == ARGS_OPTIONAL_MESSAGE ? COMMAND_OK : COMMAND_ARGUMENT_MISSING;
	if (!parse_number(word, &number) || number == 0)
		return COMMAND_BAD_NUMBER;
	ret->message = number;
	if (shape != ARGS_MESSAGE_LINES)
		return COMMAND_OK;
	word = next_word(rest);
	if (!word)
		return COMMAND_ARGUMENT_MISSING;
	return parse_number(word, &ret->lines) ? COMMAND_OK : COMMAND_BAD_NUMBER;
}

enum command_fault command_arguments(
	const struct command *command, struct line rest, struct command_args *ret)
{
	enum command_fault fault = COMMAND_OK;

	*ret = (struct command_args){ 0 };
	if (!is_clean(command, rest))
		return COMMAND_GARBAGE;
	switch (command->shape) {
	case ARGS_NONE:
		return next_word(&rest) ? COMMAND_NO_ARGUMENT_EXPECTED : COMMAND_OK;
	case ARGS_REST:
		ret->rest = rest.text;
		ret->rest_length = rest.length;
		return rest.length ? COMMAND_OK : COMMAND_ARGUMENT_MISSING;
	case ARGS_WORD:
	case ARGS_OPTIONAL_WORD:
		ret->word = next_word(&rest);
		if (!ret->word && command->shape == ARGS_WORD)
			return COMMAND_ARGUMENT_MISSING;
		break;
	case ARGS_AUTH:
		ret->word = next_word(&rest);
		ret->rest = ret->word ? next_word(&rest) : NULL;
		ret->rest_length = ret->rest ? strlen(ret->rest) : 0;
		break;
	default:
		fault = message_arguments(command->shape, &rest, ret);
	}
	if (fault == COMMAND_OK && next_word(&rest))
		return COMMAND_ARGUMENT_EXCESS;
	return fault;
}

const char *command_fault_text(enum command_fault fault)
{
	switch (fault) {
	case COMMAND_GARBAGE:
		return "a command is printable ASCII";
	case COMMAND_NO_ARGUMENT_EXPECTED:
		return "this command has no argument";
	case COMMAND_ARGUMENT_MISSING:
		return "an argument is missing";
	case COMMAND_ARGUMENT_EXCESS:
		return "too many arguments";
	case COMMAND_BAD_NUMBER:
		return "a number from 1 up is expected";
	default:
		return "unknown command";
	}
}
