#include "proxy/login/scram.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "proxy/login/saslprep.h"
#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"

#define ITERATIONS_MIN 4096     /* RFC 7677 section 4 */
#define ITERATIONS_MAX 10000000 /* about 3 s */
#define SALT_MIN       8

static const char malformed[] = "the SCRAM keys are malformed";

/* Octets of base64 for n octets, with its NUL. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

bool scram_is(const char *text)
{
	return strncasecmp(text, SCRAM_SCHEME, strlen(SCRAM_SCHEME)) == 0;
}

static void encode(const unsigned char *data, size_t n, char *ret)
{
	(void)EVP_EncodeBlock((unsigned char *)ret, data, (int)n);
}

/* The base64 text up to `end`, behind which *p moves; 0 when it is none or has not min to max
 * octets. */
static size_t take(const char **p, char end, size_t min, size_t max, unsigned char *ret)
{
	unsigned char data[BASE64_SIZE(SCRAM_SALT_MAX)];
	char again[sizeof(data)];
	const char *stop = strchr(*p, end);
	size_t length = stop ? (size_t)(stop - *p) : 0, n;
	int decoded;

	if (length == 0 || length % 4 != 0 || length >= sizeof(data))
		return 0;
	decoded = EVP_DecodeBlock(data, (const unsigned char *)*p, (int)length);
	n = decoded < 0
		    ? 0
		    : (size_t)decoded - (stop[-1] == '=') - (stop[-1] == '=' && stop[-2] == '=');
	if (n < min || n > max)
		return 0;
	/* OpenSSL skips blanks and ignores spare bits */
	encode(data, n, again);
	if (strlen(again) != length || memcmp(again, *p, length) != 0)
		return 0;
	memcpy(ret, data, n);
	*p = stop + (end != '\0');
	return n;
}

const char *scram_parse(const char *p, struct scram_keys *ret)
{
	size_t digits = strspn(p, "0123456789");

	if (digits == 0 || digits > 9 || p[0] == '0' || p[digits] != ',')
		return malformed;
	ret->iterations = (uint32_t)strtoul(p, NULL, 10);
	p += digits + 1;
	ret->salt_length = take(&p, ',', SALT_MIN, SCRAM_SALT_MAX, ret->salt);
	if (ret->salt_length == 0 || take(&p, ',', SCRAM_KEY, SCRAM_KEY, ret->stored_key) == 0 ||
		take(&p, '\0', SCRAM_KEY, SCRAM_KEY, ret->server_key) == 0)
		return malformed;
	if (ret->iterations < ITERATIONS_MIN)
		return "SCRAM keys of fewer than 4096 iterations";
	return ret->iterations > ITERATIONS_MAX ? "SCRAM keys of more than 10000000 iterations"
						: NULL;
}

/* Allocation apart, none of these can fail. */
static void must(bool done)
{
	if (!done)
		fatal("SHA-256 failed");
}

bool scram_derive(const char *password, struct scram_keys *keys)
{
	cleanup(secret_cleanup) struct secret *prepared = NULL;
	bool good = saslprep(password, &prepared) && secret_length(prepared) > 0;
	const char *text = good ? secret_data(prepared) : "";
	unsigned char salted[SCRAM_KEY], client_key[SCRAM_KEY];
	unsigned int n = 0;

	must(PKCS5_PBKDF2_HMAC(text, (int)strlen(text), keys->salt, (int)keys->salt_length,
		     (int)keys->iterations, EVP_sha256(), SCRAM_KEY, salted) == 1);
	must(HMAC(EVP_sha256(), salted, SCRAM_KEY, (const unsigned char *)"Client Key", 10,
		     client_key, &n) != NULL);
	must(HMAC(EVP_sha256(), salted, SCRAM_KEY, (const unsigned char *)"Server Key", 10,
		     keys->server_key, &n) != NULL);
	must(EVP_Digest(client_key, SCRAM_KEY, keys->stored_key, &n, EVP_sha256(), NULL) == 1);
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client_key, sizeof(client_key));
	if (!good)
		memset(keys->stored_key, 0, SCRAM_KEY);
	return good;
}

struct err scram_make(const char *password, char *ret, size_t n)
{
	struct scram_keys keys = { .iterations = SCRAM_ITERATIONS, .salt_length = SCRAM_SALT_NEW };
	char salt[BASE64_SIZE(SCRAM_SALT_NEW)];
	char stored[BASE64_SIZE(SCRAM_KEY)], server[BASE64_SIZE(SCRAM_KEY)];

	if (RAND_bytes(keys.salt, SCRAM_SALT_NEW) != 1)
		return err_make(ERR_TEMP, "no random octets for a salt");
	if (!scram_derive(password, &keys))
		return err_make(ERR_INVALID,
			"a password for SCRAM is UTF-8 text without control characters");
	encode(keys.salt, keys.salt_length, salt);
	encode(keys.stored_key, SCRAM_KEY, stored);
	encode(keys.server_key, SCRAM_KEY, server);
	(void)snprintf(
		ret, n, "%s%u,%s,%s,%s", SCRAM_SCHEME, SCRAM_ITERATIONS, salt, stored, server);
	explicit_bzero(&keys, sizeof(keys));
	return ok();
}
