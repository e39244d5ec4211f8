/*
 * registry_sqlite - the registry in a SQLite file in WAL mode, shared by the worker processes of
 * one machine.
 *
 * One connection writes, so that at most one thread of the pool waits for another process's lock;
 * the other writers wait at the gate as fibers. Readers are never held up by a writer (WAL).
 */
#include <assert.h>

#include "proxy/maildrop/registry.h"
#include "proxy/maildrop/sqlite_connection.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

#define READERS 2

struct sqlite_registry {
	struct registry registry;
	char *path;
	struct gate read_gate, write_gate;
	struct connection readers[READERS], writer;
	struct connection *free_readers[READERS]; /* a stack */
	size_t n_free_readers;
};

/* One call, as it goes to a thread of the pool. */
struct job {
	struct connection *connection;
	const struct registry_maildrop *maildrop;
	registry_visit *visit;
	registry_plan *plan;
	void *arg;
	int64_t maildrop_id; /* 0: unknown to the registry */
	struct err e;
};

struct sqlite_writer {
	struct registry_writer writer;
	struct job *job;
	int64_t *folder_ids; /* 0: not looked up yet */
};

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* value, or NULL where it means nothing. */
static void bind_unless(sqlite3_stmt *statement, int index, int64_t value, int64_t nothing)
{
	if (value == nothing)
		sqlite3_bind_null(statement, index);
	else
		sqlite3_bind_int64(statement, index, value);
}

/* Steps a query for one row: its first column (and second, if asked for), 0 when there is none. */
static struct err query_row(
	struct connection *connection, sqlite3_stmt *statement, int64_t *first, int64_t *second)
{
	struct err e = ok();
	int code = sqlite3_step(statement);

	*first = 0;
	if (code == SQLITE_ROW) {
		*first = sqlite3_column_int64(statement, 0);
		if (second)
			*second = sqlite3_column_int64(statement, 1);
	} else if (code != SQLITE_DONE) {
		e = connection_error(connection);
	}
	sqlite3_reset(statement);
	return e;
}

static struct err find_maildrop(struct job *job, int64_t *next)
{
	sqlite3_stmt *statement = connection_statement(job->connection, SQL_MAILDROP);

	bind_text(statement, 1, job->maildrop->tenant);
	bind_text(statement, 2, job->maildrop->login);
	return query_row(job->connection, statement, &job->maildrop_id, next);
}

static struct err find_folder(struct job *job, size_t folder, int64_t *ret)
{
	sqlite3_stmt *statement = connection_statement(job->connection, SQL_FOLDER);

	sqlite3_bind_int64(statement, 1, job->maildrop_id);
	bind_text(statement, 2, job->maildrop->folders[folder]);
	return query_row(job->connection, statement, ret, NULL);
}

/* False: out of memory. */
static bool visit_row(struct job *job, size_t folder, sqlite3_stmt *row)
{
	struct registry_entry entry = {
		.folder = folder,
		.uidvalidity = (uint32_t)sqlite3_column_int64(row, 0),
		.uid = (uint32_t)sqlite3_column_int64(row, 1),
		.key = (const char *)sqlite3_column_text(row, 2),
		.number = (uint64_t)sqlite3_column_int64(row, 3),
		.size = REGISTRY_NO_SIZE,
		.arrival = sqlite3_column_int64(row, 5),
		.missing = sqlite3_column_int64(row, 6),
		.hidden = sqlite3_column_int(row, 7) != 0,
	};

	if (sqlite3_column_type(row, 4) != SQLITE_NULL)
		entry.size = (uint64_t)sqlite3_column_int64(row, 4);
	if (!entry.key)
		return false;
	job->visit(&entry, job->arg);
	return true;
}

static struct err visit_folder(struct job *job, size_t folder)
{
	struct err e;
	sqlite3_stmt *statement;
	int64_t id;
	int code;

	if (failed(e = find_folder(job, folder, &id)) || !id)
		return e;
	statement = connection_statement(job->connection, SQL_MESSAGES);
	sqlite3_bind_int64(statement, 1, id);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		if (!visit_row(job, folder, statement))
			break;
	if (code != SQLITE_DONE)
		e = connection_error(job->connection);
	sqlite3_reset(statement);
	return e;
}

static struct err visit_all(struct job *job)
{
	struct err e = ok();

