/*
 * sqlite_rows - what registry_sqlite.c does on a connection: reading and writing the rows of a
 * maildrop.
 *
 * Blocks; on a thread of the pool. Errors as registry.h says. After each call but a change's that
 * goes on, no transaction is open.
 */
#ifndef POPGATE_MAILDROP_SQLITE_ROWS_H
#define POPGATE_MAILDROP_SQLITE_ROWS_H

#include "proxy/maildrop/registry.h"
#include "proxy/maildrop/registry_record.h"
#include "proxy/maildrop/sqlite_connection.h"

static inline void sqlite_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* A maildrop's row. */
struct sqlite_maildrop {
	int64_t id; /* 0: there is none */
	uint64_t revision, next;
	unsigned flags;
	int64_t seen;
};

struct err sqlite_find_maildrop(struct connection *connection,
	const struct registry_maildrop *maildrop, struct sqlite_maildrop *ret);
/* *id is 0 where there is none. The mark comes from the builder; NULL: it is not asked for. */
struct err sqlite_find_folder(struct connection *connection, int64_t maildrop_id, const char *name,
	int64_t *id, struct record_builder *builder, const char **mark);

struct err sqlite_load(struct connection *connection, const struct registry_maildrop *maildrop,
	struct arena *arena, struct registry_record *ret);
struct err sqlite_next(struct connection *connection, const char *tenant, const char *login,
	struct arena *arena, struct registry_maildrop *ret);
/* Each trouble is a line, with its newline, in lines. */
struct err sqlite_check(struct connection *connection, struct buffer *lines);

/* A write, carried out in several calls: one of a million rows would keep a thread of the pool
 * from everyone else for seconds, and so would the wait for another process that writes. */
enum sqlite_progress {
	SQLITE_WRITE_BEGINS = 0, /* also: another process is writing; try again later */
	SQLITE_WRITE_GOES_ON,    /* call again at once: the transaction is open */
	SQLITE_WRITE_IS_OVER,    /* done, or failed and undone */
};

struct sqlite_change {
	const struct registry_maildrop *maildrop;
	const struct registry_change *change;
	struct sqlite_maildrop row;
	int64_t *folder_ids; /* one each; 0: not looked up yet */
	size_t dropped, kept;
	uint64_t revision; /* the result */
};

struct sqlite_expire {
	int64_t seen_before;
	size_t max, n; /* n: the result */
};

struct err sqlite_change(struct connection *connection, struct sqlite_change *change,
	enum sqlite_progress *progress);
struct err sqlite_expire(struct connection *connection, struct sqlite_expire *expire,
	enum sqlite_progress *progress);

#endif
