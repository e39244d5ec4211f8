/* sqlite_rows, the writing half - see the header. */
#include "proxy/maildrop/sqlite_rows.h"
#include "proxy/runtime/fault.h"

/* Rows in one call: some hundredths of a second. */
#define ROWS_AT_ONCE 20000

#define FOLDER_ABSENT (-1)

/* text, or NULL where it is empty. */
static void bind_some_text(sqlite3_stmt *statement, int index, const char *text)
{
	if (text && *text)
		sqlite_bind_text(statement, index, text);
	else
		sqlite3_bind_null(statement, index);
}

/* value, or NULL where it means nothing. */
static void bind_unless(sqlite3_stmt *statement, int index, uint64_t value, uint64_t nothing)
{
	if (value == nothing)
		sqlite3_bind_null(statement, index);
	else
		sqlite3_bind_int64(statement, index, (int64_t)value);
}

static struct err run_simple(struct connection *connection, enum statement which)
{
	return connection_run(connection, connection_statement(connection, which));
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

/* Ok without *begun: another process is writing. */
static struct err begin(struct connection *connection, bool *begun)
{
	struct err e = run_simple(connection, SQL_BEGIN_WRITE);

	*begun = !failed(e);
	if (failed(e))
		return (sqlite3_errcode(connection->db) & 0xff) == SQLITE_BUSY ? ok() : e;
	fault_point("registry.begin");
	return check_in_place(connection);
}

static struct err commit(struct connection *connection)
{
	struct err e;

	fault_point("registry.commit.before");
	e = run_simple(connection, SQL_COMMIT);
	fault_point("registry.commit.after");
	return e;
}

static struct err add_maildrop(struct connection *connection, struct sqlite_change *change)
{
	sqlite3_stmt *statement = connection_statement(connection, SQL_ADD_MAILDROP);
	struct err e;

	fault_point("registry.maildrop");
	sqlite_bind_text(statement, 1, change->maildrop->tenant);
	sqlite_bind_text(statement, 2, change->maildrop->login);
	if (failed(e = connection_run(connection, statement)))
		return e;
	change->row.id = sqlite3_last_insert_rowid(connection->db);
	return ok();
}

static struct err add_folder(
	struct connection *connection, int64_t maildrop_id, const char *name, int64_t *ret)
{
	sqlite3_stmt *statement = connection_statement(connection, SQL_ADD_FOLDER);
	struct err e;

