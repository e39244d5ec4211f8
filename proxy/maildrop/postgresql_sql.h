/*
 * postgresql_sql - the words that popgate says to a PostgreSQL server: the schema, step by step,
 * and the statements that every connection prepares.
 *
 * Kept to what the servers that speak its protocol have in common: no advisory locks, no
 * extensions, no procedures. Texts that a client or a store can choose are bytea: any octets go in,
 * their order is that of the octets, and no encoding or collation of the database has a say.
 */
#ifndef POPGATE_MAILDROP_POSTGRESQL_SQL_H
#define POPGATE_MAILDROP_POSTGRESQL_SQL_H

#include <stddef.h>

enum postgresql_statement {
	PG_BEGIN,
	PG_BEGIN_READ, /* a transaction that sees one moment */
	PG_COMMIT,
	PG_ROLLBACK,
	PG_REVISION, /* tenant, login: revision */
	PG_MAILDROP, /* tenant, login: revision, next_number, flags, seen */
	PG_FOLDERS,  /* tenant, login: name, mark */
	PG_MESSAGES, /* tenant, login, folder: as POSTGRESQL_COLUMNS, ascending by the first three
		      */
	PG_NEXT,     /* tenant, login: tenant, login */
	PG_ADD,      /* tenant, login, revision, next_number, flags, seen: id, or no row */
	PG_CLAIM,    /* the same, and the revision to find: id, or no row */
	PG_MARK,     /* maildrop, folder, mark or NULL */
	PG_UNMARK,   /* maildrop, folder */
	PG_DROP,     /* maildrop, folder, arrays: uidvalidity, uid, key */
	PG_KEEP,     /* maildrop, folder, arrays: POSTGRESQL_COLUMNS */
	PG_STALE,  /* id, seen: the next maildrops behind id not seen since: id, nothing is its own
		    */
	PG_LOCK,   /* array: id */
	PG_FORGET, /* array: id, seen: how many went */
	PG_COUNT_
};

/* Of a message: uidvalidity, uid, key, unique_id, emailid, fingerprint, size, measured, arrival,
 * missing, exact, hidden. */
#define POSTGRESQL_COLUMNS 12

extern const char *const postgresql_statements[PG_COUNT_];

/* Step i brings the schema from version i to i+1; each may be run again where it broke off, since
 * not every server can take a table back. */
extern const char *const postgresql_schema_steps[];
extern const int postgresql_schema_version;

#endif
