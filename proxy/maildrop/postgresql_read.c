/* postgresql_rows, the reading half - see the header. */
#include <string.h>

#include "proxy/maildrop/postgresql_rows.h"
#include "proxy/maildrop/registry_record.h"

static void name_maildrop(
	struct postgresql_parameters *parameters, const char *tenant, const char *login)
{
	postgresql_add_text(parameters, tenant);
	postgresql_add_text(parameters, login);
}

static int64_t column_integer(const PGresult *row, int column)
{
	return postgresql_integer(PQgetvalue(row, 0, column));
}

static uint64_t column_size(const PGresult *row, int column)
{
	return PQgetisnull(row, 0, column) ? REGISTRY_NO_SIZE
					   : (uint64_t)column_integer(row, column);
}

static const char *column_text(struct record_builder *builder, const PGresult *row, int column)
{
	return record_text(
		builder, PQgetvalue(row, 0, column), (size_t)PQgetlength(row, 0, column));
}

static bool column_bool(const PGresult *row, int column)
{
	return *PQgetvalue(row, 0, column) != 0;
}

static void take_revision(unsigned place, const PGresult *row, void *arg)
{
	uint64_t *revision = arg;

	(void)place;
	*revision = (uint64_t)column_integer(row, 0);
}

fiber_fn struct err postgresql_revision(
	struct postgresql *connection, const struct registry_maildrop *maildrop, uint64_t *ret)
{
	struct postgresql_parameters parameters = { 0 };
	struct err e;

	*ret = 0;
	name_maildrop(&parameters, maildrop->tenant, maildrop->login);
	if (failed(e = postgresql_send(connection, PG_REVISION, &parameters)))
		return e;
	return postgresql_finish(connection, take_revision, ret);
}

/* What a load asks for, in this order. */
enum { LOAD_BEGIN, LOAD_MAILDROP, LOAD_FOLDERS, LOAD_MESSAGES };

struct load {
	const struct registry_maildrop *maildrop;
	struct record_builder builder;
	struct registry_folder *found; /* while they are not known beforehand; malloc'ed */
	size_t n_found;
	unsigned first_place; /* of the exchange, as LOAD_… */
};

static void take_maildrop(struct registry_record *record, const PGresult *row)
{
	record->revision = (uint64_t)column_integer(row, 0);
	record->next = (uint64_t)column_integer(row, 1);
	record->flags = (unsigned)column_integer(row, 2);
	record->seen = column_integer(row, 3);
}

static void take_folder(struct load *load, const PGresult *row)
{
	struct registry_record *record = load->builder.record;
	const char *name = PQgetvalue(row, 0, 0);
	size_t n = (size_t)PQgetlength(row, 0, 0);

	if (!load->maildrop->folders) {
		load->found = mem_resize(load->found, load->n_found + 1, sizeof(*load->found));
		load->found[load->n_found++] = (struct registry_folder){
			.name = record_text(&load->builder, name, n),
			.mark = column_text(&load->builder, row, 1),
		};
		return;
	}
	for (size_t i = 0; i < record->n_folders; i++)
		if (strlen(record->folders[i].name) == n &&
			memcmp(record->folders[i].name, name, n) == 0)
			record->folders[i].mark = column_text(&load->builder, row, 1);
}

static void take_message(struct load *load, size_t folder, const PGresult *row)
{
	struct record_builder *builder = &load->builder;
	struct registry_entry *entry = record_entry(builder);

	entry->folder = (uint16_t)folder;
	entry->uidvalidity = (uint32_t)column_integer(row, 0);
	entry->uid = (uint32_t)column_integer(row, 1);
	entry->key = column_text(builder, row, 2);
	entry->unique_id = column_text(builder, row, 3);
	entry->emailid = column_text(builder, row, 4);
	entry->fingerprint = (uint64_t)column_integer(row, 5);
	entry->size = column_size(row, 6);
	entry->measured = column_size(row, 7);
	entry->arrival = column_integer(row, 8);
	entry->missing = column_integer(row, 9);
	entry->exact = column_bool(row, 10);
	entry->hidden = column_bool(row, 11);
}

