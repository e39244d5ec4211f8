/* postgresql_rows, the writing half - see the header. */
#include <string.h>

#include "proxy/maildrop/postgresql_rows.h"
#include "proxy/maildrop/registry_record.h"
#include "proxy/runtime/fault.h"

/* Rows in one statement: about a tenth of a second for the server, a megabyte for us. */
#define ROWS_AT_ONCE 10000

/* A change under way. */
struct change {
	const struct registry_maildrop *maildrop;
	const struct registry_change *what;
	uint64_t revision; /* the new one */
	int64_t id;        /* of the maildrop's row; 0: not ours */
	bool *committing;
	struct postgresql_array columns[POSTGRESQL_COLUMNS]; /* of the rows to be sent next */
};

/* The statement that a batch of entries goes with, and what it takes of each. */
struct batch {
	enum postgresql_statement statement;
	size_t n_columns;
	void (*add)(struct postgresql_array *columns, const struct registry_entry *entry);
	const char *fault;
};

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

static void add_size(struct postgresql_array *column, uint64_t size)
{
	if (size == REGISTRY_NO_SIZE)
		postgresql_array_add_null(column);
	else
		postgresql_array_add_integer(column, (int64_t)size);
}

static void add_name(struct postgresql_array *columns, const struct registry_entry *entry)
{
	postgresql_array_add_integer(&columns[0], entry->uidvalidity);
	postgresql_array_add_integer(&columns[1], entry->uid);
	postgresql_array_add_text(&columns[2], text_or_empty(entry->key));
}

static void add_all(struct postgresql_array *columns, const struct registry_entry *entry)
{
	add_name(columns, entry);
	postgresql_array_add_text(&columns[3], text_or_empty(entry->unique_id));
	postgresql_array_add_text(&columns[4], text_or_empty(entry->emailid));
	postgresql_array_add_integer(&columns[5], (int64_t)entry->fingerprint);
	add_size(&columns[6], entry->size);
	add_size(&columns[7], entry->measured);
	postgresql_array_add_integer(&columns[8], entry->arrival);
	postgresql_array_add_integer(&columns[9], entry->missing);
	postgresql_array_add_bool(&columns[10], entry->exact);
	postgresql_array_add_bool(&columns[11], entry->hidden);
}

static const struct batch dropping = { PG_DROP, 3, add_name, "registry.drop" };
static const struct batch keeping = { PG_KEEP, POSTGRESQL_COLUMNS, add_all, "registry.keep" };

fiber_fn static struct err send_batch(struct postgresql *connection, struct change *change,
	const struct batch *batch, size_t folder)
{
	struct postgresql_parameters parameters = { 0 };
	struct err e;

	if (change->columns[0].n == 0)
		return ok();
	fault_point(batch->fault);
	postgresql_add_integer(&parameters, change->id);
	postgresql_add_text(&parameters, change->maildrop->folders[folder]);
	for (size_t i = 0; i < batch->n_columns; i++)
		postgresql_add_array(&parameters, &change->columns[i]);
	e = postgresql_send(connection, batch->statement, &parameters);
	for (size_t i = 0; i < batch->n_columns; i++)
		postgresql_array_reset(&change->columns[i]);
	return e;
}

/* Those of the entries that are of the folder. */
fiber_fn static struct err send_entries(struct postgresql *connection, struct change *change,
	const struct batch *batch, const struct registry_entry *entries, size_t n, size_t folder)
{
	struct err e;

	for (size_t i = 0; i < n; i++) {
		if (entries[i].folder != folder)
			continue;
		batch->add(change->columns, &entries[i]);
		if (change->columns[0].n < ROWS_AT_ONCE)
			continue;
		if (failed(e = send_batch(connection, change, batch, folder)) ||
			failed(e = wait_share()))
			return e;
	}
	return send_batch(connection, change, batch, folder);
}

static bool has_entries(const struct registry_change *what, size_t folder)
{
	for (size_t i = 0; i < what->n_keep; i++)
		if (what->keep[i].folder == folder)
			return true;
	return false;
}

/* A folder that nothing is known of gets no row. */
fiber_fn static struct err send_mark(
	struct postgresql *connection, const struct change *change, size_t folder)
{
	const char *mark = change->what->marks ? change->what->marks[folder] : NULL;
	struct postgresql_parameters parameters = { 0 };
	bool kept = has_entries(change->what, folder);

	if (!mark && !kept)
		return ok();
	fault_point("registry.mark");
	postgresql_add_integer(&parameters, change->id);
	postgresql_add_text(&parameters, change->maildrop->folders[folder]);
	if (!kept && !*mark)
		return postgresql_send(connection, PG_UNMARK, &parameters);
	postgresql_add_text(&parameters, mark);
	return postgresql_send(connection, PG_MARK, &parameters);
}

fiber_fn static struct err send_folder(
	struct postgresql *connection, struct change *change, size_t folder)
{
	const struct registry_change *what = change->what;
	struct err e;

	if (failed(e = send_mark(connection, change, folder)) ||
		failed(e = send_entries(
			       connection, change, &dropping, what->drop, what->n_drop, folder)))
		return e;
	return send_entries(connection, change, &keeping, what->keep, what->n_keep, folder);
}

static void take_id(unsigned place, const PGresult *row, void *arg)
{
	struct change *change = arg;

	(void)place;
	change->id = postgresql_integer(PQgetvalue(row, 0, 0));
}

