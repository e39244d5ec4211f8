#include "proxy/maildrop/postgresql_attempt.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proxy/maildrop/postgresql_connection.h"
#include "proxy/runtime/mem.h"

#define STOP_LOOK_INTERVAL 100 /* ms between looks at *stop */

uint64_t attempt_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The socket is asked for each time: libpq changes it while it connects. */
struct err attempt_await(struct attempt *a, short events)
{
	struct pollfd pollfd = { .fd = PQsocket(a->pg), .events = events };
	const char *host = PQhost(a->pg);

	for (;;) {
		uint64_t now = attempt_clock();

		if (atomic_load(a->stop))
			return err_make(ERR_CANCELED, "registry postgresql: not waited for");
		if (now >= a->until)
			return err_make(ERR_TEMP, "registry postgresql: no answer from %s in time",
				host && *host ? host : "the server");
		if (poll(&pollfd, 1,
			    a->until - now < STOP_LOOK_INTERVAL ? (int)(a->until - now)
								: STOP_LOOK_INTERVAL) > 0)
			return ok();
	}
}

static struct err next_result(struct attempt *a, PGresult **ret)
{
	struct err e;

	while (PQisBusy(a->pg)) {
		if (failed(e = attempt_await(a, POLLIN)))
			return e;
		if (!PQconsumeInput(a->pg))
			return postgresql_error(a->pg, NULL);
	}
	*ret = PQgetResult(a->pg);
	return ok();
}

static struct err take_failure(struct attempt *a, const PGresult *result)
{
	(void)snprintf(a->code, sizeof(a->code), "%s", postgresql_code(result));
	return postgresql_error(a->pg, result);
}

/* All results have to be read, whatever the first ones say. */
struct err attempt_collect(struct attempt *a, PGresult **ret)
{
	cleanup(result_cleanup) PGresult *last = NULL;
	struct err e = ok(), broken;
	PGresult *result = NULL;

	for (;;) {
		if (failed(broken = next_result(a, &result)))
			return broken;
		if (!result)
			break;
		PQclear(last);
		last = result;
		if (PQresultStatus(result) == PGRES_FATAL_ERROR && !failed(e))
			e = take_failure(a, result);
	}
	if (failed(e))
		return e;
	*ret = steal(last);
	return ok();
}

struct err attempt_run(struct attempt *a, const char *sql, int *ret_integer)
{
	cleanup(result_cleanup) PGresult *result = NULL;
	struct err e;

	a->code[0] = '\0';
	if (!PQsendQuery(a->pg, sql))
		return postgresql_error(a->pg, NULL);
	if (failed(e = attempt_collect(a, &result)))
		return e;
	if (ret_integer)
		*ret_integer = result && PQntuples(result) > 0
				       ? (int)strtol(PQgetvalue(result, 0, 0), NULL, 10)
				       : -1;
	return ok();
}
