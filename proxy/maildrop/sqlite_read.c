/* sqlite_rows, the reading half - see the header. */
#include <string.h>

#include "proxy/maildrop/sqlite_rows.h"

static uint64_t column_number(sqlite3_stmt *row, int column)
{
	return (uint64_t)sqlite3_column_int64(row, column);
}

static uint64_t column_size(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL ? REGISTRY_NO_SIZE
							       : column_number(row, column);
}

static const char *column_text(struct record_builder *builder, sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return record_text(builder, text, (size_t)sqlite3_column_bytes(row, column));
}

struct err sqlite_find_maildrop(struct connection *connection,
	const struct registry_maildrop *maildrop, struct sqlite_maildrop *ret)
{
	sqlite3_stmt *statement = connection_statement(connection, SQL_MAILDROP);
	struct err e = ok();
	int code;

	sqlite_bind_text(statement, 1, maildrop->tenant);
	sqlite_bind_text(statement, 2, maildrop->login);
	*ret = (struct sqlite_maildrop){ 0 };
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret = (struct sqlite_maildrop){
			.id = sqlite3_column_int64(statement, 0),
			.revision = column_number(statement, 1),
			.next = column_number(statement, 2),
			.flags = (unsigned)sqlite3_column_int(statement, 3),
			.seen = sqlite3_column_int64(statement, 4),
		};
	else if (code != SQLITE_DONE)
		e = connection_error(connection);
	sqlite3_reset(statement);
	return e;
}

struct err sqlite_find_folder(struct connection *connection, int64_t maildrop_id, const char *name,
	int64_t *id, struct record_builder *builder, const char **mark)
{
	sqlite3_stmt *statement = connection_statement(connection, SQL_FOLDER);
	struct err e = ok();
	int code;

	sqlite3_bind_int64(statement, 1, maildrop_id);
	sqlite_bind_text(statement, 2, name);
	*id = 0;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*id = sqlite3_column_int64(statement, 0);
		if (builder)
			*mark = column_text(builder, statement, 1);
	} else if (code != SQLITE_DONE) {
		e = connection_error(connection);
	}
	sqlite3_reset(statement);
	return e;
}

static void read_entry(struct record_builder *builder, size_t folder, sqlite3_stmt *row)
{
	struct registry_entry *entry = record_entry(builder);

	entry->folder = (uint16_t)folder;
	entry->uidvalidity = (uint32_t)sqlite3_column_int64(row, 0);
	entry->uid = (uint32_t)sqlite3_column_int64(row, 1);
	entry->key = column_text(builder, row, 2);
	entry->unique_id = column_text(builder, row, 3);
	entry->size = column_size(row, 4);
	entry->exact = sqlite3_column_int(row, 5) != 0;
	entry->measured = column_size(row, 6);
	entry->arrival = sqlite3_column_int64(row, 7);
	entry->emailid = column_text(builder, row, 8);
	entry->fingerprint = column_number(row, 9);
	entry->missing = sqlite3_column_int64(row, 10);
	entry->hidden = sqlite3_column_int(row, 11) != 0;
}

static struct err read_entries(struct connection *connection, struct record_builder *builder,
	size_t folder, int64_t folder_id)
{
	sqlite3_stmt *statement = connection_statement(connection, SQL_MESSAGES);
	struct err e = ok();
	int code;

	sqlite3_bind_int64(statement, 1, folder_id);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		read_entry(builder, folder, statement);
	if (code != SQLITE_DONE)
		e = connection_error(connection);
	sqlite3_reset(statement);
	return e;
}

/* Those that the record has by name: their marks and entries. */
static struct err read_folders(
	struct connection *connection, struct record_builder *builder, int64_t maildrop_id)
{
	struct registry_record *record = builder->record;
	struct err e = ok();

	for (size_t i = 0; i < record->n_folders && !failed(e); i++) {
		struct registry_folder *folder = &record->folders[i];
		int64_t id;

		e = sqlite_find_folder(
			connection, maildrop_id, folder->name, &id, builder, &folder->mark);
		if (!failed(e) && id)
			e = read_entries(connection, builder, i, id);
	}
	return e;
}