static void take_row(unsigned place, const PGresult *row, void *arg)
{
	struct load *load = arg;

	place += load->first_place;
	if (place == LOAD_MAILDROP)
		take_maildrop(load->builder.record, row);
	else if (place == LOAD_FOLDERS)
		take_folder(load, row);
	else if (place >= LOAD_MESSAGES)
		take_message(load, place - LOAD_MESSAGES, row);
}

fiber_fn static struct err ask_for_maildrop(struct postgresql *connection, const struct load *load)
{
	struct postgresql_parameters parameters = { 0 };
	struct err e;

	name_maildrop(&parameters, load->maildrop->tenant, load->maildrop->login);
	if (failed(e = postgresql_send(connection, PG_BEGIN_READ, NULL)) ||
		failed(e = postgresql_send(connection, PG_MAILDROP, &parameters)))
		return e;
	return postgresql_send(connection, PG_FOLDERS, &parameters);
}

fiber_fn static struct err ask_for_messages(struct postgresql *connection, const struct load *load)
{
	const struct registry_record *record = load->builder.record;
	struct err e;

	for (size_t i = 0; i < record->n_folders; i++) {
		struct postgresql_parameters parameters = { 0 };

		name_maildrop(&parameters, load->maildrop->tenant, load->maildrop->login);
		postgresql_add_text(&parameters, record->folders[i].name);
		if (failed(e = postgresql_send(connection, PG_MESSAGES, &parameters)))
			return e;
	}
	return postgresql_send(connection, PG_COMMIT, NULL);
}

fiber_fn static struct err find_folders(struct postgresql *connection, struct load *load)
{
	struct registry_record *record = load->builder.record;
	struct err e = postgresql_finish(connection, take_row, load);

	if (failed(e))
		return e;
	if (load->n_found > UINT16_MAX)
		return err_make(ERR_PERM, "registry postgresql: a maildrop of too many folders");
	record->n_folders = load->n_found;
	record->folders =
		arena_alloc(load->builder.arena, load->n_found * sizeof(*record->folders));
	if (load->n_found > 0)
		memcpy(record->folders, load->found, load->n_found * sizeof(*record->folders));
	load->first_place = LOAD_MESSAGES;
	return ok();
}

fiber_fn static struct err read_record(struct postgresql *connection, struct load *load)
{
	struct err e = ask_for_maildrop(connection, load);

	if (!failed(e) && !load->maildrop->folders)
		e = find_folders(connection, load);
	if (!failed(e))
		e = ask_for_messages(connection, load);
	if (failed(e))
		return e;
	return postgresql_finish(connection, take_row, load);
}

/* One transaction, so that all is of one moment. */
fiber_fn struct err postgresql_load(struct postgresql *connection,
	const struct registry_maildrop *maildrop, struct arena *arena, struct registry_record *ret)
{
	struct load load = { .maildrop = maildrop };
	struct err e;

	record_begin(&load.builder, maildrop, arena, ret);
	e = read_record(connection, &load);
	if (failed(e))
		record_done(&load.builder);
	else
		record_end(&load.builder);
	free(load.found);
	return e;
}

struct next {
	struct arena *arena;
	struct registry_maildrop *ret;
};

static void take_next(unsigned place, const PGresult *row, void *arg)
{
	struct next *next = arg;

	(void)place;
	next->ret->tenant =
		arena_strndup(next->arena, PQgetvalue(row, 0, 0), (size_t)PQgetlength(row, 0, 0));
	next->ret->login =
		arena_strndup(next->arena, PQgetvalue(row, 0, 1), (size_t)PQgetlength(row, 0, 1));
}

fiber_fn struct err postgresql_next(struct postgresql *connection, const char *tenant,
	const char *login, struct arena *arena, struct registry_maildrop *ret)
{
	struct postgresql_parameters parameters = { 0 };
	struct next next = { .arena = arena, .ret = ret };
	struct err e;

	*ret = (struct registry_maildrop){ 0 };
	name_maildrop(&parameters, tenant ? tenant : "", login ? login : "");
	if (failed(e = postgresql_send(connection, PG_NEXT, &parameters)))
		return e;
	return postgresql_finish(connection, take_next, &next);
}
