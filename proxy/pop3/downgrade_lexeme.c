#include <string.h>

#include "proxy/pop3/downgrade_value.h"

/* From an opening character to its end; depth: comments nest. */
static size_t enclosed_length(struct text text, char open, char close)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.at[i] == '\\')
			i++;
		else if (text.at[i] == close && depth > 0 && --depth == 0)
			return i + 1;
		else if (text.at[i] == open && (depth == 0 || open == '('))
			depth++;
	}
	return text.n;
}

size_t lexeme_length(struct text text)
{
	switch (*text.at) {
	case '"':
		return enclosed_length(text, '"', '"');
	case '(':
		return enclosed_length(text, '(', ')');
	case '[':
		return enclosed_length(text, '[', ']');
	default:
		return 1;
	}
}

size_t lexemes_before(struct text text, const char *stops)
{
	size_t n = 0;

	while (n < text.n && (text.at[n] == '\0' || !strchr(stops, text.at[n])))
		n += lexeme_length(text_from(text, n));
	return n;
}

void unquote(struct text text, struct buffer *out)
{
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		if (text.at[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && text.at[i] == '\\' && i + 1 < text.n)
			i++;
		buffer_append(out, text.at + i, 1);
	}
}