	job->visit(NULL, job->arg);
	if (!job->maildrop_id)
		return e;
	for (size_t i = 0; i < job->maildrop->n_folders && !failed(e); i++)
		e = visit_folder(job, i);
	return e;
}

static struct err run_simple(struct job *job, enum statement which)
{
	return connection_run(job->connection, connection_statement(job->connection, which));
}

/* One read transaction, so that the folders are of one moment. */
static struct err load(struct job *job)
{
	struct err e;

	if (failed(e = run_simple(job, SQL_BEGIN)))
		return e;
	if (failed(e = find_maildrop(job, NULL)))
		return e;
	if (failed(e = visit_all(job)))
		return e;
	return run_simple(job, SQL_COMMIT);
}

static void load_job(void *arg)
{
	struct job *job = arg;

	job->e = load(job);
	connection_roll_back(job->connection);
}

static struct err folder_id(struct sqlite_writer *writer, size_t folder, int64_t *ret)
{
	struct job *job = writer->job;
	struct err e;
	sqlite3_stmt *statement;

	if (!writer->folder_ids[folder]) {
		if (failed(e = find_folder(job, folder, ret)))
			return e;
		if (!*ret) {
			statement = connection_statement(job->connection, SQL_ADD_FOLDER);
			sqlite3_bind_int64(statement, 1, job->maildrop_id);
			bind_text(statement, 2, job->maildrop->folders[folder]);
			if (failed(e = connection_run(job->connection, statement)))
				return e;
			*ret = sqlite3_last_insert_rowid(job->connection->db);
		}
		writer->folder_ids[folder] = *ret;
	}
	*ret = writer->folder_ids[folder];
	return ok();
}

/* A statement whose first four parameters name a message. */
static struct err message_statement(struct sqlite_writer *writer, enum statement which,
	const struct registry_entry *entry, sqlite3_stmt **ret)
{
	struct err e;
	int64_t id;

	if (failed(e = folder_id(writer, entry->folder, &id)))
		return e;
	*ret = connection_statement(writer->job->connection, which);
	sqlite3_bind_int64(*ret, 1, id);
	sqlite3_bind_int64(*ret, 2, entry->uidvalidity);
	sqlite3_bind_int64(*ret, 3, entry->uid);
	bind_text(*ret, 4, entry->key);
	return ok();
}

static struct err keep(struct registry_writer *base, const struct registry_entry *entry)
{
	struct sqlite_writer *writer = (struct sqlite_writer *)base;
	struct err e;
	sqlite3_stmt *statement;

	if (failed(e = message_statement(writer, SQL_KEEP, entry, &statement)))
		return e;
	bind_unless(statement, 5, (int64_t)entry->number, 0);
	bind_unless(statement, 6, (int64_t)entry->size, (int64_t)REGISTRY_NO_SIZE);
	bind_unless(statement, 7, entry->arrival, 0);
	bind_unless(statement, 8, entry->missing, 0);
	sqlite3_bind_int(statement, 9, entry->hidden);
	return connection_run(writer->job->connection, statement);
}

static struct err drop(struct registry_writer *base, const struct registry_entry *entry)
{
	struct sqlite_writer *writer = (struct sqlite_writer *)base;
	struct err e;
	sqlite3_stmt *statement;

	if (failed(e = message_statement(writer, SQL_DROP, entry, &statement)))
		return e;
	bind_unless(statement, 5, entry->missing, 0);
	return connection_run(writer->job->connection, statement);
}

static struct err add_maildrop(struct job *job)
{
	sqlite3_stmt *statement = connection_statement(job->connection, SQL_ADD_MAILDROP);

	bind_text(statement, 1, job->maildrop->tenant);
	bind_text(statement, 2, job->maildrop->login);
	return connection_run(job->connection, statement);
}

/* Runs the plan and stores the counter where it moved. */
static struct err write_plan(struct job *job, int64_t next)
{
	cleanup(free_cleanup) int64_t *folder_ids =
		mem_zalloc(job->maildrop->n_folders, sizeof(*folder_ids));
	struct sqlite_writer writer = {
		.writer = { .next = (uint64_t)next, .keep = keep, .drop = drop },
		.job = job,
		.folder_ids = folder_ids,
	};
	struct err e;
	sqlite3_stmt *statement;

