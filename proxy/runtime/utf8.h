/*
 * utf8 - one character of UTF-8 at a time (RFC 3629: no overlong forms, no surrogates, no more than
 * U+10FFFF).
 */
#ifndef POPGATE_RUNTIME_UTF8_H
#define POPGATE_RUNTIME_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many octets the character at the start of text[0..n) takes; 0 when n is 0 or there is no
 * valid character. */
static inline size_t utf8_decode(const char *text, size_t n, uint32_t *ret)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t length;
	uint32_t c;

	if (n == 0)
		return 0;
	if (s[0] < 0x80) {
		*ret = s[0];
		return 1;
	}
	length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n < length)
		return 0;
	c = s[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	if ((length == 3 && c < 0x800) || (length == 4 && (c < 0x10000 || c > 0x10ffff)) ||
		(c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return length;
}

/* Whether all n octets are UTF-8. */
static inline bool utf8_valid(const char *text, size_t n)
{
	uint32_t c;

	while (n > 0) {
		size_t length = utf8_decode(text, n, &c);

		if (length == 0)
			return false;
		text += length;
		n -= length;
	}
	return true;
}

#endif
