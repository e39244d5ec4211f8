/* postgresql_schema - the tables: made, or brought to the version that this popgate knows. */
#include <string.h>

#include "proxy/maildrop/postgresql_attempt.h"
#include "proxy/maildrop/postgresql_connection.h"
#include "proxy/maildrop/postgresql_sql.h"
#include "proxy/runtime/fault.h"
#include "proxy/runtime/mem.h"

#define UPGRADE_ATTEMPTS 10

static struct err check_version(int version)
{
	if (version > postgresql_schema_version)
		return err_make(ERR_PERM,
			"registry postgresql: its schema is version %d, this popgate knows up to "
			"%d; run the newer popgate",
			version, postgresql_schema_version);
	return ok();
}

/* In a transaction that holds the lock of the one row that tells the version: others who are about
 * to do the same wait there, and find the work done. */
static struct err upgrade_locked(struct attempt *a)
{
	cleanup(free_cleanup) char *set_version =
		mem_printf("UPDATE popgate_schema SET version = %d", postgresql_schema_version);
	struct err e;
	int version = 0;

	if (failed(e = attempt_run(a,
			   "INSERT INTO popgate_schema (id, version) VALUES (1, 0)"
			   " ON CONFLICT (id) DO NOTHING",
			   NULL)))
		return e;
	if (failed(e = attempt_run(a, "SELECT version FROM popgate_schema WHERE id = 1 FOR UPDATE",
			   &version)) ||
		failed(e = check_version(version)))
		return e;
	for (; version < postgresql_schema_version; version++) {
		fault_point("registry.schema");
		if (failed(e = attempt_run(a, postgresql_schema_steps[version], NULL)))
			return e;
	}
	fault_point("registry.schema.version");
	return attempt_run(a, set_version, NULL);
}

static struct err upgrade(struct attempt *a)
{
	struct err e;

	if (failed(e = attempt_run(a,
			   "CREATE TABLE IF NOT EXISTS popgate_schema"
			   " (id bigint PRIMARY KEY, version bigint NOT NULL)",
			   NULL)) ||
		failed(e = attempt_run(a, "BEGIN", NULL)))
		return e;
	fault_point("registry.schema.begin");
	if (failed(e = upgrade_locked(a)))
		return e;
	fault_point("registry.schema.commit.before");
	e = attempt_run(a, "COMMIT", NULL);
	fault_point("registry.schema.commit.after");
	return e;
}

/* Two who create the same table at once: one may be told that it is there already, whatever IF NOT
 * EXISTS says. */
static bool is_rivalry(const char *code)
{
	return postgresql_code_is_conflict(code) || strcmp(code, "23505") == 0 ||
	       strcmp(code, "42P07") == 0 || strcmp(code, "42710") == 0;
}

struct err attempt_schema(struct attempt *a)
{
	struct err e;
	int version = -1;

	e = attempt_run(a, "SELECT version FROM popgate_schema WHERE id = 1", &version);
	if (failed(e) && strcmp(a->code, "42P01") != 0)
		return e;
	if (version >= postgresql_schema_version)
		return check_version(version);
	for (int i = 1;; i++) {
		char code[sizeof(a->code)];

		if (!failed(e = upgrade(a)))
			return e;
		memcpy(code, a->code, sizeof(code));
		if (PQtransactionStatus(a->pg) != PQTRANS_IDLE &&
			failed(attempt_run(a, "ROLLBACK", NULL)))
			return e;
		if (!is_rivalry(code) || i == UPGRADE_ATTEMPTS)
			return e;
	}
}
