#include "proxy/pop3/language.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define SUBTAG_MAX 8

const struct language languages[] = {
	{ "en", "English" },
	/* The texts for who has named no language (RFC 2277 section 4.5). */
	{ "i-default", "Default" },
	{ 0 },
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Subtags of up to eight letters and digits, the first without digits (RFC 4647 section 2.1). */
static bool is_range(const char *range)
{
	size_t length = 0;
	bool first = true;

	for (; *range; range++) {
		if (*range == '-' && length > 0) {
			first = false;
			length = 0;
		} else if (length < SUBTAG_MAX &&
			   (is_letter(*range) || (!first && is_digit(*range)))) {
			length++;
		} else {
			return false;
		}
	}
	return length > 0;
}

/* The length of a range without its last subtag, nor a single letter that would then be the last;
 * 0 when nothing is left. */
static size_t shorter(const char *range, size_t n)
{
	while (n > 0 && range[n - 1] != '-')
		n--;
	n -= n > 0;
	if (n >= 2 && range[n - 2] == '-')
		n -= 2;
	return n;
}

const struct language *language_lookup(const char *range)
{
	if (strcmp(range, "*") == 0)
		return &languages[0];
	if (!is_range(range))
		return NULL;
	for (size_t n = strlen(range); n > 0; n = shorter(range, n))
		for (const struct language *l = languages; l->tag; l++)
			if (strlen(l->tag) == n && strncasecmp(l->tag, range, n) == 0)
				return l;
	return NULL;
}
