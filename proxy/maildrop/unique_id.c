/* unique_id - see the header. */
#include "proxy/maildrop/unique_id.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "proxy/runtime/mem.h"

#define FIRST_OCTET 0x2e
#define LAST_OCTET  0x7e
#define ESCAPE      '~'
#define SEPARATOR   '/'
/* Behind the escape, where a name has a hex digit and a hash the escape again. */
#define ADOPTED_MARK '.'

static const char hex_digits[] = "0123456789ABCDEF";

static void print_decimal(struct unique_id *ret, unsigned __int128 value)
{
	char digits[40]; /* of 2^128 - 1 and a NUL */
	char *p = digits + sizeof(digits);

	*--p = '\0';
	do {
		*--p = (char)('0' + (int)(value % 10));
		value /= 10;
	} while (value);
	memcpy(ret->text, p, (size_t)(digits + sizeof(digits) - p));
}

uint32_t unique_id_folder_hash(const char *folder)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	uint32_t hash;

	SHA256((const unsigned char *)folder, strlen(folder), digest);
	hash = (uint32_t)(digest[0] & 0x7f) << 24 | (uint32_t)digest[1] << 16 |
	       (uint32_t)digest[2] << 8 | digest[3];
	return hash ? hash : 1;
}

void unique_id_imap(struct unique_id *ret, uint32_t folder_hash, uint32_t uidvalidity, uint32_t uid)
{
	unsigned __int128 value = (unsigned __int128)uidvalidity << 32 | uid;

	if (folder_hash != UNIQUE_ID_MAIN_FOLDER)
		value |= ((unsigned __int128)folder_hash + 1) << 64;
	print_decimal(ret, value);
}

void unique_id_number(struct unique_id *ret, uint64_t number)
{
	print_decimal(ret, number);
}

void unique_id_given(struct unique_id *ret, uint64_t number)
{
	print_decimal(ret, ((unsigned __int128)1 << 64) + number);
}

static bool is_legal(unsigned char c)
{
	return c >= FIRST_OCTET && c <= LAST_OCTET;
}

/* Appends text at *length, what is illegal, the escape and `also` encoded; false when it does not
 * fit. */
static bool append_encoded(struct unique_id *ret, size_t *length, const char *text, char also)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = is_legal(c) && c != ESCAPE && c != (unsigned char)also;

		if (*length + (plain ? 1 : 3) > UNIQUE_ID_MAX)
			return false;
		if (plain) {
			ret->text[(*length)++] = (char)c;
			continue;
		}
		ret->text[(*length)++] = ESCAPE;
		ret->text[(*length)++] = hex_digits[c >> 4];
		ret->text[(*length)++] = hex_digits[c & 15];
	}
	ret->text[*length] = '\0';
	return true;
}

static bool encode_name(struct unique_id *ret, const char *folder, const char *name)
{
	size_t length = 0;

	if (folder) {
		if (!append_encoded(ret, &length, folder, SEPARATOR) || length == UNIQUE_ID_MAX)
			return false;
		ret->text[length++] = SEPARATOR;
	}
	return append_encoded(ret, &length, name, SEPARATOR) && length;
}

/* An encoded form never holds two escapes in a row, so "~~" tells the hashes apart. The NUL between
 * folder and name, which neither holds, keeps the parts apart. */
static void hash_name(struct unique_id *ret, const char *folder, const char *name)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct buffer input = { 0 };
	size_t length = 0;

	if (folder)
		buffer_append(&input, folder, strlen(folder) + 1);
	buffer_append(&input, name, strlen(name));
	SHA256((const unsigned char *)buffer_data(&input), buffer_used(&input), digest);
	buffer_done(&input);
	ret->text[length++] = ESCAPE;
	ret->text[length++] = ESCAPE;
	for (size_t i = 0; i < sizeof(digest); i++) {
		ret->text[length++] = hex_digits[digest[i] >> 4];
		ret->text[length++] = hex_digits[digest[i] & 15];
	}
	ret->text[length] = '\0';
}

void unique_id_name(struct unique_id *ret, const char *folder, const char *name)
{
	if (!encode_name(ret, folder, name))
		hash_name(ret, folder, name);
}

bool unique_id_sendable(const char *text)
{
	size_t n = 0;

	for (; is_legal((unsigned char)text[n]); n++)
		if (n == UNIQUE_ID_MAX)
			return false;
	return n > 0 && text[n] == '\0';
}

void unique_id_adopted(struct unique_id *ret, const char *text)
{
	size_t length = 0;

	if (unique_id_sendable(text) && *text != ESCAPE) {
		memcpy(ret->text, text, strlen(text) + 1);
		return;
	}
	ret->text[length++] = ESCAPE;
	ret->text[length++] = ADOPTED_MARK;
	if (!append_encoded(ret, &length, text, ESCAPE))
		hash_name(ret, NULL, text);
}

bool unique_id_encoded(const char *text)
{
	return *text == ESCAPE;
}

bool unique_id_template(struct unique_id *ret, const char *format, const struct uidl_values *values)
{
	struct buffer text = { 0 };
	bool filled = uidl_format_fill(format, values, &text);

	buffer_append(&text, "", 1);
	if (filled)
		unique_id_adopted(ret, buffer_data(&text));
	buffer_done(&text);
	return filled;
}
