#include "proxy/maildrop/postgresql_sql.h"

/* No foreign keys: checking them takes as long as the writing itself. What they would tell follows
 * from the rule that who writes anything of a maildrop holds the lock of its row.
 * Never edit a step that was released: append. */
const char *const postgresql_schema_steps[] = {
	"CREATE TABLE IF NOT EXISTS popgate_maildrop ("
	"  id bigserial PRIMARY KEY,"
	"  tenant bytea NOT NULL,"
	"  login bytea NOT NULL,"
	"  revision bigint NOT NULL,"
	"  next_number bigint NOT NULL,"
	"  flags bigint NOT NULL,"
	"  seen bigint NOT NULL,"
	"  UNIQUE (tenant, login));"
	"CREATE TABLE IF NOT EXISTS popgate_folder ("
	"  id bigserial PRIMARY KEY,"
	"  maildrop bigint NOT NULL,"
	"  name bytea NOT NULL,"
	"  mark bytea NOT NULL,"
	"  UNIQUE (maildrop, name));"
	"CREATE TABLE IF NOT EXISTS popgate_message ("
	"  folder bigint NOT NULL,"
	"  uidvalidity bigint NOT NULL,"
	"  uid bigint NOT NULL,"
	"  key bytea NOT NULL,"
	"  unique_id bytea NOT NULL,"
	"  emailid bytea NOT NULL,"
	"  fingerprint bigint NOT NULL,"
	"  size bigint,"
	"  measured bigint,"
	"  arrival bigint NOT NULL,"
	"  missing bigint NOT NULL,"
	"  exact boolean NOT NULL,"
	"  hidden boolean NOT NULL,"
	"  PRIMARY KEY (folder, uidvalidity, uid, key));",
};
const int postgresql_schema_version =
	sizeof(postgresql_schema_steps) / sizeof(postgresql_schema_steps[0]);

#define COLUMNS                                                                                    \
	"uidvalidity, uid, key, unique_id, emailid, fingerprint, size, measured, arrival, "        \
	"missing, exact, hidden"

#define OF_FOLDER                                                                                  \
	"(SELECT f.id FROM popgate_folder f WHERE f.maildrop = $1::bigint AND f.name = $2::bytea)"

/* Revisions are times too, see registry_clock. */
#define NOT_USED_SINCE_2 "greatest(seen, revision / 1000000) < $2::bigint"

#define NOTHING_OF_ITS_OWN(maildrop)                                                               \
	"NOT EXISTS (SELECT 1 FROM popgate_folder f JOIN popgate_message m ON m.folder = f.id"     \
	" WHERE f.maildrop = " maildrop                                                            \
	" AND (m.unique_id <> ''::bytea OR m.hidden OR m.measured IS NOT NULL))"