/* Whoever comes second waits here until the first is done, and then gets no row. */
fiber_fn static struct err claim(struct postgresql *connection, struct change *change)
{
	const struct registry_change *what = change->what;
	struct postgresql_parameters parameters = { 0 };
	struct err e;

	postgresql_add_text(&parameters, change->maildrop->tenant);
	postgresql_add_text(&parameters, change->maildrop->login);
	postgresql_add_integer(&parameters, (int64_t)change->revision);
	postgresql_add_integer(&parameters, (int64_t)what->next);
	postgresql_add_integer(&parameters, what->flags);
	postgresql_add_integer(&parameters, what->seen);
	if (what->revision != 0)
		postgresql_add_integer(&parameters, (int64_t)what->revision);
	if (failed(e = postgresql_send(connection, PG_BEGIN, NULL)) ||
		failed(e = postgresql_send(
			       connection, what->revision ? PG_CLAIM : PG_ADD, &parameters)) ||
		failed(e = postgresql_finish(connection, take_id, change)))
		return e;
	fault_point("registry.begin");
	return ok();
}

fiber_fn static struct err finish_with(
	struct postgresql *connection, enum postgresql_statement statement)
{
	struct err e = postgresql_send(connection, statement, NULL);

	return failed(e) ? e : postgresql_finish(connection, NULL, NULL);
}

fiber_fn static struct err commit(struct postgresql *connection, bool *committing)
{
	struct err e;

	fault_point("registry.commit.before");
	*committing = true;
	e = finish_with(connection, PG_COMMIT);
	fault_point("registry.commit.after");
	return e;
}

fiber_fn static struct err carry_out(struct postgresql *connection, struct change *change)
{
	struct err e;

	if (failed(e = claim(connection, change)))
		return e;
	if (change->id == 0)
		return finish_with(connection, PG_ROLLBACK);
	for (size_t i = 0; i < change->maildrop->n_folders; i++)
		if (failed(e = send_folder(connection, change, i)))
			return e;
	return commit(connection, change->committing);
}

fiber_fn struct err postgresql_change(struct postgresql *connection,
	const struct registry_maildrop *maildrop, const struct registry_change *what,
	bool *committing, uint64_t *ret_revision)
{
	struct change change = {
		.maildrop = maildrop,
		.what = what,
		.revision = registry_revision_after(what->revision),
		.committing = committing,
	};
	struct err e;

	if (change.revision > REGISTRY_NUMBER_MAX || what->next > REGISTRY_NUMBER_MAX)
		return err_make(ERR_PERM, "registry postgresql: out of numbers");
	e = carry_out(connection, &change);
	for (size_t i = 0; i < POSTGRESQL_COLUMNS; i++)
		postgresql_array_done(&change.columns[i]);
	*ret_revision = change.id ? change.revision : 0;
	return e;
}

struct stale {
	const struct postgresql_expire *expire;
	struct postgresql_array ids;
	int64_t last;
};

static void take_stale(unsigned place, const PGresult *row, void *arg)
{
	struct stale *stale = arg;

	(void)place;
	if (stale->ids.n >= stale->expire->max - stale->expire->n)
		return;
	stale->last = postgresql_integer(PQgetvalue(row, 0, 0));
	if (*PQgetvalue(row, 0, 1))
		postgresql_array_add_integer(&stale->ids, stale->last);
}

static void take_count(unsigned place, const PGresult *row, void *arg)
{
	size_t *n = arg;

	if (place == 2)
		*n = (size_t)postgresql_integer(PQgetvalue(row, 0, 0));
}

/* Looked at again under the lock: their owners may have come back meanwhile. */
fiber_fn static struct err forget(
	struct postgresql *connection, struct stale *stale, bool *committing, size_t *ret_n)
{
	struct postgresql_parameters ids = { 0 }, ids_and_time;
	struct err e;

	postgresql_add_array(&ids, &stale->ids);
	ids_and_time = ids;
	postgresql_add_integer(&ids_and_time, stale->expire->seen_before);
	if (failed(e = postgresql_send(connection, PG_BEGIN, NULL)) ||
		failed(e = postgresql_send(connection, PG_LOCK, &ids)) ||
		failed(e = postgresql_send(connection, PG_FORGET, &ids_and_time)))
		return e;
	fault_point("registry.forget");
	*committing = true;
	if (failed(e = postgresql_send(connection, PG_COMMIT, NULL)))
		return e;
	return postgresql_finish(connection, take_count, ret_n);
}

fiber_fn static struct err expire_some(struct postgresql *connection,
	struct postgresql_expire *expire, struct stale *stale, bool *committing)
{
	struct postgresql_parameters parameters = { 0 };
	struct err e;
	size_t n = 0;

	postgresql_add_integer(&parameters, expire->behind);
	postgresql_add_integer(&parameters, expire->seen_before);
	if (failed(e = postgresql_send(connection, PG_STALE, &parameters)) ||
		failed(e = postgresql_finish(connection, take_stale, stale)))
		return e;
	if (stale->ids.n > 0 && failed(e = forget(connection, stale, committing, &n)))
		return e;
	expire->n += n;
	expire->over = stale->last == 0;
	expire->behind = stale->last;
	return ok();
}

fiber_fn struct err postgresql_expire(
	struct postgresql *connection, struct postgresql_expire *expire, bool *committing)
{
	struct stale stale = { .expire = expire };
	struct err e = expire_some(connection, expire, &stale, committing);

	postgresql_array_done(&stale.ids);
	return e;
}