	fault_point("registry.folder");
	sqlite3_bind_int64(statement, 1, maildrop_id);
	sqlite_bind_text(statement, 2, name);
	if (failed(e = connection_run(connection, statement)))
		return e;
	*ret = sqlite3_last_insert_rowid(connection->db);
	return ok();
}

/* FOLDER_ABSENT when there is none and none is to be made. */
static struct err folder_id(struct connection *connection, struct sqlite_change *change,
	size_t folder, bool make, int64_t *ret)
{
	const char *name = change->maildrop->folders[folder];
	int64_t *id = &change->folder_ids[folder];
	struct err e = ok();

	if (!*id) {
		e = sqlite_find_folder(connection, change->row.id, name, id, NULL, NULL);
		if (!failed(e) && !*id)
			*id = FOLDER_ABSENT;
	}
	if (!failed(e) && *id == FOLDER_ABSENT && make)
		e = add_folder(connection, change->row.id, name, id);
	*ret = *id;
	return e;
}

static void bind_name(sqlite3_stmt *statement, int64_t id, const struct registry_entry *entry)
{
	sqlite3_bind_int64(statement, 1, id);
	sqlite3_bind_int64(statement, 2, entry->uidvalidity);
	sqlite3_bind_int64(statement, 3, entry->uid);
	sqlite_bind_text(statement, 4, entry->key ? entry->key : "");
}

static struct err drop(struct connection *connection, struct sqlite_change *change,
	const struct registry_entry *entry)
{
	sqlite3_stmt *statement;
	struct err e;
	int64_t id;

	e = folder_id(connection, change, entry->folder, false, &id);
	if (failed(e) || id == FOLDER_ABSENT)
		return e;
	fault_point("registry.drop");
	statement = connection_statement(connection, SQL_DROP);
	bind_name(statement, id, entry);
	return connection_run(connection, statement);
}

static struct err keep(struct connection *connection, struct sqlite_change *change,
	const struct registry_entry *entry)
{
	sqlite3_stmt *statement;
	struct err e;
	int64_t id;

	if (failed(e = folder_id(connection, change, entry->folder, true, &id)))
		return e;
	fault_point("registry.keep");
	statement = connection_statement(connection, SQL_KEEP);
	bind_name(statement, id, entry);
	bind_some_text(statement, 5, entry->unique_id);
	bind_unless(statement, 6, entry->size, REGISTRY_NO_SIZE);
	sqlite3_bind_int(statement, 7, entry->exact);
	bind_unless(statement, 8, entry->measured, REGISTRY_NO_SIZE);
	bind_unless(statement, 9, (uint64_t)entry->arrival, 0);
	bind_some_text(statement, 10, entry->emailid);
	bind_unless(statement, 11, entry->fingerprint, 0);
	bind_unless(statement, 12, (uint64_t)entry->missing, 0);
	sqlite3_bind_int(statement, 13, entry->hidden);
	return connection_run(connection, statement);
}

static struct err write_rows(
	struct connection *connection, struct sqlite_change *change, size_t *left)
{
	const struct registry_change *what = change->change;
	struct err e = ok();

	for (; *left && change->dropped < what->n_drop && !failed(e); --*left)
		e = drop(connection, change, &what->drop[change->dropped++]);
	for (; *left && change->kept < what->n_keep && !failed(e); --*left)
		e = keep(connection, change, &what->keep[change->kept++]);
	return e;
}

static struct err write_mark(
	struct connection *connection, struct sqlite_change *change, size_t folder)
{
	const char *mark = change->change->marks[folder];
	sqlite3_stmt *statement;
	struct err e;
	int64_t id;

	e = folder_id(connection, change, folder, *mark, &id);
	if (failed(e) || id == FOLDER_ABSENT)
		return e;
	fault_point("registry.mark");
	statement = connection_statement(connection, SQL_SET_MARK);
	sqlite3_bind_int64(statement, 1, id);
	bind_some_text(statement, 2, mark);
	return connection_run(connection, statement);
}

static struct err write_maildrop(struct connection *connection, struct sqlite_change *change)
{
	const struct registry_change *what = change->change;
	uint64_t revision = registry_revision_after(change->row.revision);
	sqlite3_stmt *statement;

	if (what->next > REGISTRY_NUMBER_MAX || revision > REGISTRY_NUMBER_MAX)
		return err_make(ERR_PERM, "registry %s: out of numbers", connection->path);
	fault_point("registry.counter");
	statement = connection_statement(connection, SQL_SET_MAILDROP);
	sqlite3_bind_int64(statement, 1, change->row.id);
	sqlite3_bind_int64(statement, 2, (int64_t)revision);
	sqlite3_bind_int64(statement, 3, (int64_t)what->next);
	sqlite3_bind_int64(statement, 4, what->flags);
	bind_unless(statement, 5, (uint64_t)what->seen, 0);
	change->revision = revision;
	return connection_run(connection, statement);
}

static struct err start_change(
	struct connection *connection, struct sqlite_change *change, enum sqlite_progress *progress)
{
	struct err e;
	bool begun;

