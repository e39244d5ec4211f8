#include "proxy/service/last_login.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "proxy/runtime/keyed_hash.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/shared.h"

#define BUCKETS     8192
#define BUCKET_SIZE 8
#define TICK        100 /* ms */

/* One entry is one word: half of the hash, and the tick of the login, which wraps after 13 years.
 * 0: never used. */
typedef _Atomic uint64_t entry;
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "entries are lock-free");

static struct {
	entry entries[BUCKETS][BUCKET_SIZE];
	struct hash_key key;
} * shared;

static uint64_t clock_offset; /* ms; tests only */

void last_login_clock_advance(uint64_t milliseconds)
{
	clock_offset += milliseconds;
}

/* The same in all processes of a machine. */
static uint32_t now_ticks(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 +
				  clock_offset) /
			  TICK);
}

/* Ticks since that of the entry; 0 also where another process's clock was read a bit later. */
static uint32_t age(uint64_t value, uint32_t now)
{
	uint32_t ticks = now - (uint32_t)value;

	return ticks <= INT32_MAX ? ticks : 0;
}

void last_login_map(void)
{
	shared = shared_map(sizeof(*shared));
	shared->key = hash_key_new();
}

/* The NUL, which neither part holds, keeps them apart. */
static uint64_t hash_of(const char *tenant, const char *login)
{
	cleanup(buffer_done) struct buffer name = { 0 };

	assert(shared);
	buffer_append(&name, tenant, strlen(tenant) + 1);
	buffer_append(&name, login, strlen(login));
	return keyed_hash(&shared->key, buffer_data(&name), buffer_used(&name));
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1; /* so that no entry in use is 0 */
}

/* The user's entry in its bucket, or NULL. */
static entry *find(uint64_t hash, uint64_t *ret)
{
	entry *bucket = shared->entries[hash % BUCKETS];

	for (entry *e = bucket; e < bucket + BUCKET_SIZE; e++) {
		*ret = atomic_load_explicit(e, memory_order_relaxed);
		if (*ret >> 32 == tag_of(hash))
			return e;
	}
	return NULL;
}

/* A free entry, else the oldest. */
static entry *find_place(uint64_t hash, uint32_t now, uint64_t *ret)
{
	entry *bucket = shared->entries[hash % BUCKETS], *best = NULL;
	uint64_t best_age = 0;

	for (entry *e = bucket; e < bucket + BUCKET_SIZE; e++) {
		uint64_t value = atomic_load_explicit(e, memory_order_relaxed);
		uint64_t its_age = value ? age(value, now) : UINT64_MAX;

		if (best && its_age <= best_age)
			continue;
		best = e;
		best_age = its_age;
		*ret = value;
	}
	return best;
}

uint64_t last_login_left(const char *tenant, const char *login, uint64_t delay)
{
	uint64_t value, passed;

	delay -= delay % TICK;
	if (delay == 0 || !find(hash_of(tenant, login), &value))
		return 0;
	passed = (uint64_t)age(value, now_ticks()) * TICK;
	return passed < delay ? delay - passed : 0;
}

void last_login_note(const char *tenant, const char *login)
{
	uint64_t hash = hash_of(tenant, login), value;
	uint32_t now = now_ticks();
	entry *e;

	do {
		e = find(hash, &value);
		if (!e)
			e = find_place(hash, now, &value);
	} while (!atomic_compare_exchange_weak(e, &value, (uint64_t)tag_of(hash) << 32 | now));
}
