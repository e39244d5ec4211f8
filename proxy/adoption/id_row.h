/*
 * id_row - a line of a file of unique-ids, as uidl export and uidl harvest write it and uidl import
 * and uidl.adopt_file read it.
 *
 * A file is TSV: a header line with the names of the columns, in any order, some or all; a tab
 * between two cells; in a cell \t, \n, \r and \\ stand for those octets; an empty cell: not known,
 * 0, false. Or it is JSON lines: an object each with the same names, a text that is no UTF-8 as
 * {"hex": "…"}.
 * A maildrop's lines stand together: at most one of kind maildrop, those of its messages, oldest
 * first, then, where whole maildrops were written, one of kind end with their number, without which
 * they are not complete. Where no line says its kind all are messages, and complete.
 */
#ifndef POPGATE_ADOPTION_ID_ROW_H
#define POPGATE_ADOPTION_ID_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/maildrop/registry.h"

enum id_kind { ID_MESSAGE, ID_MAILDROP, ID_END };

/* Texts are never NULL. */
struct id_row {
	enum id_kind kind;
	const char *tenant; /* "": the one that serves the login */
	const char *login;
	/* A message. */
	const char *old_id;          /* as the old server gave it; "": an entry as popgate has it */
	const char *folder;          /* of such an entry, as the registry names it; "" is a name */
	const char *shown_id;        /* for the reader's eye only, as are the next two */
	const char *message_id;      /* the header field */
	const char *date;            /* likewise */
	struct registry_entry entry; /* its folder does not count */
	/* A maildrop. */
	uint64_t next;
	int64_t seen;
	bool numbers, accepted;
	/* The end. */
	uint64_t messages;
};

/* Nothing known: what a line is read into. */
void id_row_clear(struct id_row *row);

enum id_type {
	ID_KIND,
	ID_TEXT,
	ID_UINT64,
	ID_UINT32,
	ID_INT64,
	ID_SIZE, /* uint64_t; REGISTRY_NO_SIZE: not known */
	ID_BOOL,
};

enum id_file { ID_EXPORT = 1, ID_HARVEST = 2 };

struct id_column {
	const char *name;
	size_t offset; /* in struct id_row */
	enum id_type type;
	unsigned files; /* which files have it */
};

extern const struct id_column id_columns[];
extern const size_t id_column_count;

/* The words of kinds; NULL ends them. */
extern const char *const id_kind_names[];

static inline const void *id_member(const struct id_row *row, const struct id_column *column)
{
	return (const char *)row + column->offset;
}

/* Whether the value is that of a cleared row: it need not be written. */
bool id_is_clear(const struct id_row *row, const struct id_column *column);

/* The value as text; texts themselves as they are. In arena. */
const char *id_value_text(
	const struct id_row *row, const struct id_column *column, struct arena *arena);
/* Takes a value from its text, which must live as long as the row. false: it is none of the type.
 */
bool id_value_take(struct id_row *row, const struct id_column *column, const char *text);

#endif
