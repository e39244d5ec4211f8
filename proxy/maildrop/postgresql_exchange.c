/* postgresql_exchange - statements sent, results read: the talking part of postgresql_pool.h. */
#include "proxy/maildrop/postgresql_connection.h"
#include "proxy/maildrop/postgresql_pool.h"

static struct err broken(struct postgresql *connection)
{
	connection->broken = true;
	return postgresql_error(connection->pg, NULL);
}

/* The pool's patience is for each sign of life: large maildrops take their time. An exchange that
 * is left in the middle is of no use to the next. */
fiber_fn static struct err await(struct postgresql *connection, int events)
{
	struct err e;

	if (!connection->wait)
		connection->wait = fd_wait_new(PQsocket(connection->pg));
	{
		deadline(connection->patience);
		e = fd_wait_for(connection->wait, events);
	}
	if (!failed(e))
		return e;
	connection->broken = true;
	if (e.scope != ERR_TIMEOUT || deadline_remaining() == 0)
		return err_context(e, "registry postgresql");
	connection->silent = true;
	return err_make(ERR_TEMP, "registry postgresql: no answer from %s within %llu ms",
		PQhost(connection->pg), (unsigned long long)connection->patience);
}

/* The server may stop to read until we have read what it has to say. */
fiber_fn static struct err flush(struct postgresql *connection)
{
	struct err e;
	int left;

	while ((left = PQflush(connection->pg)) == 1) {
		if (failed(e = await(connection, UV_READABLE | UV_WRITABLE)))
			return e;
		if (!PQconsumeInput(connection->pg))
			return broken(connection);
	}
	return left == 0 ? ok() : broken(connection);
}

fiber_fn struct err postgresql_send(struct postgresql *connection,
	enum postgresql_statement statement, const struct postgresql_parameters *parameters)
{
	static const int binary[POSTGRESQL_PARAMETERS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1 };
	static const struct postgresql_parameters none;
	char name[POSTGRESQL_NAME_SIZE];

	if (!parameters)
		parameters = &none;
	connection->conflict = false;
	postgresql_name(statement, name);
	if (!PQsendQueryPrepared(connection->pg, name, parameters->n, parameters->values,
		    parameters->lengths, binary, 1))
		return broken(connection);
	return flush(connection);
}

fiber_fn static struct err next_result(struct postgresql *connection, PGresult **ret)
{
	struct err e;

	/* Row by row: the whole result is never in memory beside what is made of it. Refused where
	 * no query comes next, which is no harm. */
	(void)PQsetSingleRowMode(connection->pg);
	while (PQisBusy(connection->pg)) {
		if (failed(e = flush(connection)) || failed(e = await(connection, UV_READABLE)))
			return e;
		if (!PQconsumeInput(connection->pg))
			return broken(connection);
	}
	*ret = PQgetResult(connection->pg);
	return ok();
}

static struct err take_failure(struct postgresql *connection, const PGresult *result)
{
	const char *code = postgresql_code(result);

	connection->conflict = postgresql_code_is_conflict(code);
	if (!*code || postgresql_code_is_end(code))
		connection->broken = true;
	return postgresql_error(connection->pg, result);
}

struct reading {
	postgresql_row *on_row;
	void *arg;
	unsigned place;
	struct err e; /* what the first statement failed with */
	bool over;
};

static void take_result(
	struct postgresql *connection, struct reading *reading, const PGresult *result)
{
	if (!result) {
		reading->place++;
		return;
	}
	switch (PQresultStatus(result)) {
	case PGRES_SINGLE_TUPLE:
		if (reading->on_row)
			reading->on_row(reading->place, result, reading->arg);
		break;
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_PIPELINE_ABORTED:
		break;
	case PGRES_PIPELINE_SYNC:
		reading->over = true;
		break;
	default:
		if (!failed(reading->e))
			reading->e = take_failure(connection, result);
		break;
	}
}

/* Reads until the server has said all. Fails when the connection does. */
fiber_fn static struct err read_results(struct postgresql *connection, struct reading *reading)
{
	PGresult *result = NULL;
	struct err e;

	while (!reading->over) {
		if (failed(e = wait_share())) {
			connection->broken = true;
			return err_context(e, "registry postgresql");
		}
		if (failed(e = next_result(connection, &result)))
			return e;
		take_result(connection, reading, result);
		PQclear(result);
		if (connection->broken)
			return reading->e;
		if (PQstatus(connection->pg) == CONNECTION_BAD)
			return failed(reading->e) ? (connection->broken = true, reading->e)
						  : broken(connection);
	}
	return ok();
}

fiber_fn static struct err exchange(
	struct postgresql *connection, postgresql_row *on_row, void *arg)
{
	struct reading reading = { .on_row = on_row, .arg = arg, .e = ok() };
	struct err e;

	if (!PQpipelineSync(connection->pg))
		return broken(connection);
	if (failed(e = flush(connection)))
		return e;
	e = read_results(connection, &reading);
	return failed(e) ? e : reading.e;
}

fiber_fn struct err postgresql_finish(
	struct postgresql *connection, postgresql_row *on_row, void *arg)
{
	struct err e = exchange(connection, on_row, arg);
	bool conflict = connection->conflict;

	if (!failed(e) || connection->broken || PQtransactionStatus(connection->pg) == PQTRANS_IDLE)
		return e;
	if (failed(postgresql_send(connection, PG_ROLLBACK, NULL)) ||
		failed(exchange(connection, NULL, NULL)))
		connection->broken = true;
	connection->conflict = conflict;
	return e;
}
