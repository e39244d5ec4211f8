#include "proxy/service/session_table.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/keyed_hash.h"
#include "proxy/runtime/shared.h"
#include "proxy/service/address_text.h"
#include "proxy/service/counts.h"

#define TENANT_SIZE sizeof(((struct session_view *)NULL)->tenant)
#define LOGIN_SIZE  sizeof(((struct session_view *)NULL)->login)
#define ID_SIZE     sizeof(((struct session_view *)NULL)->id)
#define NAME_SIZE   sizeof(((struct session_view *)NULL)->listener)

struct session_slot {
	_Atomic pid_t owner; /* 0: free */
	_Atomic int state;   /* 0: not filled in yet */
	_Atomic bool named;  /* id and listener are filled in */
	_Atomic bool bound;  /* tenant and login are filled in */
	_Atomic int64_t started;
	_Atomic uint64_t octets_in, octets_out;
	uint64_t address_key, user_key; /* the owner's */
	struct in6_addr address;        /* IPv4 as ::ffff:a.b.c.d */
	char id[ID_SIZE];
	char listener[NAME_SIZE];
	char tenant[TENANT_SIZE];
	char login[LOGIN_SIZE];
};

/* What one process counts. */
struct shard {
	_Atomic pid_t owner; /* 0: free */
	_Atomic uint64_t sessions;
	struct counts *counts; /* of addresses and users */
};

/* The part that processes write. */
struct marks {
	_Atomic size_t slots, shards; /* all that were ever taken lie below */
};

static struct {
	struct hash_key key;
	struct marks *marks;
	struct session_slot *slots;
	size_t n_slots;
	struct shard *shards;
	size_t n_shards;
} table;

/* What this process knows of itself; not valid in a child. */
static struct {
	pid_t pid;
	struct shard *shard;
	size_t next; /* slot to try */
} self;

void session_table_map(size_t n, size_t processes)
{
	size_t keys;

	table.key = hash_key_new();
	/* A few more than needed, so that a free one is found soon. */
	table.n_slots = n + n / 8 + 8;
	table.n_shards = processes;
	table.marks = shared_map(sizeof(*table.marks));
	table.slots = shared_map(table.n_slots * sizeof(*table.slots));
	table.shards = shared_map(table.n_shards * sizeof(*table.shards));
	keys = table.n_slots * 2;
	/* One by one: only what a process touches is ever memory. */
	for (size_t i = 0; i < table.n_shards; i++) {
		table.shards[i].counts = shared_map(counts_size(keys));
		counts_init(table.shards[i].counts, keys);
	}
	memset(&self, 0, sizeof(self));
}

static void raise_mark(_Atomic size_t *mark, size_t to)
{
	size_t now = atomic_load(mark);

	while (now < to && !atomic_compare_exchange_weak(mark, &now, to))
		;
}

static bool take(_Atomic pid_t *owner, pid_t pid)
{
	pid_t free_now = 0;

	return atomic_load_explicit(owner, memory_order_relaxed) == 0 &&
	       atomic_compare_exchange_strong(owner, &free_now, pid);
}

static struct shard *take_shard(pid_t pid)
{
	for (size_t i = 0; i < table.n_shards; i++)
		if (take(&table.shards[i].owner, pid)) {
			raise_mark(&table.marks->shards, i + 1);
			return &table.shards[i];
		}
	return NULL;
}

static struct shard *own_shard(void)
{
	pid_t pid = getpid();

	if (self.pid != pid || !self.shard) {
		self.pid = pid;
		self.shard = take_shard(pid);
		/* Processes start apart, to meet seldom. */
		self.next = (size_t)keyed_hash(&table.key, &pid, sizeof(pid)) % table.n_slots;
	}
	return self.shard;
}

