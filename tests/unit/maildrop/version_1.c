#include "version_1.h"

#include <sqlite3.h>

static const char statements[] =
	"CREATE TABLE maildrop (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, login TEXT NOT NULL,"
	" next_number INTEGER NOT NULL DEFAULT 1, UNIQUE (tenant, login)) STRICT;"
	"CREATE TABLE folder (id INTEGER PRIMARY KEY,"
	" maildrop INTEGER NOT NULL REFERENCES maildrop (id), name TEXT NOT NULL,"
	" UNIQUE (maildrop, name)) STRICT;"
	"CREATE TABLE message (folder INTEGER NOT NULL REFERENCES folder (id),"
	" uidvalidity INTEGER NOT NULL, uid INTEGER NOT NULL, key TEXT NOT NULL, number INTEGER,"
	" size INTEGER, arrival INTEGER, missing INTEGER, hidden INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY (folder, uidvalidity, uid, key)) STRICT, WITHOUT ROWID;"
	"PRAGMA application_id = 1886351463;"
	"PRAGMA user_version = 1;"
	"INSERT INTO maildrop VALUES (1, 'tenant', 'user', 78), (2, 'tenant', 'other', 5);"
	"INSERT INTO folder VALUES (1, 1, 'INBOX'), (2, 1, 'Junk'), (3, 1, ''), (4, 2, 'INBOX');"
	"INSERT INTO message VALUES"
	" (1, 0, 0, '1700.M1.host', 76, 4000, 1700, NULL, 0),"
	" (1, 0, 0, '1600.M1.host', 12, NULL, 1600, 1800, 1),"
	" (2, 7, 9, '', NULL, NULL, NULL, NULL, 1),"
	" (2, 7, 10, '', NULL, 123, 1700, NULL, 0),"
	" (3, 0, 0, 'quota 77 1 2 0 0', 77, NULL, 1700, NULL, 0),"
	" (4, 0, 0, 'a', 4, NULL, NULL, NULL, 0);";

void version_1_make(const struct place *at)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(at->address, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, statements, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}
