/*
 * postgresql_attempt - a connection on its way up, and statements on it that block.
 *
 * For postgresql_connection.c and postgresql_schema.c. Errors as postgresql_connection.h says.
 */
#ifndef POPGATE_MAILDROP_POSTGRESQL_ATTEMPT_H
#define POPGATE_MAILDROP_POSTGRESQL_ATTEMPT_H

#include <stdatomic.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "proxy/runtime/err.h"

struct attempt {
	PGconn *pg;
	uint64_t until; /* by attempt_clock() */
	const atomic_bool *stop;
	int patience;               /* ms: how long calls will wait for the server */
	char code[sizeof("XXXXX")]; /* of the last statement that failed; "" none */
};

/* Milliseconds; any thread. */
uint64_t attempt_clock(void);

/* Waits until the socket has one of poll's events. */
struct err attempt_await(struct attempt *a, short events);

/* The last result of what was sent; NULL when there was none. Given to PQclear. */
struct err attempt_collect(struct attempt *a, PGresult **ret);
static inline void result_cleanup(PGresult **result)
{
	PQclear(*result);
}

/* Runs one or more statements; *ret_integer, when wanted, is the first column of the last one's
 * first row, and -1 without a row. */
struct err attempt_run(struct attempt *a, const char *sql, int *ret_integer);

/* Makes or upgrades the schema. ERR_PERM: that is not permitted, or it is a newer one. */
struct err attempt_schema(struct attempt *a);

#endif
