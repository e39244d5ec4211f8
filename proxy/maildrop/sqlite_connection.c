/* sqlite_connection - see the header. */
#include "proxy/maildrop/sqlite_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "proxy/runtime/account.h"
#include "proxy/runtime/fault.h"
#include "proxy/runtime/mem.h"

#define APPLICATION_ID 0x706f7067 /* "popg" */
#define RETRY_PAUSE    10         /* ms */

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

/* Version 1: numbers only, and what was measured or hidden. A message's row has uidvalidity and uid
 * (IMAP) or key (Maildir); the other is 0, 0 or ''. key is TEXT for people's sake, but holds any
 * octets a file name may have. */
static const char *const schema_1[] = {
	"CREATE TABLE maildrop ("
	"  id INTEGER PRIMARY KEY,"
	"  tenant TEXT NOT NULL,"
	"  login TEXT NOT NULL,"
	"  next_number INTEGER NOT NULL DEFAULT 1,"
	"  UNIQUE (tenant, login)) STRICT",
	"CREATE TABLE folder ("
	"  id INTEGER PRIMARY KEY,"
	"  maildrop INTEGER NOT NULL REFERENCES maildrop (id),"
	"  name TEXT NOT NULL,"
	"  UNIQUE (maildrop, name)) STRICT",
	"CREATE TABLE message ("
	"  folder INTEGER NOT NULL REFERENCES folder (id),"
	"  uidvalidity INTEGER NOT NULL,"
	"  uid INTEGER NOT NULL,"
	"  key TEXT NOT NULL,"
	"  number INTEGER,"
	"  size INTEGER,"
	"  arrival INTEGER,"
	"  missing INTEGER,"
	"  hidden INTEGER NOT NULL DEFAULT 0,"
	"  PRIMARY KEY (folder, uidvalidity, uid, key)) STRICT, WITHOUT ROWID",
	"PRAGMA application_id = " STRING(APPLICATION_ID),
	NULL,
};

/* Version 2: revisions, marks, and all that is known of a message. The unique-id is text whatever
 * it was made of; NULL is computed, and elsewhere what struct registry_entry has a word for. The
 * folder '' held notices of quota, which are written anew. */
static const char *const schema_2[] = {
	"ALTER TABLE maildrop ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
	"ALTER TABLE maildrop ADD COLUMN flags INTEGER NOT NULL DEFAULT 0",
	"ALTER TABLE maildrop ADD COLUMN seen INTEGER",
	"UPDATE maildrop SET revision = unixepoch() * 1000000",
	"ALTER TABLE folder ADD COLUMN mark TEXT",
	"ALTER TABLE message RENAME TO message_1",
	"CREATE TABLE message ("
	"  folder INTEGER NOT NULL REFERENCES folder (id),"
	"  uidvalidity INTEGER NOT NULL,"
	"  uid INTEGER NOT NULL,"
	"  key TEXT NOT NULL,"
	"  unique_id TEXT,"
	"  size INTEGER,"
	"  exact INTEGER NOT NULL,"
	"  measured INTEGER,"
	"  arrival INTEGER,"
	"  emailid TEXT,"
	"  fingerprint INTEGER,"
	"  missing INTEGER,"
	"  hidden INTEGER NOT NULL,"
	"  PRIMARY KEY (folder, uidvalidity, uid, key)) STRICT, WITHOUT ROWID",
	"INSERT INTO message (folder, uidvalidity, uid, key, unique_id, exact, measured, arrival,"
	"  missing, hidden)"
	" SELECT folder, uidvalidity, uid, key, CASE WHEN key <> '' THEN CAST(number AS TEXT) END,"
	"  0, size, arrival, missing, hidden"
	" FROM message_1 WHERE folder IN (SELECT id FROM folder WHERE name <> '')"
	" ORDER BY folder, uidvalidity, uid, key",
	"DROP TABLE message_1",
	"DELETE FROM folder WHERE name = ''",
	NULL,
};

/* Step i brings the schema from version i to i+1. Never edit one that was released: append. */
static const char *const *const schema_steps[] = { schema_1, schema_2 };
#define SCHEMA_VERSION ((int)(sizeof(schema_steps) / sizeof(schema_steps[0])))