	e = begin(connection, &begun);
	if (failed(e) || !begun)
		return e;
	if (failed(e = sqlite_find_maildrop(connection, change->maildrop, &change->row)))
		return e;
	if (change->row.revision != change->change->revision) {
		*progress = SQLITE_WRITE_IS_OVER;
		return ok();
	}
	*progress = SQLITE_WRITE_GOES_ON;
	change->folder_ids = mem_zalloc(change->maildrop->n_folders, sizeof(*change->folder_ids));
	return change->row.id ? ok() : add_maildrop(connection, change);
}

static struct err finish_change(struct connection *connection, struct sqlite_change *change)
{
	struct err e = ok();

	for (size_t i = 0; change->change->marks && i < change->maildrop->n_folders; i++)
		if (change->change->marks[i] && failed(e = write_mark(connection, change, i)))
			return e;
	if (failed(e = write_maildrop(connection, change)))
		return e;
	return commit(connection);
}

static struct err change_some(
	struct connection *connection, struct sqlite_change *change, enum sqlite_progress *progress)
{
	size_t left = ROWS_AT_ONCE;
	struct err e;

	if (*progress == SQLITE_WRITE_BEGINS) {
		e = start_change(connection, change, progress);
		if (failed(e) || *progress != SQLITE_WRITE_GOES_ON)
			return e;
	}
	if (failed(e = write_rows(connection, change, &left)) || !left)
		return e;
	*progress = SQLITE_WRITE_IS_OVER;
	return finish_change(connection, change);
}

struct err sqlite_change(
	struct connection *connection, struct sqlite_change *change, enum sqlite_progress *progress)
{
	struct err e = change_some(connection, change, progress);

	if (failed(e)) {
		*progress = SQLITE_WRITE_IS_OVER;
		change->revision = 0;
	}
	if (*progress == SQLITE_WRITE_IS_OVER) {
		connection_roll_back(connection);
		free(steal(change->folder_ids));
	}
	return e;
}

static struct err find_idle(
	struct connection *connection, const struct sqlite_expire *expire, int64_t *ids, size_t *n)
{
	sqlite3_stmt *statement = connection_statement(connection, SQL_IDLE);
	struct err e = ok();
	int code;

	sqlite3_bind_int64(statement, 1, expire->seen_before);
	sqlite3_bind_int64(statement, 2, (int64_t)expire->max);
	for (*n = 0; (code = sqlite3_step(statement)) == SQLITE_ROW; ++*n)
		ids[*n] = sqlite3_column_int64(statement, 0);
	if (code != SQLITE_DONE)
		e = connection_error(connection);
	sqlite3_reset(statement);
	return e;
}

static struct err forget(struct connection *connection, int64_t id)
{
	static const enum statement steps[] = { SQL_FORGET_MESSAGES, SQL_FORGET_FOLDERS,
		SQL_FORGET_MAILDROP };
	struct err e = ok();

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !failed(e); i++) {
		sqlite3_stmt *statement = connection_statement(connection, steps[i]);

		fault_point("registry.forget");
		sqlite3_bind_int64(statement, 1, id);
		e = connection_run(connection, statement);
	}
	return e;
}

static struct err expire_all(
	struct connection *connection, struct sqlite_expire *expire, enum sqlite_progress *progress)
{
	cleanup(free_cleanup) int64_t *ids = mem_zalloc(expire->max, sizeof(*ids));
	struct err e;
	bool begun;
	size_t n;

	e = begin(connection, &begun);
	if (failed(e) || !begun)
		return e;
	*progress = SQLITE_WRITE_IS_OVER;
	if (failed(e = find_idle(connection, expire, ids, &n)))
		return e;
	for (size_t i = 0; i < n; i++)
		if (failed(e = forget(connection, ids[i])))
			return e;
	if (failed(e = commit(connection)))
		return e;
	expire->n = n;
	return ok();
}

struct err sqlite_expire(
	struct connection *connection, struct sqlite_expire *expire, enum sqlite_progress *progress)
{
	struct err e = expire_all(connection, expire, progress);

	if (failed(e))
		*progress = SQLITE_WRITE_IS_OVER;
	connection_roll_back(connection);
	return e;
}