static struct session_slot *take_slot(void)
{
	for (size_t tries = 0; tries < table.n_slots; tries++) {
		struct session_slot *slot = &table.slots[self.next];

		self.next = (self.next + 1) % table.n_slots;
		if (take(&slot->owner, self.pid)) {
			raise_mark(&table.marks->slots, (size_t)(slot - table.slots) + 1);
			return slot;
		}
	}
	return NULL;
}

static uint64_t sessions_now(void)
{
	size_t n = atomic_load(&table.marks->shards);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += atomic_load(&table.shards[i].sessions);
	return sum;
}

static uint64_t held(uint64_t key)
{
	size_t n = atomic_load(&table.marks->shards);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (atomic_load_explicit(&table.shards[i].owner, memory_order_relaxed) != 0)
			sum += counts_get(table.shards[i].counts, key);
	return sum;
}

/* Counts the key unless max hold it already. Added first and looked at then, so that of two
 * processes at least one sees the other. */
static bool hold(struct shard *shard, uint64_t key, uint64_t max)
{
	counts_add(shard->counts, key);
	atomic_thread_fence(memory_order_seq_cst);
	if (held(key) <= max)
		return true;
	counts_remove(shard->counts, key);
	return false;
}

static void parse_address(const char *text, struct in6_addr *ret)
{
	struct in_addr v4;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &v4) == 1) {
		ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
		memcpy(ret->s6_addr + 12, &v4, 4);
	} else {
		(void)inet_pton(AF_INET6, text, ret);
	}
}

/* IPv6 is counted per /64, which is what one subscriber has at his disposal. */
static uint64_t address_key(const struct in6_addr *address)
{
	uint8_t text[17] = { 'a' };

	memcpy(text + 1, address, IN6_IS_ADDR_V4MAPPED(address) ? 16 : 8);
	return keyed_hash(&table.key, text, sizeof(text));
}

/* Of the whole names, however long: the hash of the one is the key of the other. */
static uint64_t user_key(const char *tenant, const char *login)
{
	struct hash_key inner = { { keyed_hash(&table.key, tenant, strlen(tenant)), 'u' } };

	inner.k[1] ^= table.key.k[1];
	return keyed_hash(&inner, login, strlen(login));
}

static void free_slot(struct session_slot *slot)
{
	atomic_store_explicit(&slot->state, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->bound, false, memory_order_relaxed);
	atomic_store_explicit(&slot->named, false, memory_order_relaxed);
	atomic_store_explicit(&slot->octets_in, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->octets_out, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->owner, 0, memory_order_release);
}

static enum session_refusal admit(struct shard *shard, struct session_slot *slot,
	uint64_t max_sessions, uint64_t max_per_address)
{
	(void)atomic_fetch_add(&shard->sessions, 1);
	if (sessions_now() > max_sessions) {
		(void)atomic_fetch_sub(&shard->sessions, 1);
		return SESSION_TABLE_FULL;
	}
	if (!hold(shard, slot->address_key, max_per_address)) {
		(void)atomic_fetch_sub(&shard->sessions, 1);
		return SESSION_ADDRESS_FULL;
	}
	return SESSION_ADMITTED;
}

enum session_refusal session_table_enter(const char *address, uint64_t max_sessions,
	uint64_t max_per_address, struct session_slot **ret)
{
	struct shard *shard = own_shard();
	struct session_slot *slot = shard ? take_slot() : NULL;
	enum session_refusal refusal;

	if (!slot)
		return SESSION_TABLE_FULL;
	parse_address(address, &slot->address);
	slot->address_key = address_key(&slot->address);
	refusal = admit(shard, slot, max_sessions, max_per_address);
	if (refusal != SESSION_ADMITTED) {
		free_slot(slot);
		return refusal;
	}
	atomic_store_explicit(&slot->started, (int64_t)time(NULL), memory_order_relaxed);
	atomic_store_explicit(&slot->state, SESSION_GREETED, memory_order_release);
	*ret = slot;
	return SESSION_ADMITTED;
}