static const char *const statement_texts[SQL_COUNT_] = {
	[SQL_BEGIN] = "BEGIN",
	[SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_MAILDROP] = "SELECT id, revision, next_number, flags, seen"
			 " FROM maildrop WHERE tenant = ? AND login = ?",
	[SQL_FOLDER] = "SELECT id, mark FROM folder WHERE maildrop = ? AND name = ?",
	[SQL_FOLDERS] = "SELECT id, mark, name FROM folder WHERE maildrop = ? ORDER BY name",
	[SQL_MESSAGES] = "SELECT uidvalidity, uid, key, unique_id, size, exact, measured, arrival,"
			 " emailid, fingerprint, missing, hidden"
			 " FROM message WHERE folder = ? ORDER BY uidvalidity, uid, key",
	[SQL_ADD_MAILDROP] = "INSERT INTO maildrop (tenant, login, next_number)"
			     " VALUES (?, ?, 0)",
	[SQL_SET_MAILDROP] =
		"UPDATE maildrop SET revision = ?2, next_number = max(next_number, ?3),"
		" flags = ?4, seen = ?5 WHERE id = ?1",
	[SQL_ADD_FOLDER] = "INSERT INTO folder (maildrop, name) VALUES (?, ?)",
	[SQL_SET_MARK] = "UPDATE folder SET mark = ?2 WHERE id = ?1",
	[SQL_KEEP] = "REPLACE INTO message (folder, uidvalidity, uid, key, unique_id, size, exact,"
		     " measured, arrival, emailid, fingerprint, missing, hidden)"
		     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQL_DROP] = "DELETE FROM message"
		     " WHERE folder = ? AND uidvalidity = ? AND uid = ? AND key = ?",
	[SQL_NEXT] = "SELECT tenant, login FROM maildrop WHERE (tenant, login) > (?, ?)"
		     " ORDER BY tenant, login LIMIT 1",
	[SQL_IDLE] =
		"SELECT id FROM maildrop"
		" WHERE max(coalesce(seen, 0), revision / 1000000) < ?1 AND flags = 0"
		" AND NOT EXISTS (SELECT 1 FROM folder JOIN message ON message.folder = folder.id"
		"  WHERE folder.maildrop = maildrop.id AND (message.unique_id IS NOT NULL"
		"  OR message.hidden OR message.measured IS NOT NULL))"
		" LIMIT ?2",
	[SQL_FORGET_MESSAGES] = "DELETE FROM message"
				" WHERE folder IN (SELECT id FROM folder WHERE maildrop = ?)",
	[SQL_FORGET_FOLDERS] = "DELETE FROM folder WHERE maildrop = ?",
	[SQL_FORGET_MAILDROP] = "DELETE FROM maildrop WHERE id = ?",
	[SQL_INTEGRITY] = "PRAGMA integrity_check",
	[SQL_FOREIGN_KEYS] = "PRAGMA foreign_key_check",
};

static enum err_scope scope_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CANTOPEN:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
	case SQLITE_ERROR: /* a table or column that should be there is not */
		return ERR_PERM;
	default:
		return ERR_TEMP;
	}
}

/* The file is somebody else's, most often root's, who tried something. */
static struct err not_ours(const char *path)
{
	char account[ACCOUNT_TEXT];

	return err_make(ERR_PERM,
		"registry %s: cannot be written: give it, and its folder, to the account %s", path,
		account_name(account));
}

struct err connection_error(struct connection *connection)
{
	int code = sqlite3_extended_errcode(connection->db);
	int errnum = sqlite3_system_errno(connection->db);
	bool system = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_IOERR;

	if (system && errnum == EACCES)
		return not_ours(connection->path);
	if (system && errnum)
		return err_errno(scope_of(code), errnum, "registry %s: %s", connection->path,
			sqlite3_errmsg(connection->db));
	return err_make(scope_of(code), "registry %s: %s", connection->path,
		sqlite3_errmsg(connection->db));
}

/* A file that SQLite creates itself would get the umask's mode; and a power loss soon after must
 * not take the file's name along with the numbers already shown, hence the fsync of its folder. */
static struct err create_file(const char *path)
{
	cleanup(free_cleanup) char *copy = NULL;
	char account[ACCOUNT_TEXT];
	int fd, folder, failure = 0;

	/* Opened only when new: closing a second descriptor of a database in use would drop the
	 * locks that SQLite holds on it. */
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	failure = fd < 0 ? errno : 0;
	if (failure == EEXIST)
		return ok();
	if (failure)
		return err_make(ERR_PERM,
			"registry %s: cannot be created (%s): its folder must be there, and the "
			"account %s able to write to it",
			path, strerror(failure), account_name(account));
	copy = mem_strdup(path);
	folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fsync(fd) || folder < 0 || fsync(folder))
		failure = errno;
	close(fd);
	if (folder >= 0)
		close(folder);
	return failure ? err_errno(ERR_TEMP, failure, "registry %s: cannot be synced", path) : ok();
}

