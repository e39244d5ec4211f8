/*
 * postgresql_parameters - what a statement is sent with, in PostgreSQL's binary format: integers,
 * texts as bytea, and arrays of both, so that one statement takes thousands of rows.
 *
 * Nothing suspends or fails. Owned by the caller.
 */
#ifndef POPGATE_MAILDROP_POSTGRESQL_PARAMETERS_H
#define POPGATE_MAILDROP_POSTGRESQL_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/runtime/mem.h"

#define POSTGRESQL_PARAMETERS_MAX 14

/* Zero-initialise; {n = 0} to use it again. What is added is borrowed, but for integers. */
struct postgresql_parameters {
	int n;
	const char *values[POSTGRESQL_PARAMETERS_MAX];
	int lengths[POSTGRESQL_PARAMETERS_MAX];
	uint64_t integers[POSTGRESQL_PARAMETERS_MAX];
};

/* One column of many rows. Zero-initialise. */
struct postgresql_array {
	struct buffer data;
	uint32_t n;
	bool has_null;
};

void postgresql_add_integer(struct postgresql_parameters *parameters, int64_t value);
void postgresql_add_text(struct postgresql_parameters *parameters, const char *text); /* or NULL */

void postgresql_array_add_integer(struct postgresql_array *array, int64_t value);
void postgresql_array_add_null(struct postgresql_array *array); /* among integers */
void postgresql_array_add_bool(struct postgresql_array *array, bool value);
void postgresql_array_add_text(struct postgresql_array *array, const char *text);
/* The array as it is now. It has at least one element. */
void postgresql_add_array(struct postgresql_parameters *parameters, struct postgresql_array *array);
/* Empties it, for the next rows of the same column. */
void postgresql_array_reset(struct postgresql_array *array);
void postgresql_array_done(struct postgresql_array *array);

/* An integer of a binary result: bigint. */
int64_t postgresql_integer(const char *value);

#endif
