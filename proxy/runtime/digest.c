#include "proxy/runtime/digest.h"

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"

static unsigned char key[32];
static bool has_key;

struct digest digest_of(const struct digest_part *parts, size_t n)
{
	struct buffer text = { 0 };
	struct digest digest;
	unsigned length = DIGEST_SIZE;
	size_t size = 0;

	if (!has_key && RAND_bytes(key, sizeof(key)) != 1)
		fatal("no random octets");
	has_key = true;
	for (size_t i = 0; i < n; i++)
		size += sizeof(parts[i].n) + parts[i].n;
	/* Room at once, so that no copy is left behind where it grows. */
	(void)buffer_reserve(&text, size);
	for (size_t i = 0; i < n; i++) {
		buffer_append(&text, &parts[i].n, sizeof(parts[i].n));
		buffer_append(&text, parts[i].data, parts[i].n);
	}
	if (!HMAC(EVP_sha256(), key, sizeof(key), (const unsigned char *)buffer_data(&text),
		    buffer_used(&text), digest.octets, &length))
		fatal("HMAC-SHA-256 cannot be computed");
	buffer_wipe(&text);
	buffer_done(&text);
	return digest;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return CRYPTO_memcmp(a->octets, b->octets, DIGEST_SIZE) == 0;
}
