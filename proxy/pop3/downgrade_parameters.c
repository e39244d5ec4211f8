#include <string.h>
#include <strings.h>

#include "proxy/pop3/downgrade_value.h"
#include "proxy/runtime/utf8.h"

/* What one parameter may take of a line, and has to have left for its value. */
#define PARAMETER_OCTETS 68
#define VALUE_OCTETS     24

/* attribute-char of RFC 2231 section 7 that no program takes amiss. */
static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("-._~", c));
}

static void percent_encode(struct buffer *out, const char *character, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (is_plain(character[i]))
			buffer_append(out, character + i, 1);
		else
			buffer_printf(out, "%%%02X", (unsigned char)character[i]);
	}
}

/* A parameter, or one section of it: name*=…, name*0*=…, name*1*=… (RFC 2231 sections 3 and 4). */
static void section(
	struct header_field *field, struct text name, int number, const struct buffer *value)
{
	struct buffer word = { 0 };

	buffer_append(&word, name.at, name.n);
	if (number >= 0)
		buffer_printf(&word, "*%d", number);
	buffer_append(&word, "*=", 2);
	buffer_append(&word, value->data + value->start, buffer_used(value));
	field_glue(field, ";");
	field_word(field, (struct text){ word.data + word.start, buffer_used(&word) });
	buffer_done(&word);
}

static void extended(struct header_field *field, struct text name, struct text value)
{
	size_t room =
		name.n + VALUE_OCTETS < PARAMETER_OCTETS ? PARAMETER_OCTETS - name.n : VALUE_OCTETS;
	struct buffer part = { 0 }, character = { 0 };
	int sections = 0;
	uint32_t c;

	buffer_printf(&part, "UTF-8''");
	while (value.n) {
		size_t n = utf8_decode(value.at, value.n, &c);

		character.end = character.start;
		percent_encode(&character, value.at, n);
		if (buffer_used(&part) + buffer_used(&character) > room) {
			section(field, name, sections++, &part);
			part.end = part.start;
		}
		buffer_append(&part, character.data + character.start, buffer_used(&character));
		value = text_from(value, n);
	}
	section(field, name, sections > 0 ? sections : -1, &part);
	buffer_done(&part);
	buffer_done(&character);
}

/* Takes the next of the parameters, which begins behind a semicolon, and that semicolon away. */
static struct text take(struct text *parameters)
{
	struct text rest = text_from(*parameters, 1);
	size_t n = lexemes_before(rest, ";");

	*parameters = text_from(rest, n);
	return text_trim((struct text){ rest.at, n });
}

/* Whether one of that name is in the extended form already: some mailers send both. */
static bool has_extended(struct text parameters, struct text name)
{
	while (parameters.n) {
		struct text one = take(&parameters);

		if (one.n > name.n && one.at[name.n] == '*' &&
			strncasecmp(one.at, name.at, name.n) == 0)
			return true;
	}
	return false;
}

/* One that cannot be written so is left out (RFC 6858 section 2.2). all: it and its neighbours. */
static void parameter(struct header_field *field, struct text text, struct text all)
{
	size_t equals = lexemes_before(text, "=");
	struct text name = text_trim((struct text){ text.at, equals }), value;
	struct buffer plain = { 0 };

	if (equals == text.n || !name.n || !text_is_ascii(name) || memchr(name.at, '*', name.n))
		return;
	value = text_trim(text_from(text, equals + 1));
	if (lexemes_before(value, "(") < value.n || !utf8_valid(value.at, value.n) ||
		has_extended(all, name))
		return;
	unquote(value, &plain);
	extended(field, name, (struct text){ plain.data + plain.start, buffer_used(&plain) });
	buffer_done(&plain);
}

bool downgrade_parameters(struct header_field *field, struct text value)
{
	size_t n = lexemes_before(value, ";");
	struct text main_value = { value.at, n }, all = text_from(value, n), rest = all;

	if (!text_is_ascii(main_value))
		return false;
	field_text(field, main_value);
	while (rest.n) {
		struct text one = take(&rest);

		if (!text_is_ascii(one)) {
			parameter(field, one, all);
		} else if (one.n) {
			field_glue(field, ";");
			field_text(field, one);
		}
	}
	return true;
}
