/*
 * postgresql_rows - what registry_postgresql.c does on a connection: reading and writing the rows
 * of a maildrop.
 *
 * Each call is one or a few exchanges, and may be made again when it failed: it begins anew. All
 * suspend. Errors as postgresql_pool.h says.
 */
#ifndef POPGATE_MAILDROP_POSTGRESQL_ROWS_H
#define POPGATE_MAILDROP_POSTGRESQL_ROWS_H

#include "proxy/maildrop/postgresql_pool.h"
#include "proxy/maildrop/registry.h"

/* One round trip. */
fiber_fn struct err postgresql_revision(
	struct postgresql *connection, const struct registry_maildrop *maildrop, uint64_t *ret);
/* One round trip; two when the folders have to be asked for first. */
fiber_fn struct err postgresql_load(struct postgresql *connection,
	const struct registry_maildrop *maildrop, struct arena *arena, struct registry_record *ret);
/* One round trip. */
fiber_fn struct err postgresql_next(struct postgresql *connection, const char *tenant,
	const char *login, struct arena *arena, struct registry_maildrop *ret);

/* Two round trips. *committing is set when from now on an error of the connection leaves open
 * whether all was written or nothing. */
fiber_fn struct err postgresql_change(struct postgresql *connection,
	const struct registry_maildrop *maildrop, const struct registry_change *change,
	bool *committing, uint64_t *ret_revision);

/* Goes through the maildrops, some with each call. */
struct postgresql_expire {
	int64_t seen_before;
	size_t max;
	int64_t behind; /* by id; 0 at first */
	size_t n;       /* how many are forgotten */
	bool over;      /* there are no more */
};
fiber_fn struct err postgresql_expire(
	struct postgresql *connection, struct postgresql_expire *expire, bool *committing);

#endif
