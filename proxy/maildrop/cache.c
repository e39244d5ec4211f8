/* cache - a hash table whose entries are also in a list, the most recently used first. */
#include "proxy/maildrop/cache.h"

#include <assert.h>
#include <string.h>

#define BUCKETS 4096

struct cached {
	struct cached *next_in_bucket;
	struct cached *newer, *older;
	const struct tenant *tenant;
	char *login, *folder;
	struct snapshot *snapshot;
	size_t size; /* with everything */
};

static struct {
	struct cached *buckets[BUCKETS];
	struct cached *newest, *oldest;
	size_t size;
} cache;

static uint64_t hash_text(uint64_t value, const char *text)
{
	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return (value ^ 0xff) * UINT64_C(1099511628211);
}

static struct cached **bucket_of(const struct tenant *tenant, const char *login, const char *folder)
{
	uint64_t value = UINT64_C(14695981039346656037) ^ (uintptr_t)tenant;

	value = hash_text(hash_text(value, login), folder);
	return &cache.buckets[(value ^ value >> 32) % BUCKETS];
}

static struct cached *find(const struct account *account)
{
	struct cached *c = *bucket_of(account->tenant, account->login, account->folder);

	while (c && (c->tenant != account->tenant || strcmp(c->login, account->login) != 0 ||
			    strcmp(c->folder, account->folder) != 0))
		c = c->next_in_bucket;
	return c;
}

static void unlink_from_list(struct cached *c)
{
	*(c->newer ? &c->newer->older : &cache.newest) = c->older;
	*(c->older ? &c->older->newer : &cache.oldest) = c->newer;
}

static void put_first(struct cached *c)
{
	c->newer = NULL;
	c->older = cache.newest;
	*(c->older ? &c->older->newer : &cache.oldest) = c;
	cache.newest = c;
}

static void forget(struct cached *c)
{
	struct cached **at = bucket_of(c->tenant, c->login, c->folder);

	while (*at != c)
		at = &(*at)->next_in_bucket;
	*at = c->next_in_bucket;
	unlink_from_list(c);
	cache.size -= c->size;
	snapshot_unref(c->snapshot);
	free(c->login);
	free(c->folder);
	free(c);
}

struct snapshot *cache_get(const struct account *account)
{
	struct cached *c = find(account);

	if (!c)
		return NULL;
	unlink_from_list(c);
	put_first(c);
	return c->snapshot;
}

static size_t size_of(const struct cached *c)
{
	return sizeof(*c) + strlen(c->login) + strlen(c->folder) + c->snapshot->size;
}

static void make_room(const struct cached *keep)
{
	while (cache.size > CACHE_OCTETS && cache.oldest != keep)
		forget(cache.oldest);
}

void cache_put(const struct account *account, struct snapshot *snapshot)
{
	struct cached *c = find(account), **bucket;

	assert(snapshot->complete);
	if (c && c->snapshot == snapshot)
		return;
	if (c)
		forget(c);
	if (snapshot->size > CACHE_OCTETS)
		return;
	bucket = bucket_of(account->tenant, account->login, account->folder);
	c = mem_zalloc(1, sizeof(*c));
	c->tenant = account->tenant;
	c->login = mem_strdup(account->login);
	c->folder = mem_strdup(account->folder);
	c->snapshot = snapshot_ref(snapshot);
	c->size = size_of(c);
	c->next_in_bucket = *bucket;
	*bucket = c;
	put_first(c);
	cache.size += c->size;
	make_room(c);
}

void cache_drop(const struct account *account)
{
	struct cached *c = find(account);

	if (c)
		forget(c);
}

void cache_weigh(const struct account *account)
{
	struct cached *c = find(account);

	if (!c)
		return;
	cache.size -= c->size;
	c->size = size_of(c);
	cache.size += c->size;
	if (c->size > CACHE_OCTETS)
		forget(c);
	else
		make_room(c);
}

void cache_clear(void)
{
	while (cache.newest)
		forget(cache.newest);
}