void session_table_unbind(struct session_slot *slot)
{
	if (!slot || !atomic_load_explicit(&slot->bound, memory_order_relaxed))
		return;
	atomic_store_explicit(&slot->bound, false, memory_order_relaxed);
	counts_remove(self.shard->counts, slot->user_key);
}

bool session_table_bind(
	struct session_slot *slot, const char *tenant, const char *login, uint64_t max)
{
	uint64_t key = user_key(tenant, login);

	session_table_unbind(slot);
	if (!hold(self.shard, key, max))
		return false;
	slot->user_key = key;
	(void)snprintf(slot->tenant, sizeof(slot->tenant), "%s", tenant);
	(void)snprintf(slot->login, sizeof(slot->login), "%s", login);
	atomic_store_explicit(&slot->bound, true, memory_order_release);
	return true;
}

void session_table_describe(struct session_slot *slot, const char *id, const char *listener)
{
	if (!slot)
		return;
	(void)snprintf(slot->id, sizeof(slot->id), "%s", id);
	(void)snprintf(slot->listener, sizeof(slot->listener), "%s", listener);
	atomic_store_explicit(&slot->named, true, memory_order_release);
}

void session_table_state(struct session_slot *slot, enum session_state state)
{
	if (slot)
		atomic_store_explicit(&slot->state, state, memory_order_release);
}

void session_table_octets(struct session_slot *slot, uint64_t in, uint64_t out)
{
	if (!slot)
		return;
	atomic_store_explicit(&slot->octets_in, in, memory_order_relaxed);
	atomic_store_explicit(&slot->octets_out, out, memory_order_relaxed);
}

void session_table_leave(struct session_slot *slot)
{
	if (!slot)
		return;
	session_table_unbind(slot);
	counts_remove(self.shard->counts, slot->address_key);
	(void)atomic_fetch_sub(&self.shard->sessions, 1);
	free_slot(slot);
}

size_t session_table_sweep(pid_t pid)
{
	size_t n_slots = atomic_load(&table.marks->slots);
	size_t swept = 0;

	for (size_t i = 0; i < n_slots; i++)
		if (atomic_load(&table.slots[i].owner) == pid) {
			free_slot(&table.slots[i]);
			swept++;
		}
	for (size_t i = 0; i < table.n_shards; i++) {
		struct shard *shard = &table.shards[i];

		if (atomic_load(&shard->owner) != pid)
			continue;
		atomic_store(&shard->sessions, 0);
		counts_clear(shard->counts);
		atomic_store(&shard->owner, 0);
	}
	return swept;
}

size_t session_table_count(void)
{
	return sessions_now();
}

static void view_of(struct session_slot *slot, struct session_view *view)
{
	*view = (struct session_view){
		.worker = atomic_load(&slot->owner),
		.state = (enum session_state)atomic_load(&slot->state),
		.started = atomic_load(&slot->started),
		.octets_in = atomic_load(&slot->octets_in),
		.octets_out = atomic_load(&slot->octets_out),
	};
	(void)address_text(&slot->address, view->address);
	if (atomic_load_explicit(&slot->named, memory_order_acquire)) {
		memcpy(view->id, slot->id, ID_SIZE - 1);
		memcpy(view->listener, slot->listener, NAME_SIZE - 1);
	}
	if (!atomic_load_explicit(&slot->bound, memory_order_acquire))
		return;
	memcpy(view->tenant, slot->tenant, TENANT_SIZE - 1);
	memcpy(view->login, slot->login, LOGIN_SIZE - 1);
}

void session_table_each(void (*fn)(const struct session_view *view, void *arg), void *arg)
{
	size_t n = atomic_load(&table.marks->slots);

	for (size_t i = 0; i < n; i++) {
		struct session_view view;

		if (atomic_load_explicit(&table.slots[i].state, memory_order_acquire) == 0)
			continue;
		view_of(&table.slots[i], &view);
		fn(&view, arg);
	}
}
