/*
 * registry_sqlite - the registry in a SQLite file in WAL mode, shared by the worker processes of
 * one machine.
 *
 * One connection writes; the other writers of this process wait at the gate as fibers, and so does
 * whoever waits for another process's lock. Readers are never held up by a writer (WAL). Revisions
 * are read on a connection of their own, so that they need not wait for long loads. That they go
 * through the pool at all is because a page may have to come from a slow disk; the board tells of
 * most that they are what they were.
 */
#include <string.h>

#include "proxy/maildrop/registry.h"
#include "proxy/maildrop/revision_board.h"
#include "proxy/maildrop/sqlite_connection.h"
#include "proxy/maildrop/sqlite_rows.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

#define LOADERS 2

/* Between two attempts at a lock that another process holds; ms. */
#define FIRST_PAUSE 1
#define LAST_PAUSE  50

/* Connections for one kind of call. */
struct connections {
	struct gate gate;
	struct connection all[LOADERS];
	struct connection *free[LOADERS]; /* a stack */
	size_t n, n_free;
};

struct sqlite_registry {
	struct registry registry;
	char *path;
	uint64_t patience; /* ms; for another process's lock */
	struct revision_board *board;
	struct connections loaders, glances, writer;
};

/* One call, as it goes to a thread of the pool: those of its members that it needs. */
struct job {
	void (*run)(struct job *job);
	struct connection *connection;
	const struct registry_maildrop *maildrop;
	struct arena *arena;
	struct registry_record *record;
	uint64_t revision;
	const char *tenant, *login;
	struct registry_maildrop *next;
	struct buffer *lines;
	struct sqlite_change change;
	struct sqlite_expire expire;
	enum sqlite_progress progress;
	struct revision_board *board;
	struct board_place place;
	bool announced;  /* to the board, */
	uint64_t begun;  /* which said this; */
	uint64_t ticket; /* and this at the end */
	struct err e;
};

static void run_in_thread(void *arg)
{
	struct job *job = arg;

	job->run(job);
}

fiber_fn static struct err take(struct connections *connections, struct job *job)
{
	struct err e = gate_enter(&connections->gate);

	if (failed(e))
		return err_context(e, "registry");
	job->connection = connections->free[--connections->n_free];
	return ok();
}

static void give_back(struct connections *connections, const struct job *job)
{
	connections->free[connections->n_free++] = job->connection;
	gate_leave(&connections->gate);
}

fiber_fn static struct err run_reader(struct connections *connections, struct job *job)
{
	struct err e = take(connections, job);

	if (failed(e))
		return e;
	offload(run_in_thread, job);
	give_back(connections, job);
	return job->e;
}

fiber_fn static struct err wait_for_lock(
	const struct sqlite_registry *registry, uint64_t started, uint64_t *pause)
{
	struct err e;

	if (runtime_now() - started >= registry->patience)
		return err_make(ERR_TEMP, "registry %s: database is locked", registry->path);
	if (failed(e = wait_sleep(*pause)))
		return err_context(e, "registry");
	*pause = *pause * 2 < LAST_PAUSE ? *pause * 2 : LAST_PAUSE;
	return ok();
}

/* Once begun it is carried to its end, whatever becomes of the fiber meanwhile. */
fiber_fn static struct err run_writer(struct sqlite_registry *registry, struct job *job)
{
	uint64_t started, pause = FIRST_PAUSE;
	struct err e = take(&registry->writer, job);

	if (failed(e))
		return e;
	started = runtime_now();
	for (;;) {
		offload(run_in_thread, job);
		e = job->e;
		if (failed(e) || job->progress == SQLITE_WRITE_IS_OVER)
			break;
		if (job->progress == SQLITE_WRITE_BEGINS &&
			failed(e = wait_for_lock(registry, started, &pause)))
			break;
	}
	give_back(&registry->writer, job);
	return e;
}

static void job_revision(struct job *job)
{
	struct sqlite_maildrop row;

	job->e = sqlite_find_maildrop(job->connection, job->maildrop, &row);
	job->revision = row.revision;
}

fiber_fn static struct err sqlite_registry_revision(
	struct registry *base, const struct registry_maildrop *maildrop, uint64_t *ret)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;
	struct board_place place = revision_board_place(registry->board, maildrop);
	uint64_t ticket = revision_board_ticket(registry->board, place);
	struct job job = { .run = job_revision, .maildrop = maildrop };
	struct err e;

	if (failed(e = run_reader(&registry->glances, &job)))
		return e;
	revision_board_keep(registry->board, place, ticket, job.revision);
	*ret = job.revision;
	return ok();
}

static bool sqlite_registry_recall(
	struct registry *base, const struct registry_maildrop *maildrop, uint64_t *ret)
{
	const struct sqlite_registry *registry = (struct sqlite_registry *)base;
	struct board_place place = revision_board_place(registry->board, maildrop);

	return revision_board_recall(registry->board, place, ret);
}

static void job_load(struct job *job)
{
	job->e = sqlite_load(job->connection, job->maildrop, job->arena, job->record);
}

fiber_fn static struct err sqlite_registry_load(struct registry *base,
	const struct registry_maildrop *maildrop, struct arena *arena, struct registry_record *ret)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;
	struct job job = { .run = job_load, .maildrop = maildrop, .arena = arena, .record = ret };

	return run_reader(&registry->loaders, &job);
}

