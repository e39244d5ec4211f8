#include "proxy/service/stats.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proxy/runtime/shared.h"

#define NAME_SIZE 128
/* Rows for names that reloads add; at least as many again as there are now. */
#define SPARE_ROWS 64

/* Both kinds of row begin alike, so that one table serves them. */
struct row {
	_Atomic bool used; /* name is filled in */
	char name[NAME_SIZE];
};
struct stats_tenant {
	struct row row;
	_Atomic uint64_t counts[STAT_TENANT_COUNT_];
};
struct stats_listener {
	struct row row;
	_Atomic uint64_t counts[STAT_LISTENER_COUNT_];
};

/* Rows by the hash of their names, never removed; the last one, outside the hash, is "other". */
struct row_table {
	char *rows;
	size_t row_size, mask, room, used;
};

static struct {
	struct row_table tenants, listeners;
	_Atomic uint64_t *global;
} stats;

static struct row *row_at(const struct row_table *table, size_t i)
{
	return (struct row *)(void *)(table->rows + i * table->row_size);
}

static struct row *other(const struct row_table *table)
{
	return row_at(table, table->mask + 1);
}

static void table_map(struct row_table *table, size_t row_size, size_t n)
{
	size_t size = 64;

	table->room = n + (n > SPARE_ROWS ? n : SPARE_ROWS);
	while (size / 2 < table->room)
		size *= 2;
	table->row_size = row_size;
	table->mask = size - 1;
	table->used = 0;
	table->rows = shared_map((size + 1) * row_size);
	(void)snprintf(other(table)->name, NAME_SIZE, "other");
}

/* FNV-1a: the names are the operator's own. */
static size_t hash_of(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; name[i] && i < NAME_SIZE - 1; i++)
		hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3;
	return (size_t)(hash ^ (hash >> 32));
}

/* The row of the name, else the free one where it would go. */
static struct row *find(const struct row_table *table, const char *name)
{
	size_t i = hash_of(name) & table->mask;
	struct row *row;

	for (;; i = (i + 1) & table->mask) {
		row = row_at(table, i);
		if (!atomic_load_explicit(&row->used, memory_order_acquire) ||
			strncmp(row->name, name, NAME_SIZE - 1) == 0)
			return row;
	}
}

static void add_row(struct row_table *table, const char *name)
{
	struct row *row = find(table, name);

	if (row->used || table->used == table->room)
		return;
	table->used++;
	(void)snprintf(row->name, NAME_SIZE, "%s", name);
	atomic_store_explicit(&row->used, true, memory_order_release);
}

static struct row *lookup(const struct row_table *table, const char *name)
{
	struct row *row = find(table, name);

	return atomic_load_explicit(&row->used, memory_order_relaxed) ? row : other(table);
}

void stats_map(const struct config *config)
{
	table_map(&stats.tenants, sizeof(struct stats_tenant), config->n_tenants);
	table_map(&stats.listeners, sizeof(struct stats_listener), config->n_listeners);
	stats.global = shared_map(STAT_GLOBAL_COUNT_ * sizeof(*stats.global));
	stats_extend(config);
}

void stats_extend(const struct config *config)
{
	for (size_t i = 0; i < config->n_tenants; i++)
		add_row(&stats.tenants, config->tenants[i].name);
	for (size_t i = 0; i < config->n_listeners; i++)
		add_row(&stats.listeners, config->listeners[i].name);
}

struct stats_tenant *stats_tenant(const char *name)
{
	return (struct stats_tenant *)lookup(&stats.tenants, name);
}

struct stats_listener *stats_listener(const char *name)
{
	return (struct stats_listener *)lookup(&stats.listeners, name);
}

static void add(_Atomic uint64_t *count, uint64_t n)
{
	atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

void stats_tenant_add(struct stats_tenant *row, enum stat_tenant which, uint64_t n)
{
	add(&row->counts[which], n);
}

void stats_listener_add(struct stats_listener *row, enum stat_listener which, uint64_t n)
{
	add(&row->counts[which], n);
}

void stats_global_add(enum stat_global which, uint64_t n)
{
	add(&stats.global[which], n);
}

uint64_t stats_tenant_get(const struct stats_tenant *row, enum stat_tenant which)
{
	return get(&row->counts[which]);
}

uint64_t stats_listener_get(const struct stats_listener *row, enum stat_listener which)
{
	return get(&row->counts[which]);
}

uint64_t stats_global_get(enum stat_global which)
{
	return get(&stats.global[which]);
}
