#include "proxy/maildrop/postgresql_connection.h"

#include <poll.h>
#include <stdio.h>

#include "proxy/maildrop/postgresql_attempt.h"
#include "proxy/maildrop/postgresql_sql.h"
#include "proxy/runtime/mem.h"

static struct err establish(struct attempt *a)
{
	/* As after a PGRES_POLLING_WRITING, says libpq's manual. */
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	struct err e;

	while (state != PGRES_POLLING_OK) {
		if (PQstatus(a->pg) == CONNECTION_BAD || state == PGRES_POLLING_FAILED)
			return postgresql_error(a->pg, NULL);
		e = attempt_await(a, state == PGRES_POLLING_READING ? POLLIN : POLLOUT);
		if (failed(e))
			return e;
		state = PQconnectPoll(a->pg);
	}
	return ok();
}

/* A statement that waits must tell so before its caller gives up, who takes silence for an outage;
 * and it must not hold its locks when the caller is gone without a word. A commit is on disk when
 * it returns: more than that is for the server's administrator to say, but not less. */
static struct err set_session_up(struct attempt *a)
{
	cleanup(free_cleanup) char *sql =
		mem_printf("SET default_transaction_isolation = 'read committed';"
			   "SET lock_timeout = %d;"
			   "SET statement_timeout = %d;"
			   "SET idle_in_transaction_session_timeout = %d;"
			   "SELECT set_config('synchronous_commit', 'on', false)"
			   " WHERE current_setting('synchronous_commit') = 'off'",
			a->patience / 4 * 3, a->patience / 8 * 7, a->patience);

	return attempt_run(a, sql, NULL);
}

void postgresql_name(unsigned statement, char ret[POSTGRESQL_NAME_SIZE])
{
	(void)snprintf(ret, POSTGRESQL_NAME_SIZE, "popgate_%u", statement);
}

static struct err prepare_statements(struct attempt *a)
{
	char name[POSTGRESQL_NAME_SIZE];
	struct err e;

	for (unsigned i = 0; i < PG_COUNT_; i++) {
		cleanup(result_cleanup) PGresult *result = NULL;

		postgresql_name(i, name);
		if (!PQsendPrepare(a->pg, name, postgresql_statements[i], 0, NULL))
			return postgresql_error(a->pg, NULL);
		if (failed(e = attempt_collect(a, &result)))
			return e;
	}
	return ok();
}

/* libpq would print the server's notices ("relation exists, skipping") to standard error. */
static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static struct err come_up(struct attempt *a)
{
	struct err e;

	/* In full, for the code of an error. */
	(void)PQsetErrorVerbosity(a->pg, PQERRORS_VERBOSE);
	(void)PQsetNoticeReceiver(a->pg, ignore_notice, NULL);
	if (failed(e = establish(a)) || failed(e = set_session_up(a)) ||
		failed(e = attempt_schema(a)) || failed(e = prepare_statements(a)))
		return e;
	if (PQsetnonblocking(a->pg, 1) != 0 || !PQenterPipelineMode(a->pg))
		return postgresql_error(a->pg, NULL);
	return ok();
}

static struct err connect_host(struct attempt *a, const struct postgresql_host *host, PGconn **ret)
{
	struct err e;

	a->pg = PQconnectStartParams(host->keywords, host->values, 0);
	if (!a->pg)
		return err_make(ERR_TEMP, "registry postgresql: out of memory");
	e = come_up(a);
	if (failed(e))
		PQfinish(a->pg);
	else
		*ret = a->pg;
	return e;
}

struct err postgresql_connect(const struct postgresql_target *target, uint64_t timeout,
	const atomic_bool *stop, PGconn **ret)
{
	struct attempt a = { .stop = stop, .patience = (int)timeout };
	struct err e = ok();

	for (size_t i = 0; i < target->n_hosts; i++) {
		a.until = attempt_clock() + timeout / target->n_hosts;
		e = connect_host(&a, &target->hosts[i], ret);
		if (!failed(e) || e.scope == ERR_CANCELED)
			return e;
	}
	return e;
}
