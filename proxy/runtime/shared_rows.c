/* shared_rows - see shared_rows.h. Rows by the hash of their names; the other row is the last. */
#include "proxy/runtime/shared_rows.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proxy/runtime/shared.h"

/* Rows for names that come later; at least as many again as there are at first. */
#define SPARE_ROWS 64

static struct shared_row *row_at(const struct shared_rows *table, size_t i)
{
	return (struct shared_row *)(void *)(table->rows + i * table->row_size);
}

static struct shared_row *other(const struct shared_rows *table)
{
	return row_at(table, table->mask + 1);
}

static bool is_used(const struct shared_row *row)
{
	return atomic_load_explicit(&row->used, memory_order_acquire);
}

void shared_rows_map(struct shared_rows *table, size_t row_size, size_t n)
{
	size_t size = 64;

	table->room = n + (n > SPARE_ROWS ? n : SPARE_ROWS);
	while (size / 2 < table->room)
		size *= 2;
	table->row_size = row_size;
	table->mask = size - 1;
	table->used = 0;
	table->rows = shared_map((size + 1) * row_size);
	(void)snprintf(other(table)->name, SHARED_NAME_SIZE, "(other)");
}

/* FNV-1a: the names are the operator's own. */
static size_t hash_of(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; name[i] && i < SHARED_NAME_SIZE - 1; i++)
		hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3;
	return (size_t)(hash ^ (hash >> 32));
}

/* The row of the name, else the free one where it would go. */
static struct shared_row *find(const struct shared_rows *table, const char *name)
{
	size_t i = hash_of(name) & table->mask;
	struct shared_row *row;

	for (;; i = (i + 1) & table->mask) {
		row = row_at(table, i);
		if (!is_used(row) || strncmp(row->name, name, SHARED_NAME_SIZE - 1) == 0)
			return row;
	}
}

void shared_rows_add(struct shared_rows *table, const char *name)
{
	struct shared_row *row = find(table, name);

	if (is_used(row) || table->used == table->room)
		return;
	table->used++;
	(void)snprintf(row->name, SHARED_NAME_SIZE, "%s", name);
	atomic_store_explicit(&row->used, true, memory_order_release);
}

struct shared_row *shared_rows_find(const struct shared_rows *table, const char *name)
{
	struct shared_row *row = find(table, name);

	if (is_used(row))
		return row;
	atomic_store_explicit(&other(table)->used, true, memory_order_relaxed);
	return other(table);
}

size_t shared_rows_places(const struct shared_rows *table)
{
	return table->rows ? table->mask + 2 : 0;
}

struct shared_row *shared_rows_at(const struct shared_rows *table, size_t place)
{
	struct shared_row *row = row_at(table, place);

	return is_used(row) ? row : NULL;
}

size_t shared_rows_place(const struct shared_rows *table, const struct shared_row *row)
{
	return (size_t)((const char *)row - table->rows) / table->row_size;
}
