#include <string.h>

#include "proxy/pop3/downgrade_value.h"

/* The top-level domain is reserved: nobody gets what is sent there (RFC 2606, RFC 6858 section
 * 2.1). */
#define INVALID_ADDRESS "<invalid@internationalized-address.invalid>"

static struct text text_of(const struct buffer *buffer)
{
	return (struct text){ buffer->data + buffer->start, buffer_used(buffer) };
}

/* Atoms alone, which an encoded-word can stand among; dots as in "John Q. Public" (RFC 5322
 * section 4.1). */
static bool is_atoms(struct text text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.at[i] == '\0' || strchr("()<>[]:;@\\,\"\x7f", text.at[i]))
			return false;
	return true;
}

static void comment(struct header_field *field, struct text text)
{
	struct text inner = text_from(text, 1);

	if (text_is_ascii(text)) {
		field_text(field, text);
		return;
	}
	if (inner.n && inner.at[inner.n - 1] == ')')
		inner.n--;
	field_open(field, "(");
	field_encoded(field, inner);
	field_glue(field, ")");
}

/* A display name or part of one, without comments. */
static void name(struct header_field *field, struct text text)
{
	struct buffer plain = { 0 };

	if (text_is_ascii(text) || is_atoms(text)) {
		field_text(field, text);
		return;
	}
	unquote(text_trim(text), &plain);
	field_encoded(field, text_of(&plain));
	buffer_done(&plain);
}

/* Names and comments, as they come. */
static void phrase(struct header_field *field, struct text text)
{
	while (text.n) {
		size_t n = lexemes_before(text, "(");

		name(field, (struct text){ text.at, n });
		text = text_from(text, n);
		if (!text.n)
			return;
		n = lexeme_length(text);
		comment(field, (struct text){ text.at, n });
		text = text_from(text, n);
	}
}

static bool is_ascii_but_comments(struct text text)
{
	while (text.n) {
		size_t n = lexemes_before(text, "(");

		if (!text_is_ascii((struct text){ text.at, n }))
			return false;
		text = text_from(text, n);
		text = text_from(text, text.n ? lexeme_length(text) : 0);
	}
	return true;
}

/* The client cannot write to it; its user shall see whose it is. */
static void invalid_name(struct header_field *field, struct text address, bool named)
{
	struct buffer shown = { 0 };

	if (named)
		buffer_append(&shown, "(", 1);
	buffer_append(&shown, address.at, address.n);
	if (named)
		buffer_append(&shown, ")", 1);
	field_encoded(field, text_of(&shown));
	buffer_done(&shown);
}

struct mailbox {
	struct text display; /* before "<" */
	struct text address;
	struct text rest; /* from "<", or all of a bare address, to the end */
	size_t enclosed;  /* octets of rest up to and with ">" */
};

static struct mailbox split(struct text text)
{
	size_t open = lexemes_before(text, "<");
	struct mailbox box = { .address = text, .rest = text, .enclosed = text.n };
	size_t n;

	if (open == text.n)
		return box;
	box.display = text_trim((struct text){ text.at, open });
	box.rest = text_from(text, open);
	n = lexemes_before(box.rest, ">");
	box.address = text_trim((struct text){ box.rest.at + 1, n - 1 });
	box.enclosed = n < box.rest.n ? n + 1 : n;
	return box;
}

static void mailbox(struct header_field *field, struct text text, bool path)
{
	struct mailbox box = split(text);

	if (is_ascii_but_comments(box.address)) {
		phrase(field, box.display);
		phrase(field, box.rest);
		return;
	}
	if (!path) {
		phrase(field, box.display);
		invalid_name(field, box.address, box.display.n > 0);
	}
	field_word(field, (struct text){ INVALID_ADDRESS, strlen(INVALID_ADDRESS) });
	phrase(field, text_from(box.rest, box.enclosed));
}

/* Up to the comma, colon or semicolon behind a mailbox or the name of a group. */
static size_t element_length(struct text text)
{
	size_t n = lexemes_before(text, ",:;<");

	if (n == text.n || text.at[n] != '<')
		return n;
	/* A route holds commas and a colon. */
	n += lexemes_before(text_from(text, n), ">");
	return n + lexemes_before(text_from(text, n), ",;");
}

void downgrade_addresses(struct header_field *field, struct text value, bool path)
{
	while (value.n) {
		size_t n = element_length(value);
		struct text element = text_trim((struct text){ value.at, n });

		if (n < value.n && value.at[n] == ':')
			phrase(field, element);
		else if (element.n)
			mailbox(field, element, path);
		value = text_from(value, n);
		if (value.n) {
			field_glue(field, (char[]){ *value.at, '\0' });
			value = text_from(value, 1);
		}
	}
}
