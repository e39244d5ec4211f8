/*
 * counts - how many times each key is held, written by one process and read by all.
 *
 * A table of open addressing in shared memory; a key that is no longer held leaves its place. Since
 * each process writes a table of its own, no instruction at which it may die can falsify another's
 * count: the table of a dead process is cleared as a whole. A reader that meets the writer moving
 * an entry looks again, a bounded number of times, and may then be off by what is being moved.
 */
#ifndef POPGATE_SERVICE_COUNTS_H
#define POPGATE_SERVICE_COUNTS_H

#include <stddef.h>
#include <stdint.h>

struct counts;

/* The octets of a table for up to `keys` keys at a time; a multiple of 64. */
size_t counts_size(size_t keys);
/* Makes a table of zeroed memory of that size. */
void counts_init(struct counts *counts, size_t keys);

/* By the owner only. The caller sees to it that no more than `keys` are held. */
void counts_add(struct counts *counts, uint64_t key);
void counts_remove(struct counts *counts, uint64_t key); /* one that was added */
/* By any process. */
uint64_t counts_get(const struct counts *counts, uint64_t key);
/* When the owner is gone. */
void counts_clear(struct counts *counts);

#endif