	if (failed(e = job->plan(&writer.writer, job->arg)))
		return e;
	assert(writer.writer.next >= (uint64_t)next);
	if (writer.writer.next == (uint64_t)next)
		return ok();
	if (writer.writer.next > REGISTRY_NUMBER_MAX)
		return err_make(ERR_PERM, "registry %s: out of numbers", job->connection->path);
	statement = connection_statement(job->connection, SQL_SET_NEXT);
	sqlite3_bind_int64(statement, 1, job->maildrop_id);
	sqlite3_bind_int64(statement, 2, (int64_t)writer.writer.next);
	return connection_run(job->connection, statement);
}

/* Numbers written to a file that was deleted or replaced under us would be given again by the
 * process that opens the new one. */
static struct err check_in_place(struct connection *connection)
{
	int moved = 0;

	if (sqlite3_file_control(connection->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
			SQLITE_OK &&
		moved)
		return err_make(ERR_PERM,
			"registry %s: the file was moved or removed while in use; restart popgate",
			connection->path);
	return ok();
}

static struct err change(struct job *job)
{
	struct err e;
	int64_t next = 1;

	if (failed(e = run_simple(job, SQL_BEGIN_WRITE)))
		return e;
	if (failed(e = check_in_place(job->connection)))
		return e;
	if (failed(e = find_maildrop(job, &next)))
		return e;
	if (!job->maildrop_id) {
		if (failed(e = add_maildrop(job)) || failed(e = find_maildrop(job, &next)))
			return e;
	}
	if (job->visit && failed(e = visit_all(job)))
		return e;
	if (failed(e = write_plan(job, next)))
		return e;
	return run_simple(job, SQL_COMMIT);
}

static void change_job(void *arg)
{
	struct job *job = arg;

	job->e = change(job);
	connection_roll_back(job->connection);
}

fiber_fn static struct err sqlite_load(struct registry *base,
	const struct registry_maildrop *maildrop, registry_visit *visit, void *arg)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;
	struct job job = { .maildrop = maildrop, .visit = visit, .arg = arg };
	struct err e;

	if (failed(e = gate_enter(&registry->read_gate)))
		return err_context(e, "registry");
	job.connection = registry->free_readers[--registry->n_free_readers];
	offload(load_job, &job);
	registry->free_readers[registry->n_free_readers++] = job.connection;
	gate_leave(&registry->read_gate);
	return job.e;
}

fiber_fn static struct err sqlite_change(struct registry *base,
	const struct registry_maildrop *maildrop, registry_visit *visit, registry_plan *plan,
	void *arg)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;
	struct job job = {
		.connection = &registry->writer,
		.maildrop = maildrop,
		.visit = visit,
		.plan = plan,
		.arg = arg,
	};
	struct err e;

	if (failed(e = gate_enter(&registry->write_gate)))
		return err_context(e, "registry");
	offload(change_job, &job);
	gate_leave(&registry->write_gate);
	return job.e;
}

static void sqlite_close(struct registry *base)
{
	struct sqlite_registry *registry = (struct sqlite_registry *)base;

	for (size_t i = 0; i < READERS; i++)
		connection_close(&registry->readers[i]);
	connection_close(&registry->writer);
	free(registry->path);
	free(registry);
}

static const struct registry_ops sqlite_ops = {
	.name = "sqlite",
	.load = sqlite_load,
	.change = sqlite_change,
	.close = sqlite_close,
};

struct err registry_sqlite_open(const char *path, int busy_timeout, struct registry **ret)
{
	struct sqlite_registry *registry = mem_zalloc(1, sizeof(*registry));
	struct err e;

	registry->registry.ops = &sqlite_ops;
	registry->path = mem_strdup(path);
	gate_init(&registry->write_gate, 1);
	gate_init(&registry->read_gate, READERS);
	e = connection_open(&registry->writer, registry->path, busy_timeout, true);
	for (size_t i = 0; i < READERS && !failed(e); i++) {
		e = connection_open(&registry->readers[i], registry->path, busy_timeout, false);
		registry->free_readers[registry->n_free_readers++] = &registry->readers[i];
	}
	if (failed(e)) {
		sqlite_close(&registry->registry);
		return e;
	}
	*ret = &registry->registry;
	return ok();
}