static void end_change(struct job *job)
{
	if (job->announced)
		job->ticket = revision_board_end(job->board, job->place, job->begun);
	job->announced = false;
}

static void job_change(struct job *job)
{
	/* Not in the middle of a transaction, which would stay open. */
	if (job->progress == SQLITE_WRITE_BEGINS &&
		failed(job->e = revision_board_check(job->board)))
		return;
	/* Here and not in the loop, since to write to a page of a file may have to wait. */
	if (!job->announced)
		job->begun = revision_board_begin(job->board, job->place);
	job->announced = true;
	job->e = sqlite_change(job->connection, &job->change, &job->progress);
	if (job->progress == SQLITE_WRITE_IS_OVER)
		end_change(job);
}

fiber_fn static struct err sqlite_registry_change(struct registry *base,
	const struct registry_maildrop *maildrop, const struct registry_change *change,
	uint64_t *ret_revision)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;
	struct job job = {
		.run = job_change,
		.change = { .maildrop = maildrop, .change = change },
		.board = registry->board,
		.place = revision_board_place(registry->board, maildrop),
	};
	struct err e = run_writer(registry, &job);

	end_change(&job); /* where others held the lock for too long */
	if (failed(e))
		return e;
	revision_board_keep(job.board, job.place, job.ticket, job.change.revision);
	*ret_revision = job.change.revision;
	return ok();
}

static void job_next(struct job *job)
{
	job->e = sqlite_next(job->connection, job->tenant, job->login, job->arena, job->next);
}

fiber_fn static struct err sqlite_registry_next(struct registry *base, const char *tenant,
	const char *login, struct arena *arena, struct registry_maildrop *ret)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;
	struct job job = {
		.run = job_next, .tenant = tenant, .login = login, .arena = arena, .next = ret
	};

	return run_reader(&registry->loaders, &job);
}

static void job_expire(struct job *job)
{
	if (failed(job->e = revision_board_check(job->board)))
		return;
	revision_board_begin_all(job->board);
	job->e = sqlite_expire(job->connection, &job->expire, &job->progress);
	revision_board_end_all(job->board);
}

fiber_fn static struct err sqlite_registry_expire(
	struct registry *base, int64_t seen_before, size_t max, size_t *ret_n)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;
	struct job job = {
		.run = job_expire,
		.expire = { .seen_before = seen_before, .max = max },
		.board = registry->board,
	};
	struct err e;

	if (failed(e = run_writer(registry, &job)))
		return e;
	*ret_n = job.expire.n;
	return ok();
}

static void job_check(struct job *job)
{
	job->e = sqlite_check(job->connection, job->lines);
}

fiber_fn static struct err sqlite_registry_check(
	struct registry *base, registry_report *report, void *arg)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;
	struct buffer lines = { 0 };
	struct job job = { .run = job_check, .lines = &lines };
	struct err e = run_reader(&registry->loaders, &job);
	char *line, *rest;

	buffer_append(&lines, "", 1);
	rest = buffer_data(&lines);
	while ((line = strsep(&rest, "\n")) && *line)
		report(line, arg);
	buffer_done(&lines);
	return e;
}

static void close_all(struct connections *connections)
{
	for (size_t i = 0; i < connections->n; i++)
		connection_close(&connections->all[i]);
}

static void sqlite_registry_close(struct registry *base)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;

	close_all(&registry->glances);
	close_all(&registry->loaders);
	close_all(&registry->writer);
	revision_board_close(registry->board);
	free(registry->path);
	free(registry);
}

static const struct registry_ops sqlite_ops = {
	.name = "sqlite",
	.recall = sqlite_registry_recall,
	.revision = sqlite_registry_revision,
	.load = sqlite_registry_load,
	.change = sqlite_registry_change,
	.next = sqlite_registry_next,
	.expire = sqlite_registry_expire,
	.check = sqlite_registry_check,
	.close = sqlite_registry_close,
};

static struct err open_some(
	struct connections *connections, size_t n, const char *path, int busy_timeout, bool writes)
{
	struct err e = ok();

	gate_init(&connections->gate, (unsigned)n);
	for (; connections->n < n && !failed(e); connections->n++) {
		struct connection *connection = &connections->all[connections->n];

		e = connection_open(connection, path, busy_timeout, writes);
		connections->free[connections->n_free++] = connection;
	}
	return e;
}

struct err registry_sqlite_open(const char *path, int busy_timeout, struct registry **ret)
{
	struct sqlite_registry *registry = mem_zalloc(1, sizeof(*registry));
	struct err e;

	registry->registry.ops = &sqlite_ops;
	registry->path = mem_strdup(path);
	registry->patience = (uint64_t)busy_timeout;
	/* First the one that makes the schema. */
	e = open_some(&registry->writer, 1, registry->path, busy_timeout, true);
	if (!failed(e))
		e = revision_board_open(
			sqlite3_db_filename(registry->writer.all[0].db, "main"), &registry->board);
	if (!failed(e))
		e = open_some(&registry->loaders, LOADERS, registry->path, busy_timeout, false);
	if (!failed(e))
		e = open_some(&registry->glances, 1, registry->path, busy_timeout, false);
	if (failed(e)) {
		sqlite_registry_close(&registry->registry);
		return e;
	}
	/* From now on no thread waits for a lock: fibers do. */
	sqlite3_busy_timeout(registry->writer.all[0].db, 0);
	*ret = &registry->registry;
	return ok();
}
