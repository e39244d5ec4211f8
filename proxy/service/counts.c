#include "proxy/service/counts.h"

#include <stdatomic.h>
#include <stdbool.h>

#define READ_TRIES 16

/* key 0: empty. */
struct cell {
	_Atomic uint64_t key;
	_Atomic uint64_t n;
};

struct counts {
	_Atomic uint64_t sequence; /* odd while the owner moves cells */
	uint64_t mask;
	uint64_t unused[6]; /* cells start on a cache line */
	struct cell cells[];
};

/* At most three quarters are taken: probes stay short, and one cell is always empty. */
static size_t capacity(size_t keys)
{
	size_t n = 64;

	while (n / 4 * 3 < keys)
		n *= 2;
	return n;
}

size_t counts_size(size_t keys)
{
	return sizeof(struct counts) + capacity(keys) * sizeof(struct cell);
}

void counts_init(struct counts *counts, size_t keys)
{
	counts->mask = capacity(keys) - 1;
}

static uint64_t no_zero(uint64_t key)
{
	return key ? key : 1;
}

/* The cell of the key, else the empty one where it would go. */
static size_t find(const struct counts *counts, uint64_t key)
{
	size_t i = key & counts->mask;

	/* Bounded, since a reader may see cells that are being moved. */
	for (size_t probes = 0; probes < counts->mask; probes++) {
		uint64_t found = atomic_load_explicit(&counts->cells[i].key, memory_order_acquire);

		if (found == key || found == 0)
			break;
		i = (i + 1) & counts->mask;
	}
	return i;
}

void counts_add(struct counts *counts, uint64_t key)
{
	struct cell *cell;

	key = no_zero(key);
	cell = &counts->cells[find(counts, key)];
	if (atomic_load_explicit(&cell->key, memory_order_relaxed) == key) {
		atomic_fetch_add_explicit(&cell->n, 1, memory_order_relaxed);
		return;
	}
	atomic_store_explicit(&cell->n, 1, memory_order_relaxed);
	atomic_store_explicit(&cell->key, key, memory_order_release);
}

/* Empties a cell and moves up those behind it that would no longer be found. */
static void close_gap(struct counts *counts, size_t hole)
{
	struct cell *cells = counts->cells;

	for (size_t i = (hole + 1) & counts->mask;; i = (i + 1) & counts->mask) {
		uint64_t key = atomic_load_explicit(&cells[i].key, memory_order_relaxed);
		size_t home = key & counts->mask;

		if (key == 0)
			break;
		if (((i - home) & counts->mask) < ((i - hole) & counts->mask))
			continue;
		atomic_store_explicit(&cells[hole].n,
			atomic_load_explicit(&cells[i].n, memory_order_relaxed),
			memory_order_relaxed);
		atomic_store_explicit(&cells[hole].key, key, memory_order_relaxed);
		hole = i;
	}
	atomic_store_explicit(&cells[hole].key, 0, memory_order_relaxed);
}

void counts_remove(struct counts *counts, uint64_t key)
{
	uint64_t sequence = atomic_load_explicit(&counts->sequence, memory_order_relaxed);
	size_t i = find(counts, no_zero(key));

	if (atomic_fetch_sub_explicit(&counts->cells[i].n, 1, memory_order_relaxed) > 1)
		return;
	atomic_store_explicit(&counts->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	close_gap(counts, i);
	atomic_store_explicit(&counts->sequence, sequence + 2, memory_order_release);
}

static uint64_t look(const struct counts *counts, uint64_t key)
{
	const struct cell *cell = &counts->cells[find(counts, key)];

	if (atomic_load_explicit(&cell->key, memory_order_relaxed) != key)
		return 0;
	return atomic_load_explicit(&cell->n, memory_order_relaxed);
}

uint64_t counts_get(const struct counts *counts, uint64_t key)
{
	uint64_t n = 0;

	key = no_zero(key);
	for (int try = 0; try < READ_TRIES; try++) {
		uint64_t before = atomic_load_explicit(&counts->sequence, memory_order_acquire);

		n = look(counts, key);
		atomic_thread_fence(memory_order_acquire);
		if (before % 2 == 0 &&
			atomic_load_explicit(&counts->sequence, memory_order_relaxed) == before)
			break;
	}
	return n;
}

void counts_clear(struct counts *counts)
{
	for (size_t i = 0; i <= counts->mask; i++) {
		atomic_store_explicit(&counts->cells[i].key, 0, memory_order_relaxed);
		atomic_store_explicit(&counts->cells[i].n, 0, memory_order_relaxed);
	}
	atomic_store_explicit(&counts->sequence, 0, memory_order_release);
}
