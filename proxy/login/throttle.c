#include "proxy/login/throttle.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "proxy/runtime/keyed_hash.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/shared.h"

#define WINDOW      600 /* seconds */
#define SKEW        2   /* how much later than ours another process's clock may have been read */
#define BUCKETS     2048
#define BUCKET_SIZE 8

/*
 * One entry is one word, so that a worker may die at any instruction and no update is ever half
 * done: a tag of 24 bits (part of the keyed hash), the second in which its window of ten minutes
 * began (24 bits, 194 days), and how often it failed since (16 bits). 0: never used. Two names of
 * one bucket share a tag once in 16 million: then they share their delays.
 */
typedef _Atomic uint64_t entry;
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "entries are lock-free");

#define TAG_BITS   24
#define TIME_BITS  24
#define COUNT_BITS 16
#define COUNT_MAX  ((1U << COUNT_BITS) - 1)
#define TIME_MASK  ((1U << TIME_BITS) - 1)

struct table {
	entry entries[BUCKETS][BUCKET_SIZE];
};

static struct {
	struct table addresses, logins;
	struct hash_key key;
} * shared;

static uint64_t clock_offset; /* milliseconds; tests only */

struct name {
	entry *bucket;
	uint32_t tag;
};

static uint64_t entry_make(uint32_t tag, uint32_t began, uint32_t count)
{
	return (uint64_t)tag << (TIME_BITS + COUNT_BITS) | (uint64_t)began << COUNT_BITS | count;
}

static uint32_t entry_tag(uint64_t value)
{
	return (uint32_t)(value >> (TIME_BITS + COUNT_BITS));
}

static uint32_t entry_count(uint64_t value)
{
	return (uint32_t)(value & COUNT_MAX);
}

/* Seconds since shortly before the window began, modulo 194 days. */
static uint32_t entry_age(uint64_t value, uint32_t now)
{
	return (now + SKEW - (uint32_t)(value >> COUNT_BITS)) & TIME_MASK;
}

static bool entry_live(uint64_t value, uint32_t now)
{
	return entry_count(value) > 0 && entry_age(value, now) < WINDOW + SKEW;
}

/* The same in all processes of a machine, unlike the time of a loop's turn. */
static uint32_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)((uint64_t)now.tv_sec + clock_offset / 1000) & TIME_MASK;
}

void throttle_clock_advance(uint64_t milliseconds)
{
	clock_offset += milliseconds;
}

void throttle_map(void)
{
	shared = shared_map(sizeof(*shared));
	shared->key = hash_key_new();
}

static struct name name_of(struct table *table, const void *text, size_t n)
{
	uint64_t hash;

	assert(shared);
	hash = keyed_hash(&shared->key, text, n);
	return (struct name){ .bucket = table->entries[hash % BUCKETS],
		.tag = (uint32_t)(hash >> (64 - TAG_BITS)) };
}

/* IPv6 is counted per /64, which is what one subscriber has at his disposal. */
static struct name name_of_address(const char *address)
{
	static const unsigned char v4_mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned char octets[16];
	size_t n = strcspn(address, "%"); /* without the zone of a link-local address */
	char text[INET6_ADDRSTRLEN];

	if (n < sizeof(text)) {
		memcpy(text, address, n);
		text[n] = '\0';
		if (inet_pton(AF_INET, text, octets) == 1)
			return name_of(&shared->addresses, octets, 4);
		if (inet_pton(AF_INET6, text, octets) == 1) {
			if (memcmp(octets, v4_mapped, sizeof(v4_mapped)) == 0)
				return name_of(&shared->addresses, octets + 12, 4);
			return name_of(&shared->addresses, octets, 8);
		}
	}
	return name_of(&shared->addresses, address, strlen(address));
}

/* Without regard to case: it must not matter whether the login_name rules were applied. */
static struct name name_of_login(const char *login)
{
	cleanup(free_cleanup) char *folded = mem_strdup(login);

	for (char *p = folded; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return name_of(&shared->logins, folded, strlen(folded));
}

/* The entry of that name in its bucket, and its value; NULL when it has none. */
static entry *find(struct name name, uint64_t *ret)
{
	for (entry *e = name.bucket; e < name.bucket + BUCKET_SIZE; e++) {
		*ret = atomic_load_explicit(e, memory_order_relaxed);
		if (*ret != 0 && entry_tag(*ret) == name.tag)
			return e;
	}
	return NULL;
}

/* How little it costs to lose this entry: a faded one nothing; then the fewest failures, so that a
 * flood of single ones cannot wash out who fails again and again; then the oldest. */
static uint64_t worth(uint64_t value, uint32_t now)
{
	if (!entry_live(value, now))
		return 0;
	return (uint64_t)entry_count(value) << TIME_BITS | (WINDOW + SKEW - entry_age(value, now));
}

static entry *find_cheapest(struct name name, uint32_t now, uint64_t *ret)
{
	entry *cheapest = name.bucket;

	*ret = atomic_load_explicit(cheapest, memory_order_relaxed);
	for (entry *e = name.bucket + 1; e < name.bucket + BUCKET_SIZE; e++) {
		uint64_t value = atomic_load_explicit(e, memory_order_relaxed);

		if (worth(value, now) < worth(*ret, now)) {
			cheapest = e;
			*ret = value;
		}
	}
	return cheapest;
}

/* The value after one more failure. */
static uint64_t one_more(uint64_t value, uint32_t tag, uint32_t now)
{
	if (entry_tag(value) != tag || !entry_live(value, now))
		return entry_make(tag, now, 1);
	return entry_count(value) < COUNT_MAX ? value + 1 : value;
}

/* Counts one failure; returns how many there are now. */
static uint32_t count(struct name name)
{
	uint32_t now = now_seconds();
	uint64_t old, new;
	entry *e;

	do {
		e = find(name, &old);
		if (!e)
			e = find_cheapest(name, now, &old);
		new = one_more(old, name.tag, now);
	} while (!atomic_compare_exchange_weak(e, &old, new));
	return entry_count(new);
}

bool throttle_refused(const struct limit_settings *limits, const char *address)
{
	uint64_t value;

	return find(name_of_address(address), &value) && entry_live(value, now_seconds()) &&
	       entry_count(value) > limits->failures_per_address;
}

uint64_t throttle_failed(
	const struct limit_settings *limits, const char *address, const char *login)
{
	uint32_t by_address = count(name_of_address(address));
	uint32_t by_login = *login ? count(name_of_login(login)) : 0;
	uint32_t failures = by_address > by_login ? by_address : by_login;
	uint64_t delay = limits->failure_delay;

	while (--failures > 0 && delay > 0 && delay < THROTTLE_DELAY_MAX)
		delay *= 2;
	return delay < THROTTLE_DELAY_MAX ? delay : THROTTLE_DELAY_MAX;
}

void throttle_succeeded(const char *login)
{
	uint64_t value;
	entry *e = find(name_of_login(login), &value);

	/* a failure counted in between wins: it is counted again from 1 at worst */
	if (e)
		atomic_compare_exchange_strong(e, &value, 0);
}
