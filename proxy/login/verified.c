#include "proxy/login/verified.h"

#include <stddef.h>
#include <string.h>

#include "proxy/runtime/digest.h"
#include "proxy/runtime/wait.h"

#define WAYS 4 /* places that one proof may take; the oldest of them gives way */
#define SETS (VERIFIED_PLACES / WAYS)

struct proof {
	struct digest digest; /* all zero: none */
	uint64_t at;          /* runtime_now of the verification */
};

static struct proof proofs[SETS][WAYS];

static struct digest digest_both(const char *hash, const struct secret *password)
{
	const struct digest_part parts[] = {
		{ hash, strlen(hash) },
		{ secret_data(password), secret_length(password) },
	};

	return digest_of(parts, 2);
}

static struct proof *set_of(const struct digest *digest)
{
	size_t n;

	memcpy(&n, digest->octets, sizeof(n));
	return proofs[n % SETS];
}

static struct proof *find(const struct digest *digest)
{
	struct proof *set = set_of(digest);

	for (size_t i = 0; i < WAYS; i++)
		if (digest_equal(&set[i].digest, digest))
			return &set[i];
	return NULL;
}

bool verified_before(const char *hash, const struct secret *password, uint64_t lifetime)
{
	struct digest digest;
	const struct proof *proof;

	if (lifetime == 0)
		return false;
	digest = digest_both(hash, password);
	proof = find(&digest);
	return proof && runtime_now() - proof->at < lifetime;
}

void verified_note(const char *hash, const struct secret *password)
{
	struct digest digest = digest_both(hash, password);
	struct proof *set = set_of(&digest), *proof = find(&digest);

	for (size_t i = 0; !proof && i < WAYS; i++)
		if (set[i].at == 0)
			proof = &set[i];
	if (!proof) {
		proof = &set[0];
		for (size_t i = 1; i < WAYS; i++)
			if (set[i].at < proof->at)
				proof = &set[i];
	}
	proof->digest = digest;
	proof->at = runtime_now();
}
