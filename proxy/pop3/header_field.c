#include "proxy/pop3/header_field.h"

#include <string.h>

#include "proxy/runtime/utf8.h"

#define LINE_OCTETS 76
/* What may be glued behind a word: "),". */
#define RESERVE 2
/* Of an encoded-word: all but its charset and its text. */
#define FRAME_OCTETS 7
/* The longest character, quoted: four octets as =XX; and a space before it. */
#define CHARACTER_OCTETS 13

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

bool text_is_ascii(struct text text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.at[i] >= 0x80)
			return false;
	return true;
}

struct text text_trim(struct text text)
{
	while (text.n && is_space(*text.at))
		text = text_from(text, 1);
	while (text.n && is_space(text.at[text.n - 1]))
		text.n--;
	return text;
}

static void put(struct header_field *field, const char *text, size_t n)
{
	buffer_append(field->out, text, n);
	field->column += n;
}

/* The space before a word of n octets: on a new line where it does not fit on this one. */
static void separate(struct header_field *field, size_t n)
{
	if (field->glued) {
		field->glued = false;
	} else if (field->column + 1 + n + RESERVE > LINE_OCTETS) {
		put(field, "\r\n ", 3);
		field->column = 1;
	} else {
		put(field, " ", 1);
	}
}

void field_begin(struct header_field *field, struct buffer *out, struct text name)
{
	*field = (struct header_field){ .out = out, .glued = name.n == 0 };
	if (name.n) {
		put(field, name.at, name.n);
		put(field, ":", 1);
	}
}

void field_end(struct header_field *field)
{
	put(field, "\r\n", 2);
}

static bool is_encoded_word(struct text word)
{
	return word.n > 4 && memcmp(word.at, "=?", 2) == 0 &&
	       memcmp(word.at + word.n - 2, "?=", 2) == 0;
}

void field_word(struct header_field *field, struct text word)
{
	separate(field, word.n);
	put(field, word.at, word.n);
	field->after_encoded = is_encoded_word(word);
}

void field_glue(struct header_field *field, const char *text)
{
	put(field, text, strlen(text));
	field->after_encoded = false;
}

void field_open(struct header_field *field, const char *text)
{
	separate(field, LINE_OCTETS / 2);
	field_glue(field, text);
	field->glued = true;
}

/* What may stand for itself in an encoded-word wherever that stands (RFC 2047 section 5). */
static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("!*+-/", c));
}

static size_t quote(const char *text, size_t n, char *ret)
{
	static const char hex[] = "0123456789ABCDEF";
	char *to = ret;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_plain(text[i])) {
			*to++ = text[i];
		} else if (c == ' ') {
			*to++ = '_';
		} else {
			*to++ = '=';
			*to++ = hex[c >> 4];
			*to++ = hex[c & 15];
		}
	}
	return (size_t)(to - ret);
}

/* One encoded-word of as much as fits on the line; what is left. No character is divided (RFC 2047
 * section 5). */
static struct text encoded_word(struct header_field *field, const char *charset, struct text text)
{
	bool utf8 = strcmp(charset, "UTF-8") == 0;
	char quoted[CHARACTER_OCTETS];

	put(field, "=?", 2);
	put(field, charset, strlen(charset));
	put(field, "?Q?", 3);
	/* Between encoded-words a space would be lost (RFC 2047 section 6.2). */
	if (field->after_encoded)
		put(field, "_", 1);
	field->after_encoded = false;
	while (text.n) {
		uint32_t c;
		size_t length = utf8 ? utf8_decode(text.at, text.n, &c) : 1;
		size_t n = quote(text.at, length, quoted);

		if (field->column + n + strlen("?=") + RESERVE > LINE_OCTETS)
			break;
		put(field, quoted, n);
		text = text_from(text, length);
	}
	put(field, "?=", 2);
	return text;
}

void field_encoded(struct header_field *field, struct text text)
{
	const char *charset = utf8_valid(text.at, text.n) ? "UTF-8" : "unknown-8bit";

	while (text.n) {
		separate(field, FRAME_OCTETS + strlen(charset) + CHARACTER_OCTETS);
		text = encoded_word(field, charset, text);
		field->after_encoded = text.n == 0;
	}
}

/* The first word of text; empty when there is none. */
static struct text first_word(struct text text)
{
	size_t n = 0;

	while (text.n && is_space(*text.at))
		text = text_from(text, 1);
	while (n < text.n && !is_space(text.at[n]))
		n++;
	return (struct text){ text.at, n };
}

/* What follows a word of text. */
static struct text behind(struct text text, struct text word)
{
	return text_from(text, (size_t)(word.at + word.n - text.at));
}

void field_text(struct header_field *field, struct text text)
{
	struct text word = first_word(text);

	while (word.n) {
		struct text next = first_word(behind(text, word)), run = word;

		if (text_is_ascii(word)) {
			field_word(field, word);
			word = next;
			continue;
		}
		for (; next.n && !text_is_ascii(next); next = first_word(behind(text, next)))
			run.n = (size_t)(next.at + next.n - run.at);
		/* As between two of ours, the space before an encoded-word that was there. */
		if (is_encoded_word(next))
			run.n++;
		field_encoded(field, run);
		word = next;
	}
}
