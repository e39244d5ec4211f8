#include "proxy/login/ntlm_message.h"

#include <stdint.h>
#include <string.h>

#include "proxy/runtime/mem.h"

#define HEADER            64 /* of an AUTHENTICATE message, with its NegotiateFlags */
#define NT_RESPONSE       20 /* places in it */
#define USER_NAME         36
#define FLAGS             60
#define NEGOTIATE_UNICODE 0x1U
#define NEGOTIATE_VERSION 0x02000000U
#define OLD_RESPONSE      24 /* octets of an NTLM or LM response */
#define NAME_MAX_UNITS    256

struct span {
	const unsigned char *data;
	size_t n;
};

static uint32_t number(const unsigned char *data, size_t octets)
{
	uint32_t value = 0;

	while (octets-- > 0)
		value = value << 8 | data[octets];
	return value;
}

bool ntlm_is(const void *message, size_t n, enum ntlm_type type)
{
	const unsigned char *data = message;

	/* The terminating NUL belongs to it. */
	return n >= 12 && memcmp(data, "NTLMSSP", 8) == 0 && number(data + 8, 4) == (uint32_t)type;
}

bool ntlm_has_version(const void *negotiate, size_t n)
{
	const unsigned char *data = negotiate;

	return n >= 16 && (number(data + 12, 4) & NEGOTIATE_VERSION);
}

/* A field: its length, room and place in the message. */
static bool field(struct span message, size_t at, struct span *ret)
{
	size_t length = number(message.data + at, 2), offset = number(message.data + at + 4, 4);

	if (offset > message.n || length > message.n - offset)
		return false;
	*ret = (struct span){ message.data + offset, length };
	return true;
}

static void put_utf8(struct buffer *out, uint32_t c)
{
	static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	char text[4];

	for (size_t i = n; i-- > 1; c >>= 6)
		text[i] = (char)(0x80 | (c & 0x3f));
	text[0] = (char)(leads[n] | c);
	buffer_append(out, text, n);
}

/* One character of UTF-16; false: half of a surrogate pair. */
static bool take_utf16(struct span *text, uint32_t *ret)
{
	uint32_t c = number(text->data, 2), low;

	*text = (struct span){ text->data + 2, text->n - 2 };
	*ret = c;
	if (c < 0xd800 || c > 0xdfff)
		return true;
	if (c > 0xdbff || text->n < 2)
		return false;
	low = number(text->data, 2);
	*text = (struct span){ text->data + 2, text->n - 2 };
	*ret = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	return low >= 0xdc00 && low <= 0xdfff;
}

/* As UTF-8 with a NUL, or false. Without Unicode only ASCII is known for what it is. */
static bool decode(struct span text, bool unicode, struct buffer *out)
{
	if (text.n == 0 || text.n > (unicode ? 2 : 1) * NAME_MAX_UNITS || (unicode && text.n % 2))
		return false;
	while (text.n > 0) {
		uint32_t c = text.data[0];

		if (unicode && !take_utf16(&text, &c))
			return false;
		if (!unicode)
			text = (struct span){ text.data + 1, text.n - 1 };
		if (c < 0x20 || c == 0x7f || (!unicode && c > 0x7e))
			return false;
		put_utf8(out, c);
	}
	buffer_append(out, "", 1);
	return true;
}

struct err ntlm_read_authenticate(const void *data, size_t n, struct ntlm_claim *ret)
{
	struct span message = { data, n }, user, response;
	cleanup(buffer_done) struct buffer name = { 0 };
	bool unicode;

	if (!ntlm_is(data, n, NTLM_AUTHENTICATE) || n < HEADER ||
		!field(message, NT_RESPONSE, &response) || !field(message, USER_NAME, &user))
		return err_make(ERR_INVALID, "NTLM: not an AUTHENTICATE message");
	unicode = number(message.data + FLAGS, 4) & NEGOTIATE_UNICODE;
	if (!decode(user, unicode, &name))
		return err_make(ERR_INVALID, "NTLM: the user name is empty, too long or no text");
	ret->user = mem_strdup(name.data + name.start);
	ret->v2 = response.n > OLD_RESPONSE;
	return ok();
}
