#include "backends/imap/imap_base64.h"

#include <stdint.h>

static char digit(uint32_t value, enum imap_base64_form form)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (value == 63 && form == IMAP_BASE64_MAILBOX)
		return ',';
	return digits[value];
}

void imap_base64(struct buffer *ret, const char *data, size_t n, enum imap_base64_form form)
{
	char *to = buffer_reserve(ret, imap_base64_size(n));
	char *start = to;

	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t group = (uint32_t)(unsigned char)data[i] << 16;

		if (have > 1)
			group |= (uint32_t)(unsigned char)data[i + 1] << 8;
		if (have > 2)
			group |= (unsigned char)data[i + 2];
		for (size_t j = 0; j < 4; j++) {
			if (j <= have)
				*to++ = digit(group >> (18 - 6 * j) & 63, form);
			else if (form == IMAP_BASE64_SASL)
				*to++ = '=';
		}
	}
	ret->end += (size_t)(to - start);
}