static struct err execute(struct connection *connection, const char *sql)
{
	if (sqlite3_exec(connection->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return connection_error(connection);
	return ok();
}

/* The first column of the first row of a PRAGMA or SELECT. */
static struct err query_integer(struct connection *connection, const char *sql, int *ret)
{
	sqlite3_stmt *statement;
	struct err e = ok();

	if (sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return connection_error(connection);
	if (sqlite3_step(statement) == SQLITE_ROW)
		*ret = sqlite3_column_int(statement, 0);
	else
		e = connection_error(connection);
	sqlite3_finalize(statement);
	return e;
}

/* SQLite does not call its busy handler on every path of this switch, which several processes may
 * attempt at once on a new file. */
static struct err use_wal(struct connection *connection, int busy_timeout)
{
	int waited = 0;

	while (sqlite3_exec(connection->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) !=
		SQLITE_OK) {
		if (sqlite3_errcode(connection->db) != SQLITE_BUSY || waited >= busy_timeout)
			return connection_error(connection);
		waited += sqlite3_sleep(RETRY_PAUSE);
	}
	return ok();
}

/* In a transaction: another process may be making the schema at this moment. */
static struct err check_version(struct connection *connection, int *ret)
{
	struct err e;
	int version = 0, id = 0, objects = 0;

	if (failed(e = query_integer(connection, "PRAGMA user_version", &version)))
		return e;
	if (failed(e = query_integer(connection, "PRAGMA application_id", &id)))
		return e;
	if (failed(e = query_integer(connection, "SELECT count(*) FROM sqlite_schema", &objects)))
		return e;
	if (id != APPLICATION_ID && (id || version || objects))
		return err_make(ERR_PERM, "registry %s: a database of another application",
			connection->path);
	if (version < 0 || version > SCHEMA_VERSION)
		return err_make(ERR_PERM,
			"registry %s: its schema is version %d, this popgate knows up to %d; "
			"run the newer popgate",
			connection->path, version, SCHEMA_VERSION);
	*ret = version;
	return ok();
}

static struct err run_step(struct connection *connection, const char *const *statements)
{
	struct err e = ok();

	for (; *statements && !failed(e); statements++) {
		fault_point("registry.schema");
		e = execute(connection, *statements);
	}
	return e;
}

static struct err upgrade(struct connection *connection)
{
	struct err e;
	char set_version[48];
	int version = 0;

	/* Looked at again under the write lock: another process may have been first. */
	if (failed(e = execute(connection, "BEGIN IMMEDIATE")))
		return e;
	if (failed(e = check_version(connection, &version)))
		return e;
	for (; version < SCHEMA_VERSION; version++)
		if (failed(e = run_step(connection, schema_steps[version])))
			return e;
	sqlite3_snprintf(sizeof(set_version), set_version, "PRAGMA user_version = %d", version);
	if (failed(e = execute(connection, set_version)))
		return e;
	fault_point("registry.schema.commit.before");
	e = execute(connection, "COMMIT");
	fault_point("registry.schema.commit.after");
	return e;
}

static struct err read_version(struct connection *connection, int *ret)
{
	struct err e;

	if (failed(e = execute(connection, "BEGIN")))
		return e;
	e = check_version(connection, ret);
	connection_roll_back(connection);
	return e;
}

static struct err prepare_schema(struct connection *connection, int busy_timeout)
{
	struct err e;
	int version = 0;

	sqlite3_busy_timeout(connection->db, busy_timeout);
	/* Before anything is changed in what may be someone else's file. */
	if (failed(e = read_version(connection, &version)))
		return e;
	if (sqlite3_db_readonly(connection->db, "main"))
		return not_ours(connection->path);
	if (failed(e = use_wal(connection, busy_timeout)))
		return e;
	/* FULL: a commit is on disk when it returns, or a power loss could give a number twice. */
	if (failed(e = execute(connection, "PRAGMA synchronous = FULL")))
		return e;
	if (version < SCHEMA_VERSION && failed(e = upgrade(connection))) {
		connection_roll_back(connection);
		return e;
	}
	return ok();
}

static struct err prepare_statements(struct connection *connection)
{
	for (size_t i = 0; i < SQL_COUNT_; i++)
		if (sqlite3_prepare_v3(connection->db, statement_texts[i], -1,
			    SQLITE_PREPARE_PERSISTENT, &connection->statements[i], NULL))
			return connection_error(connection);
	return ok();
}

static struct err connection_set_up(struct connection *connection, int busy_timeout, bool writes)
{
	struct err e;

	if (failed(e = prepare_schema(connection, busy_timeout)))
		return e;
	if (!writes && failed(e = execute(connection, "PRAGMA query_only = ON")))
		return e;
	return prepare_statements(connection);
}

struct err connection_open(
	struct connection *connection, const char *path, int busy_timeout, bool writes)
{
	struct err e;

	memset(connection, 0, sizeof(*connection));
	connection->path = path;
	if (failed(e = create_file(path)))
		return e;
	/* NOMUTEX: any thread, one at a time, which the pool of connections sees to. */
	if (sqlite3_open_v2(path, &connection->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		e = connection->db ? connection_error(connection)
				   : err_make(ERR_TEMP, "registry %s: out of memory", path);
	else
		e = connection_set_up(connection, busy_timeout, writes);
	if (failed(e))
		connection_close(connection);
	return e;
}

void connection_close(struct connection *connection)
{
	for (size_t i = 0; i < SQL_COUNT_; i++)
		sqlite3_finalize(connection->statements[i]);
	sqlite3_close(connection->db);
	memset(connection, 0, sizeof(*connection));
}

sqlite3_stmt *connection_statement(struct connection *connection, enum statement which)
{
	sqlite3_stmt *statement = connection->statements[which];

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return statement;
}

struct err connection_run(struct connection *connection, sqlite3_stmt *statement)
{
	struct err e = ok();

	if (sqlite3_step(statement) != SQLITE_DONE)
		e = connection_error(connection);
	sqlite3_reset(statement);
	return e;
}

void connection_roll_back(struct connection *connection)
{
	/* Fails only where SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(connection->db))
		sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
}
