#include "backends/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buffer *ret, const char *data, size_t n)
{
	char *to = buffer_reserve(ret, base64_size(n));
	char *start = to;

	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t group = (uint32_t)(unsigned char)data[i] << 16;

		if (have > 1)
			group |= (uint32_t)(unsigned char)data[i + 1] << 8;
		if (have > 2)
			group |= (unsigned char)data[i + 2];
		for (size_t j = 0; j < 4; j++)
			*to++ = j <= have ? digits[group >> (18 - 6 * j) & 63] : '=';
	}
	ret->end += (size_t)(to - start);
}

/* Four digits, the last two of which may be padding. */
static bool decode_group(const char text[4], size_t padding, struct buffer *ret)
{
	uint32_t group = 0;
	char octets[3];

	for (size_t i = 0; i < 4; i++) {
		const char *found = i < 4 - padding ? strchr(digits, text[i]) : digits;

		if (!found || text[i] == '\0')
			return false;
		group = group << 6 | (uint32_t)(found - digits);
	}
	for (size_t i = 0; i < 3; i++)
		octets[i] = (char)(group >> (16 - 8 * i) & 0xff);
	buffer_append(ret, octets, 3 - padding);
	return (group & ((1U << (8 * padding)) - 1)) == 0;
}

bool base64_decode(struct buffer *ret, const char *text)
{
	size_t n = strlen(text), padding = 0;

	if (n % 4 != 0)
		return false;
	while (padding < 2 && n > 0 && text[n - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < n; i += 4)
		if (!decode_group(text + i, i + 4 == n ? padding : 0, ret))
			return false;
	return true;
}
