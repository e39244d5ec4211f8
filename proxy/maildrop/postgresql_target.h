/*
 * postgresql_target - what a postgresql:// URI says: which servers to connect to, and how.
 *
 * A URI may name several hosts. They are kept apart, so that each gets its share of the time even
 * when it takes the connection and then says nothing. (Those that a service file names stay with
 * libpq, which goes on to the next one when a host refuses, but not when it is silent.)
 */
#ifndef POPGATE_MAILDROP_POSTGRESQL_TARGET_H
#define POPGATE_MAILDROP_POSTGRESQL_TARGET_H

#include <stddef.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/mem.h"

/* For PQconnectStartParams: both arrays end with NULL. */
struct postgresql_host {
	const char **keywords, **values;
};

struct postgresql_target {
	struct arena *arena;
	struct postgresql_host *hosts;
	size_t n_hosts;
};

/* ERR_PERM: not a URI that libpq understands, or one with a password in it. */
struct err postgresql_target_new(const char *uri, struct postgresql_target **ret);
void postgresql_target_free(struct postgresql_target *target); /* NULL-safe */
DEFINE_CLEANUP(postgresql_target, postgresql_target_free)

#endif
