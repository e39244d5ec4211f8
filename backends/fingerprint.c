#include "backends/fingerprint.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "proxy/runtime/fatal.h"

/* Octets of the header block: a line, or a value with its line ends and folding. */
struct span {
	const char *p, *end;
};

enum { MESSAGE_ID, DATE, FROM, SUBJECT, FIELDS };

static const char *const names[FIELDS] = { "message-id", "date", "from", "subject" };

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next line of rest, without its line end. */
static struct span next_line(struct span *rest)
{
	const char *lf = memchr(rest->p, '\n', (size_t)(rest->end - rest->p));
	struct span line = { rest->p, lf ? lf : rest->end };

	rest->p = lf ? lf + 1 : rest->end;
	while (line.end > line.p && line.end[-1] == '\r')
		line.end--;
	return line;
}

/* Which field a line begins; FIELDS: none that counts. */
static size_t field_of(struct span line, const char *colon)
{
	size_t n = (size_t)(colon - line.p), field = 0;

	while (n > 0 && is_space(line.p[n - 1]))
		n--;
	while (field < FIELDS &&
		(strlen(names[field]) != n || strncasecmp(names[field], line.p, n) != 0))
		field++;
	return field;
}

static bool is_blank(struct span value)
{
	while (value.p < value.end && is_space(*value.p))
		value.p++;
	return value.p == value.end;
}

/* The first value of each field that says something. */
static void find_values(struct span rest, struct span values[static FIELDS])
{
	while (rest.p < rest.end) {
		struct span line = next_line(&rest);
		const char *colon;
		size_t field = FIELDS;

		if (line.p == line.end)
			return;
		colon = memchr(line.p, ':', (size_t)(line.end - line.p));
		if (colon && !is_space(*line.p))
			field = field_of(line, colon);
		while (rest.p < rest.end && (*rest.p == ' ' || *rest.p == '\t'))
			line.end = next_line(&rest).end;
		if (field < FIELDS && is_blank(values[field]))
			values[field] = (struct span){ colon + 1, line.end };
	}
}

static void add(EVP_MD_CTX *hash, const void *data, size_t n)
{
	if (EVP_DigestUpdate(hash, data, n) != 1)
		fatal("SHA-256 fails");
}

/* Its words with one space between them, behind the field's name. */
static void add_value(EVP_MD_CTX *hash, size_t field, struct span value)
{
	const char *start;

	add(hash, names[field], strlen(names[field]) + 1);
	while (value.p < value.end) {
		while (value.p < value.end && is_space(*value.p))
			value.p++;
		start = value.p;
		while (value.p < value.end && !is_space(*value.p))
			value.p++;
		if (value.p == start)
			break;
		add(hash, start, (size_t)(value.p - start));
		add(hash, " ", 1);
	}
	add(hash, "\n", 1);
}

static uint64_t finish(EVP_MD_CTX *hash)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	uint64_t number = 0;

	if (EVP_DigestFinal_ex(hash, digest, NULL) != 1)
		fatal("SHA-256 fails");
	for (size_t i = 0; i < sizeof(number); i++)
		number = number << 8 | digest[i];
	number &= INT64_MAX;
	return number ? number : 1;
}

uint64_t fingerprint_of_headers(const char *headers, size_t n)
{
	struct span values[FIELDS] = { 0 };
	EVP_MD_CTX *hash;
	uint64_t number;
	size_t first, last;

	if (n == 0)
		return 0;
	find_values((struct span){ headers, headers + n }, values);
	first = is_blank(values[MESSAGE_ID]) ? DATE : MESSAGE_ID;
	last = first == MESSAGE_ID ? MESSAGE_ID : SUBJECT;
	if (first == DATE && is_blank(values[DATE]) && is_blank(values[FROM]) &&
		is_blank(values[SUBJECT]))
		return 0;
	hash = EVP_MD_CTX_new();
	if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
		fatal("SHA-256 cannot be had");
	for (size_t field = first; field <= last; field++)
		add_value(hash, field, values[field]);
	number = finish(hash);
	EVP_MD_CTX_free(hash);
	return number;
}
