#include "proxy/maildrop/postgresql_pool.h"

#include <assert.h>
#include <stdatomic.h>

#include "proxy/maildrop/postgresql_connection.h"

/* A worker's fibers are many, but each needs a connection for a few milliseconds; and servers have
 * 100 places by default, for all gateways. */
#define CONNECTIONS 4
#define PAUSE       1000 /* ms between two trials to reach a server */

struct postgresql_pool {
	struct postgresql_target *target;
	uint64_t patience;
	struct gate gate;
	struct postgresql *idle[CONNECTIONS]; /* a stack: the last used is the likeliest to work */
	size_t n_idle, n_open;
	/* Places at the gate that are out of use, since the server gives us no more connections
	 * than those that we have. */
	size_t n_closed_places;
	struct {
		struct err error; /* ok: the server answers */
		uint64_t until;   /* not tried again before */
		bool trying;
	} outage;
};

struct connecting {
	const struct postgresql_pool *pool;
	atomic_bool stop;
	PGconn *pg;
	struct err e;
};

static void connect_job(void *arg)
{
	struct connecting *c = arg;

	c->e = postgresql_connect(c->pool->target, c->pool->patience, &c->stop, &c->pg);
}

static struct postgresql *connection_new(struct postgresql_pool *pool, PGconn *pg)
{
	struct postgresql *connection = mem_zalloc(1, sizeof(*connection));

	connection->pg = pg;
	connection->pool = pool;
	connection->patience = pool->patience;
	pool->n_open++;
	return connection;
}

static void connection_close(struct postgresql *connection)
{
	connection->pool->n_open--;
	fd_wait_free(connection->wait);
	PQfinish(connection->pg);
	free(connection);
}

static void close_idle(struct postgresql_pool *pool)
{
	while (pool->n_idle > 0)
		connection_close(pool->idle[--pool->n_idle]);
}

static void note_outage(struct postgresql_pool *pool, struct err e)
{
	pool->outage.error = e;
	pool->outage.until = runtime_now() + PAUSE;
}

fiber_fn static struct err connect_now(struct postgresql_pool *pool, struct postgresql **ret)
{
	struct connecting connecting = { .pool = pool, .e = ok() };
	struct err e;

	pool->outage.trying = true;
	e = offload_alone(connect_job, &connecting, &connecting.stop);
	pool->outage.trying = false;
	if (!failed(e))
		e = connecting.e;
	if (e.scope == ERR_CANCELED) {
		struct err why = wait_check();

		return failed(why) ? why : e;
	}
	if (failed(e)) {
		note_outage(pool, e);
		return e;
	}
	pool->outage.error = ok();
	*ret = connection_new(pool, connecting.pg);
	return ok();
}

/* With a turn at the gate. */
fiber_fn static struct err take(struct postgresql_pool *pool, struct postgresql **ret)
{
	if (pool->n_idle > 0) {
		*ret = pool->idle[--pool->n_idle];
		return ok();
	}
	if (failed(pool->outage.error) &&
		(pool->outage.trying || runtime_now() < pool->outage.until))
		return pool->outage.error;
	return connect_now(pool, ret);
}

fiber_fn static struct err wait_for_turn(struct postgresql_pool *pool)
{
	struct err e;

	{
		deadline(pool->patience);
		e = gate_enter(&pool->gate);
	}
	if (e.scope == ERR_TIMEOUT && deadline_remaining() > 0)
		return err_make(ERR_TEMP, "registry postgresql: all %d connections are in use",
			CONNECTIONS);
	return err_context(e, "registry postgresql");
}

/* Whoever gets no connection of his own waits for one of the others', while there are such. */
fiber_fn struct err postgresql_take(struct postgresql_pool *pool, struct postgresql **ret)
{
	struct err e;

	for (;;) {
		if (failed(e = wait_for_turn(pool)))
			return e;
		e = take(pool, ret);
		if (!failed(e))
			return e;
		if (pool->n_open == 0 || failed(wait_check()))
			break;
		pool->n_closed_places++;
	}
	gate_leave(&pool->gate);
	return e;
}

static void open_places(struct postgresql_pool *pool)
{
	for (; pool->n_closed_places > 0; pool->n_closed_places--)
		gate_leave(&pool->gate);
}

static void note_break(struct postgresql *connection)
{
	struct postgresql_pool *pool = connection->pool;

	/* The others are of the same server: they would only be found out one by one. */
	close_idle(pool);
	if (connection->silent)
		note_outage(
			pool, err_make(ERR_TEMP, "registry postgresql: no answer from %s of late",
				      PQhost(connection->pg)));
}

void postgresql_give(struct postgresql *connection)
{
	struct postgresql_pool *pool = connection->pool;
	bool places_are_scarce = runtime_now() < pool->outage.until;

	if (connection->broken)
		note_break(connection);
	/* One that was left in the middle of something is no good either. */
	if (connection->broken || PQtransactionStatus(connection->pg) != PQTRANS_IDLE) {
		connection_close(connection);
		places_are_scarce = false;
	} else {
		pool->idle[pool->n_idle++] = connection;
	}
	if (!places_are_scarce)
		open_places(pool);
	gate_leave(&pool->gate);
}

struct err postgresql_pool_new(
	struct postgresql_target *target, uint64_t patience, struct postgresql_pool **ret)
{
	struct postgresql_pool *pool = mem_zalloc(1, sizeof(*pool));
	struct connecting connecting = { .pool = pool };

	pool->target = target;
	pool->patience = patience;
	gate_init(&pool->gate, CONNECTIONS);
	connect_job(&connecting);
	if (failed(connecting.e)) {
		postgresql_pool_free(pool);
		return connecting.e;
	}
	pool->idle[pool->n_idle++] = connection_new(pool, connecting.pg);
	*ret = pool;
	return ok();
}

void postgresql_pool_free(struct postgresql_pool *pool)
{
	if (!pool)
		return;
	close_idle(pool);
	postgresql_target_free(pool->target);
	free(pool);
}
