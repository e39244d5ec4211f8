/*
 * postgresql_connection - a connection to the registry's PostgreSQL server: made, its schema made
 * or upgraded, its statements prepared.
 *
 * Blocks, since much of libpq's connecting does: names, files, Kerberos. So it runs before the loop
 * does, or in a thread of its own, which ends early when told to stop.
 * Errors as registry.h says; ERR_CANCELED: stopped.
 */
#ifndef POPGATE_MAILDROP_POSTGRESQL_CONNECTION_H
#define POPGATE_MAILDROP_POSTGRESQL_CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "proxy/maildrop/postgresql_target.h"
#include "proxy/runtime/err.h"

/* Tries the hosts in order, within timeout (ms) in all. *ret is ready for the statements of
 * postgresql_sql.h by postgresql_name, not blocking, in pipeline mode, and given to PQfinish. */
struct err postgresql_connect(const struct postgresql_target *target, uint64_t timeout,
	const atomic_bool *stop, PGconn **ret);

/* The name that a statement is prepared by. */
#define POSTGRESQL_NAME_SIZE 16
void postgresql_name(unsigned statement, char ret[POSTGRESQL_NAME_SIZE]);

/* What the server said about a statement that failed; result NULL or without a code: what libpq
 * says about the connection. */
struct err postgresql_error(const PGconn *pg, const PGresult *result);

/* The code that a failed statement's result bears; "" none. */
const char *postgresql_code(const PGresult *result);
/* Whether it means that nothing happened and that another attempt may well succeed. */
bool postgresql_code_is_conflict(const char *code);
/* Whether it means that this connection is of no use any more. */
bool postgresql_code_is_end(const char *code);

#endif