const char *const postgresql_statements[PG_COUNT_] = {
	[PG_BEGIN] = "BEGIN",
	[PG_BEGIN_READ] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	[PG_COMMIT] = "COMMIT",
	[PG_ROLLBACK] = "ROLLBACK",
	[PG_REVISION] = "SELECT revision FROM popgate_maildrop"
			" WHERE tenant = $1::bytea AND login = $2::bytea",
	[PG_MAILDROP] = "SELECT revision, next_number, flags, seen FROM popgate_maildrop"
			" WHERE tenant = $1::bytea AND login = $2::bytea",
	[PG_FOLDERS] = "SELECT f.name, f.mark"
		       " FROM popgate_folder f JOIN popgate_maildrop d ON d.id = f.maildrop"
		       " WHERE d.tenant = $1::bytea AND d.login = $2::bytea ORDER BY f.name",
	[PG_MESSAGES] =
		"SELECT " COLUMNS " FROM popgate_message WHERE folder ="
		" (SELECT f.id"
		" FROM popgate_folder f JOIN popgate_maildrop d ON d.id = f.maildrop"
		" WHERE d.tenant = $1::bytea AND d.login = $2::bytea AND f.name = $3::bytea)"
		" ORDER BY uidvalidity, uid, key",
	[PG_NEXT] = "SELECT tenant, login FROM popgate_maildrop"
		    " WHERE (tenant, login) > ($1::bytea, $2::bytea)"
		    " ORDER BY tenant, login LIMIT 1",
	[PG_ADD] = "INSERT INTO popgate_maildrop"
		   " (tenant, login, revision, next_number, flags, seen)"
		   " VALUES ($1::bytea, $2::bytea, $3::bigint, $4::bigint, $5::bigint, $6::bigint)"
		   " ON CONFLICT (tenant, login) DO NOTHING RETURNING id",
	[PG_CLAIM] = "UPDATE popgate_maildrop SET revision = $3::bigint,"
		     " next_number = greatest(next_number, $4::bigint),"
		     " flags = $5::bigint, seen = $6::bigint"
		     " WHERE tenant = $1::bytea AND login = $2::bytea AND revision = $7::bigint"
		     " RETURNING id",
	[PG_MARK] = "INSERT INTO popgate_folder (maildrop, name, mark)"
		    " VALUES ($1::bigint, $2::bytea, coalesce($3::bytea, ''::bytea))"
		    " ON CONFLICT (maildrop, name)"
		    " DO UPDATE SET mark = coalesce($3::bytea, popgate_folder.mark)",
	[PG_UNMARK] = "UPDATE popgate_folder SET mark = ''::bytea"
		      " WHERE maildrop = $1::bigint AND name = $2::bytea",
	[PG_DROP] = "DELETE FROM popgate_message AS m"
		    " USING unnest($3::bigint[], $4::bigint[], $5::bytea[])"
		    " AS gone (uidvalidity, uid, key)"
		    " WHERE m.folder = " OF_FOLDER " AND m.uidvalidity = gone.uidvalidity"
		    " AND m.uid = gone.uid AND m.key = gone.key",
	[PG_KEEP] =
		"INSERT INTO popgate_message (folder, " COLUMNS ")"
		" SELECT " OF_FOLDER ", " COLUMNS
		" FROM unnest($3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[],"
		" $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],"
		" $13::boolean[], $14::boolean[]) AS kept (" COLUMNS ")"
		" ON CONFLICT (folder, uidvalidity, uid, key) DO UPDATE SET"
		" unique_id = excluded.unique_id, emailid = excluded.emailid,"
		" fingerprint = excluded.fingerprint, size = excluded.size,"
		" measured = excluded.measured, arrival = excluded.arrival,"
		" missing = excluded.missing, exact = excluded.exact,"
		" hidden = excluded.hidden",
	/* Few at a time: each costs a look through its messages. */
	[PG_STALE] = "SELECT d.id, " NOTHING_OF_ITS_OWN(
		"d.id") " FROM"
			" (SELECT id FROM popgate_maildrop"
			" WHERE id > $1::bigint AND " NOT_USED_SINCE_2 " AND flags = 0"
			" ORDER BY id LIMIT 200) AS d ORDER BY d.id",
	/* In one order, so that two who do this at once do not wait for each other. */
	[PG_LOCK] = "SELECT id FROM popgate_maildrop WHERE id = ANY ($1::bigint[])"
		    " ORDER BY id FOR UPDATE",
	[PG_FORGET] = "WITH maildrops AS (DELETE FROM popgate_maildrop d"
		      " WHERE d.id = ANY ($1::bigint[]) AND " NOT_USED_SINCE_2 " AND d.flags = 0"
		      " AND " NOTHING_OF_ITS_OWN(
			      "d.id") " RETURNING d.id),"
				      " folders AS (DELETE FROM popgate_folder g USING maildrops"
				      " WHERE g.maildrop = maildrops.id RETURNING g.id),"
				      " messages AS (DELETE FROM popgate_message n USING folders"
				      " WHERE n.folder = folders.id RETURNING 1)"
				      " SELECT count(*) FROM maildrops",
};
