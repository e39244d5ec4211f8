#include "proxy/pop3/downgrade.h"

#include <string.h>
#include <strings.h>

#include "proxy/pop3/downgrade_value.h"

enum syntax {
	SYNTAX_TEXT,
	SYNTAX_ADDRESSES,
	SYNTAX_PATH,
	SYNTAX_PARAMETERS,
	SYNTAX_STRICT, /* has no place for an encoded-word */
};

static const struct {
	const char *name;
	enum syntax syntax;
} fields[] = {
	{ "bcc", SYNTAX_ADDRESSES },
	{ "cc", SYNTAX_ADDRESSES },
	{ "disposition-notification-to", SYNTAX_ADDRESSES },
	{ "from", SYNTAX_ADDRESSES },
	{ "reply-to", SYNTAX_ADDRESSES },
	{ "resent-bcc", SYNTAX_ADDRESSES },
	{ "resent-cc", SYNTAX_ADDRESSES },
	{ "resent-from", SYNTAX_ADDRESSES },
	{ "resent-reply-to", SYNTAX_ADDRESSES },
	{ "resent-sender", SYNTAX_ADDRESSES },
	{ "resent-to", SYNTAX_ADDRESSES },
	{ "sender", SYNTAX_ADDRESSES },
	{ "to", SYNTAX_ADDRESSES },
	{ "return-path", SYNTAX_PATH },
	{ "content-disposition", SYNTAX_PARAMETERS },
	{ "content-type", SYNTAX_PARAMETERS },
	{ "arc-authentication-results", SYNTAX_STRICT },
	{ "arc-message-signature", SYNTAX_STRICT },
	{ "arc-seal", SYNTAX_STRICT },
	{ "authentication-results", SYNTAX_STRICT },
	{ "content-id", SYNTAX_STRICT },
	{ "content-language", SYNTAX_STRICT },
	{ "content-location", SYNTAX_STRICT },
	{ "content-transfer-encoding", SYNTAX_STRICT },
	{ "date", SYNTAX_STRICT },
	{ "dkim-signature", SYNTAX_STRICT },
	{ "domainkey-signature", SYNTAX_STRICT },
	{ "in-reply-to", SYNTAX_STRICT },
	{ "list-archive", SYNTAX_STRICT },
	{ "list-help", SYNTAX_STRICT },
	{ "list-owner", SYNTAX_STRICT },
	{ "list-post", SYNTAX_STRICT },
	{ "list-subscribe", SYNTAX_STRICT },
	{ "list-unsubscribe", SYNTAX_STRICT },
	{ "message-id", SYNTAX_STRICT },
	{ "mime-version", SYNTAX_STRICT },
	{ "received", SYNTAX_STRICT },
	{ "received-spf", SYNTAX_STRICT },
	{ "references", SYNTAX_STRICT },
	{ "resent-date", SYNTAX_STRICT },
	{ "resent-message-id", SYNTAX_STRICT },
};

static enum syntax syntax_of(struct text name)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i].name) == name.n &&
			strncasecmp(fields[i].name, name.at, name.n) == 0)
			return fields[i].syntax;
	return SYNTAX_TEXT;
}

static size_t line_length(struct text text)
{
	const char *lf = memchr(text.at, '\n', text.n);

	return lf ? (size_t)(lf - text.at) + 1 : text.n;
}

/* A line and those that are its continuation (RFC 5322 section 2.2.3). */
static size_t field_length(struct text header)
{
	size_t n = line_length(header);

	while (n < header.n && (header.at[n] == ' ' || header.at[n] == '\t'))
		n += line_length(text_from(header, n));
	return n;
}

/* Takes the name and the colon away from field; none and an empty name when the line is no field.
 */
static struct text take_name(struct text *field)
{
	struct text name = { field->at, 0 };
	size_t n;

	while (name.n < field->n && name.at[name.n] > ' ' && name.at[name.n] < 0x7f &&
		name.at[name.n] != ':')
		name.n++;
	/* Once there could be spaces before the colon (RFC 5322 section 4.5). */
	for (n = name.n; n < field->n && (field->at[n] == ' ' || field->at[n] == '\t'); n++)
		;
	if (name.n && n < field->n && field->at[n] == ':')
		*field = text_from(*field, n + 1);
	else
		name.n = 0;
	return name;
}

/* Appends the value without line ends, a space for each fold. */
static void unfold(struct text value, struct buffer *ret)
{
	while (value.n) {
		size_t n = line_length(value), end = n;

		if (end && value.at[end - 1] == '\n')
			end--;
		if (end && end < n && value.at[end - 1] == '\r')
			end--;
		buffer_append(ret, value.at, end);
		value = text_from(value, n);
		if (value.n) {
			buffer_append(ret, " ", 1);
			value = text_from(value, 1);
		}
	}
}

/* false: it has no form in ASCII. */
static bool write_value(struct header_field *field, enum syntax syntax, struct text value)
{
	switch (syntax) {
	case SYNTAX_STRICT:
		return false;
	case SYNTAX_PARAMETERS:
		return downgrade_parameters(field, value);
	case SYNTAX_ADDRESSES:
	case SYNTAX_PATH:
		downgrade_addresses(field, value, syntax == SYNTAX_PATH);
		return true;
	default:
		field_text(field, value);
		return true;
	}
}

static void downgrade_field(struct text text, struct buffer *out)
{
	struct text name = take_name(&text);
	size_t before = buffer_used(out);
	struct header_field field;
	struct buffer value = { 0 };

	unfold(text, &value);
	field_begin(&field, out, name);
	if (write_value(&field, syntax_of(name),
		    (struct text){ value.data + value.start, buffer_used(&value) }))
		field_end(&field);
	else
		out->end = out->start + before;
	buffer_done(&value);
}

void downgrade_header(struct text header, struct buffer *out)
{
	while (header.n) {
		size_t n = field_length(header);
		struct text field = { header.at, n };

		if (text_is_ascii(field))
			buffer_append(out, field.at, field.n);
		else
			downgrade_field(field, out);
		header = text_from(header, n);
	}
}