static struct err read_folder_names(
	struct connection *connection, struct record_builder *builder, int64_t maildrop_id)
{
	struct registry_record *record = builder->record;
	sqlite3_stmt *statement = connection_statement(connection, SQL_FOLDERS);
	cleanup(free_cleanup) struct registry_folder *folders = NULL;
	struct err e = ok();
	size_t n = 0;
	int code;

	sqlite3_bind_int64(statement, 1, maildrop_id);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW && n <= UINT16_MAX) {
		folders = mem_resize(folders, n + 1, sizeof(*folders));
		folders[n++] = (struct registry_folder){
			.name = column_text(builder, statement, 2),
			.mark = "",
		};
	}
	if (code == SQLITE_ROW)
		e = err_make(
			ERR_PERM, "registry %s: a maildrop of too many folders", connection->path);
	else if (code != SQLITE_DONE)
		e = connection_error(connection);
	sqlite3_reset(statement);
	record->n_folders = n;
	record->folders = arena_alloc(builder->arena, n * sizeof(*folders));
	if (n)
		memcpy(record->folders, folders, n * sizeof(*folders));
	return e;
}

static struct err read_record(struct connection *connection,
	const struct registry_maildrop *maildrop, struct record_builder *builder)
{
	struct registry_record *record = builder->record;
	struct sqlite_maildrop row;
	struct err e;

	if (failed(e = sqlite_find_maildrop(connection, maildrop, &row)) || !row.id)
		return e;
	record->revision = row.revision;
	record->next = row.next;
	record->flags = row.flags;
	record->seen = row.seen;
	if (!maildrop->folders && failed(e = read_folder_names(connection, builder, row.id)))
		return e;
	return read_folders(connection, builder, row.id);
}

/* One read transaction, so that all is of one moment. */
struct err sqlite_load(struct connection *connection, const struct registry_maildrop *maildrop,
	struct arena *arena, struct registry_record *ret)
{
	cleanup(record_done) struct record_builder builder = { 0 };
	struct err e = connection_run(connection, connection_statement(connection, SQL_BEGIN));

	if (failed(e))
		return e;
	record_begin(&builder, maildrop, arena, ret);
	e = read_record(connection, maildrop, &builder);
	record_end(&builder);
	if (!failed(e))
		e = connection_run(connection, connection_statement(connection, SQL_COMMIT));
	connection_roll_back(connection);
	return e;
}

struct err sqlite_next(struct connection *connection, const char *tenant, const char *login,
	struct arena *arena, struct registry_maildrop *ret)
{
	sqlite3_stmt *statement = connection_statement(connection, SQL_NEXT);
	struct err e = ok();
	int code;

	sqlite_bind_text(statement, 1, tenant ? tenant : "");
	sqlite_bind_text(statement, 2, login ? login : "");
	*ret = (struct registry_maildrop){ 0 };
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		ret->tenant = arena_strdup(arena, (const char *)sqlite3_column_text(statement, 0));
		ret->login = arena_strdup(arena, (const char *)sqlite3_column_text(statement, 1));
	} else if (code != SQLITE_DONE) {
		e = connection_error(connection);
	}
	sqlite3_reset(statement);
	return e;
}

static struct err check_integrity(struct connection *connection, struct buffer *lines)
{
	sqlite3_stmt *statement = connection_statement(connection, SQL_INTEGRITY);
	struct err e = ok();
	int code;

	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		if (text && strcmp(text, "ok") != 0)
			buffer_printf(lines, "%s\n", text);
	}
	if (code != SQLITE_DONE)
		e = connection_error(connection);
	sqlite3_reset(statement);
	return e;
}

static struct err check_references(struct connection *connection, struct buffer *lines)
{
	sqlite3_stmt *statement = connection_statement(connection, SQL_FOREIGN_KEYS);
	unsigned long long n = 0;
	struct err e = ok();
	int code;

	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		n++;
	if (code != SQLITE_DONE)
		e = connection_error(connection);
	else if (n)
		buffer_printf(lines, "%llu rows belong to no folder or no maildrop\n", n);
	sqlite3_reset(statement);
	return e;
}

struct err sqlite_check(struct connection *connection, struct buffer *lines)
{
	struct err e = check_integrity(connection, lines);

	return failed(e) ? e : check_references(connection, lines);
}
