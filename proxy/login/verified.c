#include "proxy/login/verified.h"

#include <stddef.h>
#include <string.h>

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

#define WAYS 4 /* places that one proof may take; the oldest of them gives way */
#define SETS (VERIFIED_PLACES / WAYS)

struct proof {
	unsigned char digest[32]; /* all zero: none */
	uint64_t at;              /* runtime_now of the verification */
};

static struct proof proofs[SETS][WAYS];
static unsigned char key[32];
static bool has_key;

static void make_digest(const char *hash, const struct secret *password, unsigned char ret[32])
{
	struct buffer text = { 0 };
	size_t hash_size = strlen(hash) + 1; /* its NUL parts it from the password */
	unsigned length = 32;

	if (!has_key && RAND_bytes(key, sizeof(key)) != 1)
		fatal("no random octets");
	has_key = true;
	/* Room at once, so that no copy is left behind where it grows. */
	(void)buffer_reserve(&text, hash_size + secret_length(password));
	buffer_append(&text, hash, hash_size);
	buffer_append(&text, secret_data(password), secret_length(password));
	if (!HMAC(EVP_sha256(), key, sizeof(key), (const unsigned char *)buffer_data(&text),
		    buffer_used(&text), ret, &length))
		fatal("HMAC-SHA-256 cannot be computed");
	buffer_wipe(&text);
	buffer_done(&text);
}

static struct proof *set_of(const unsigned char digest[32])
{
	size_t n;

	memcpy(&n, digest, sizeof(n));
	return proofs[n % SETS];
}

static struct proof *find(const unsigned char digest[32])
{
	struct proof *set = set_of(digest);

	for (size_t i = 0; i < WAYS; i++)
		if (CRYPTO_memcmp(set[i].digest, digest, sizeof(set[i].digest)) == 0)
			return &set[i];
	return NULL;
}

bool verified_before(const char *hash, const struct secret *password, uint64_t lifetime)
{
	unsigned char digest[32];
	const struct proof *proof;

	if (lifetime == 0)
		return false;
	make_digest(hash, password, digest);
	proof = find(digest);
	return proof && runtime_now() - proof->at < lifetime;
}

void verified_note(const char *hash, const struct secret *password)
{
	unsigned char digest[32];
	struct proof *proof, *set;

	make_digest(hash, password, digest);
	set = set_of(digest);
	proof = find(digest);
	for (size_t i = 0; !proof && i < WAYS; i++)
		if (set[i].at == 0)
			proof = &set[i];
	if (!proof) {
		proof = &set[0];
		for (size_t i = 1; i < WAYS; i++)
			if (set[i].at < proof->at)
				proof = &set[i];
	}
	memcpy(proof->digest, digest, sizeof(proof->digest));
	proof->at = runtime_now();
}
