#include "backends/maildir/size_cache.h"

#include <string.h>

#include "backends/maildir/hash.h"
#include "proxy/runtime/mem.h"

struct entry {
	struct size_key key;
	uint64_t octets;
};

/* The most recently used first; a key of inode 0 is no file. */
struct set {
	struct entry entries[SIZE_CACHE_WAYS];
};

/* Taken with the first message that had to be read; pages never touched cost nothing. */
static struct set *sets;

struct size_key size_key_of(const struct stat *st, const char *base)
{
	return (struct size_key){
		.name = hash_add(
			hash_add(FNV_OFFSET, &st->st_dev, sizeof st->st_dev), base, strlen(base)),
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	};
}

bool size_key_equal(const struct size_key *a, const struct size_key *b)
{
	return a->name == b->name && a->inode == b->inode && a->size == b->size &&
	       a->mtime == b->mtime;
}

static struct set *set_of(const struct size_key *key)
{
	return &sets[hash_add(key->name, &key->inode, sizeof key->inode) % SIZE_CACHE_SETS];
}

/* Moves entry i to the front, the others back by one. */
static void promote(struct set *set, size_t i)
{
	struct entry entry = set->entries[i];

	memmove(set->entries + 1, set->entries, i * sizeof entry);
	set->entries[0] = entry;
}

bool size_cache_get(const struct size_key *key, uint64_t *ret)
{
	struct set *set;

	if (!sets)
		return false;
	set = set_of(key);
	for (size_t i = 0; i < SIZE_CACHE_WAYS; i++) {
		if (set->entries[i].key.inode && size_key_equal(&set->entries[i].key, key)) {
			promote(set, i);
			*ret = set->entries[0].octets;
			return true;
		}
	}
	return false;
}

void size_cache_put(const struct size_key *key, uint64_t octets)
{
	struct set *set;

	if (!sets)
		sets = mem_zalloc(SIZE_CACHE_SETS, sizeof *sets);
	set = set_of(key);
	promote(set, SIZE_CACHE_WAYS - 1);
	set->entries[0] = (struct entry){ .key = *key, .octets = octets };
}
