#include "proxy/login/scram_lookup.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "proxy/login/users.h"
#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"

#define KEY_ENTRIES 2 /* so that no single user can compute the key */

static bool takes_scram(const struct tenant *tenant)
{
	return (tenant->auth.mechanisms & MECH_SCRAM_SHA_256) && *tenant->auth.users_file;
}

/* The file whose keys those of an unknown tenant are to look like. */
static const char *any_users_file(const struct config *config)
{
	for (size_t i = 0; i < config->n_tenants; i++)
		if (takes_scram(&config->tenants[i]))
			return config->tenants[i].auth.users_file;
	return NULL;
}

/* 64 octets under the file's key. what: so that two uses differ. */
static void keyed_hash(const struct users *users, const char *what, const char *login,
	unsigned char ret[EVP_MAX_MD_SIZE])
{
	cleanup(buffer_wipe) struct buffer key = { 0 }, text = { 0 };
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
	size_t n = users && users->n < KEY_ENTRIES ? users->n : KEY_ENTRIES;
	unsigned int length;

	buffer_append(&key, "", 1);
	for (size_t i = 0; users && i < n; i++)
		buffer_printf(&key, "%s\n", users->entries[i].hash);
	buffer_printf(&text, "%s:", what);
	/* Where the login is folded to lower case, its other spellings are the same login. */
	for (const char *p = login; *p; p++)
		buffer_append(&text, *p >= 'A' && *p <= 'Z' ? &lower[*p - 'A'] : p, 1);
	if (!HMAC(EVP_sha512(), key.data + key.start, (int)buffer_used(&key),
		    (unsigned char *)text.data + text.start, buffer_used(&text), ret, &length))
		fatal("SHA-512 failed");
}

/* As long a salt and as many iterations as the file's others have. */
static void fake(const struct users *users, const char *login, struct scram_keys *ret)
{
	const char *typical = users ? users_typical_scram(users) : NULL;
	unsigned char hash[EVP_MAX_MD_SIZE];

	if (!typical || scram_parse(typical + strlen(SCRAM_SCHEME), ret) != NULL) {
		ret->iterations = SCRAM_ITERATIONS;
		ret->salt_length = SCRAM_SALT_NEW;
	}
	_Static_assert(SCRAM_SALT_MAX <= EVP_MAX_MD_SIZE, "a hash fills the longest salt");
	keyed_hash(users, "salt", login, hash);
	memcpy(ret->salt, hash, ret->salt_length);
	keyed_hash(users, "keys", login, hash);
	memcpy(ret->stored_key, hash, SCRAM_KEY);
	memcpy(ret->server_key, hash + SCRAM_KEY, SCRAM_KEY);
}

fiber_fn struct err scram_lookup(const struct config *config, const struct route_query *query,
	struct scram_keys *ret, bool *known)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	const struct account *account = route(config, query, arena, NULL, NULL);
	bool served = account && takes_scram(account->tenant);
	const char *path = served ? account->tenant->auth.users_file : any_users_file(config);
	const struct users_entry *entry = NULL;
	const struct users *users = NULL;
	struct err e;

	if (path && failed(e = users_cached(path, &users)))
		return e;
	if (served)
		entry = users_find(users, account->login);
	*known = entry && scram_is(entry->hash) &&
		 scram_parse(entry->hash + strlen(SCRAM_SCHEME), ret) == NULL;
	if (!*known)
		fake(users, account ? account->login : query->login, ret);
	return ok();
}
