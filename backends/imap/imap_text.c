#include "backends/imap/imap_text.h"

#include <string.h>
#include <strings.h>

struct imap_text imap_text_of_line(const char *line, size_t n)
{
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	return (struct imap_text){ line, line + n };
}

bool imap_text_skip(struct imap_text *text, char c)
{
	if (text->p == text->end || *text->p != c)
		return false;
	text->p++;
	return true;
}

bool imap_text_skip_word(struct imap_text *text, const char *word)
{
	size_t n;

	/* Most words are told apart by their first octet; letters differ by one bit in case. */
	if (text->p == text->end || ((*text->p ^ *word) & ~0x20) != 0)
		return false;
	n = strlen(word);
	if ((size_t)(text->end - text->p) < n || strncasecmp(text->p, word, n) != 0)
		return false;
	text->p += n;
	return true;
}

bool imap_text_skip_quoted(struct imap_text *text)
{
	if (!imap_text_skip(text, '"'))
		return false;
	while (text->p < text->end && *text->p != '"')
		text->p += *text->p == '\\' && text->p + 1 < text->end ? 2 : 1;
	return imap_text_skip(text, '"');
}

size_t imap_text_skip_atom(struct imap_text *text)
{
	const char *start = text->p;

	while (text->p < text->end && !strchr(" ()\"{", *text->p))
		text->p++;
	return (size_t)(text->p - start);
}

bool imap_text_number(struct imap_text *text, uint64_t max, uint64_t *ret)
{
	const char *start = text->p;
	uint64_t n = 0;

	for (; text->p < text->end && *text->p >= '0' && *text->p <= '9'; text->p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(*text->p - '0'), &n) || n > max)
			return false;
	*ret = n;
	return text->p > start;
}
