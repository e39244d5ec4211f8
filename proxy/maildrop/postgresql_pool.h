/*
 * postgresql_pool - the connections of a worker to its PostgreSQL server, and talking over one.
 *
 * Each call of the registry takes a connection, makes one or a few exchanges over it, and gives it
 * back. In an exchange statements are sent, without waiting, and then all of their results are
 * read: it costs one round trip.
 *
 * Connections are made when needed, in a thread of their own. While the server cannot be reached,
 * or does not answer, one call at a time tries and the others fail at once with the words of the
 * last trial; it comes back by itself.
 *
 * Errors as registry.h says; whatever goes wrong with the connection is ERR_TEMP. After an error
 * the connection is given back like any other.
 */
#ifndef POPGATE_MAILDROP_POSTGRESQL_POOL_H
#define POPGATE_MAILDROP_POSTGRESQL_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "proxy/maildrop/postgresql_parameters.h"
#include "proxy/maildrop/postgresql_sql.h"
#include "proxy/maildrop/postgresql_target.h"
#include "proxy/runtime/err.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

struct postgresql_pool;

/* Takes over target. Makes the first connection; blocks. patience: how long (ms) it waits for a
 * connection, and for the server's next sign of life. On failure target is freed too. */
struct err postgresql_pool_new(
	struct postgresql_target *target, uint64_t patience, struct postgresql_pool **ret);
void postgresql_pool_free(struct postgresql_pool *pool); /* NULL-safe; all were given back */

/* A connection in use. The members are for reading. */
struct postgresql {
	PGconn *pg;
	struct fd_wait *wait; /* NULL until it is waited on */
	struct postgresql_pool *pool;
	uint64_t patience;
	bool broken;   /* of no use any more */
	bool silent;   /* because the server did not answer */
	bool conflict; /* the last exchange failed, nothing was written, it may be repeated */
};

/* ERR_TIMEOUT and ERR_CANCELED also while it waits for its turn. Each success needs one give. */
fiber_fn struct err postgresql_take(struct postgresql_pool *pool, struct postgresql **ret);
void postgresql_give(struct postgresql *connection);

/* Sends a statement. parameters NULL: none. May suspend when there is much to send. */
fiber_fn struct err postgresql_send(struct postgresql *connection,
	enum postgresql_statement statement, const struct postgresql_parameters *parameters);

/* For each row, as it comes in: row->result and its only row, in binary format, of the statement
 * that was sent as the place-th of the exchange. */
typedef void postgresql_row(unsigned place, const PGresult *row, void *arg);

/* Ends the exchange: waits for the results of all that was sent. on_row NULL: rows do not matter.
 * The first statement that fails makes those behind it fail; the transaction that was open is
 * rolled back then. */
fiber_fn struct err postgresql_finish(
	struct postgresql *connection, postgresql_row *on_row, void *arg);

#endif
