/*
 * shared_rows - rows of shared memory that are found by name: counters per tenant, per server.
 *
 * Only the master makes rows, so that no worker can die while making one; workers find them and
 * update what lies behind the row atomically. Rows are never removed. Names are told apart by their
 * first 127 octets. One more row stands for every name that has none; it is called "(other)".
 */
#ifndef POPGATE_RUNTIME_SHARED_ROWS_H
#define POPGATE_RUNTIME_SHARED_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#define SHARED_NAME_SIZE 128

/* The first member of each kind of row. */
struct shared_row {
	_Atomic bool used; /* name is filled in; of the other row: it was asked for */
	char name[SHARED_NAME_SIZE];
};

struct shared_rows {
	char *rows;
	size_t row_size, mask, room, used;
};

/* Maps a table with room for n rows and for as many again, 64 at least, that are added later;
 * before the first fork. */
void shared_rows_map(struct shared_rows *table, size_t row_size, size_t n);
/* Makes the row of that name where there is none and there is room. In the master. */
void shared_rows_add(struct shared_rows *table, const char *name);
/* The row of that name, else the other one. Of any process, at any time. */
struct shared_row *shared_rows_find(const struct shared_rows *table, const char *name);

/* For walks over all rows: places 0 to shared_rows_places - 1; NULL where there is none. */
size_t shared_rows_places(const struct shared_rows *table);
struct shared_row *shared_rows_at(const struct shared_rows *table, size_t place);
size_t shared_rows_place(const struct shared_rows *table, const struct shared_row *row);

#endif
