/*
 * sqlite_connection - a connection to the registry's SQLite file: opened, its schema made or
 * upgraded, its statements prepared.
 *
 * For registry_sqlite.c. Blocks; used by one thread at a time. Errors as registry.h says; a detail
 * names the file.
 */
#ifndef POPGATE_MAILDROP_SQLITE_CONNECTION_H
#define POPGATE_MAILDROP_SQLITE_CONNECTION_H

#include <stdbool.h>

#include <sqlite3.h>

#include "proxy/runtime/err.h"

enum statement {
	SQL_BEGIN,
	SQL_BEGIN_WRITE,
	SQL_COMMIT,
	SQL_MAILDROP,
	SQL_FOLDER,
	SQL_FOLDERS,
	SQL_MESSAGES,
	SQL_ADD_MAILDROP,
	SQL_SET_MAILDROP,
	SQL_ADD_FOLDER,
	SQL_SET_MARK,
	SQL_KEEP,
	SQL_DROP,
	SQL_NEXT,
	SQL_IDLE,
	SQL_FORGET_MESSAGES,
	SQL_FORGET_FOLDERS,
	SQL_FORGET_MAILDROP,
	SQL_INTEGRITY,
	SQL_FOREIGN_KEYS,
	SQL_COUNT_
};

struct connection {
	sqlite3 *db;
	const char *path; /* borrowed */
	sqlite3_stmt *statements[SQL_COUNT_];
};

/* Creates the file (0600) when it is not there. path must outlive the connection. On failure it is
 * closed. */
struct err connection_open(
	struct connection *connection, const char *path, int busy_timeout, bool writes);
/* Zeroed or half-open ones too. */
void connection_close(struct connection *connection);

/* The statement, reset, without parameters. */
sqlite3_stmt *connection_statement(struct connection *connection, enum statement which);
/* Runs a statement that returns no row, then resets it. */
struct err connection_run(struct connection *connection, sqlite3_stmt *statement);
/* The error that the last failed call left behind. */
struct err connection_error(struct connection *connection);
/* Ends an open transaction without a trace. */
void connection_roll_back(struct connection *connection);

#endif
