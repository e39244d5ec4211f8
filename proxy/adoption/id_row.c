#include "proxy/adoption/id_row.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define AT(member) offsetof(struct id_row, member)
#define BOTH       (ID_EXPORT | ID_HARVEST)

/* clang-format off */
const struct id_column id_columns[] = {
	{ "kind", AT(kind), ID_KIND, BOTH },
	{ "tenant", AT(tenant), ID_TEXT, ID_EXPORT },
	{ "login", AT(login), ID_TEXT, BOTH },
	{ "folder", AT(folder), ID_TEXT, ID_EXPORT },
	{ "shown_id", AT(shown_id), ID_TEXT, ID_EXPORT },
	{ "old_id", AT(old_id), ID_TEXT, ID_HARVEST },
	{ "unique_id", AT(entry.unique_id), ID_TEXT, ID_EXPORT },
	{ "uidvalidity", AT(entry.uidvalidity), ID_UINT32, ID_EXPORT },
	{ "uid", AT(entry.uid), ID_UINT32, ID_EXPORT },
	{ "key", AT(entry.key), ID_TEXT, ID_EXPORT },
	{ "size", AT(entry.size), ID_SIZE, BOTH },
	{ "exact", AT(entry.exact), ID_BOOL, ID_EXPORT },
	{ "measured", AT(entry.measured), ID_SIZE, ID_EXPORT },
	{ "arrival", AT(entry.arrival), ID_INT64, ID_EXPORT },
	{ "fingerprint", AT(entry.fingerprint), ID_UINT64, BOTH },
	{ "emailid", AT(entry.emailid), ID_TEXT, ID_EXPORT },
	{ "missing", AT(entry.missing), ID_INT64, ID_EXPORT },
	{ "hidden", AT(entry.hidden), ID_BOOL, ID_EXPORT },
	{ "next", AT(next), ID_UINT64, ID_EXPORT },
	{ "numbers", AT(numbers), ID_BOOL, ID_EXPORT },
	{ "accepted", AT(accepted), ID_BOOL, ID_EXPORT },
	{ "seen", AT(seen), ID_INT64, ID_EXPORT },
	{ "messages", AT(messages), ID_UINT64, BOTH },
	{ "message_id", AT(message_id), ID_TEXT, ID_HARVEST },
	{ "date", AT(date), ID_TEXT, ID_HARVEST },
};
/* clang-format on */
const size_t id_column_count = sizeof(id_columns) / sizeof(id_columns[0]);

const char *const id_kind_names[] = { "message", "maildrop", "end", NULL };

void id_row_clear(struct id_row *row)
{
	memset(row, 0, sizeof(*row));
	for (size_t i = 0; i < id_column_count; i++)
		if (id_columns[i].type == ID_TEXT)
			*(const char **)((char *)row + id_columns[i].offset) = "";
	row->entry.size = row->entry.measured = REGISTRY_NO_SIZE;
}

/* Of the types that are numbers, bool and kind among them. */
static uint64_t number_of(const struct id_row *row, const struct id_column *column)
{
	const void *member = id_member(row, column);

	switch (column->type) {
	case ID_KIND:
		return *(const enum id_kind *)member;
	case ID_UINT32:
		return *(const uint32_t *)member;
	case ID_INT64:
		return (uint64_t) * (const int64_t *)member;
	case ID_BOOL:
		return *(const bool *)member;
	default:
		return *(const uint64_t *)member;
	}
}

bool id_is_clear(const struct id_row *row, const struct id_column *column)
{
	switch (column->type) {
	case ID_KIND:
		return false;
	case ID_TEXT:
		return !**(const char *const *)id_member(row, column);
	case ID_SIZE:
		return number_of(row, column) == REGISTRY_NO_SIZE;
	default:
		return number_of(row, column) == 0;
	}
}

const char *id_value_text(
	const struct id_row *row, const struct id_column *column, struct arena *arena)
{
	if (column->type == ID_TEXT)
		return *(const char *const *)id_member(row, column);
	if (column->type == ID_KIND)
		return id_kind_names[row->kind];
	if (column->type == ID_INT64)
		return arena_printf(arena, "%" PRId64, (int64_t)number_of(row, column));
	return arena_printf(arena, "%" PRIu64, number_of(row, column));
}

static bool take_kind(struct id_row *row, const char *text)
{
	for (int i = 0; id_kind_names[i]; i++) {
		if (strcmp(id_kind_names[i], text) == 0) {
			row->kind = (enum id_kind)i;
			return true;
		}
	}
	return false;
}

/* Digits alone, 0 to max. */
static bool parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	*ret = value;
	return !*end && !errno && value <= max;
}

bool id_value_take(struct id_row *row, const struct id_column *column, const char *text)
{
	void *member = (char *)row + column->offset;
	bool negative = column->type == ID_INT64 && *text == '-';
	uint64_t n = 0;

	switch (column->type) {
	case ID_KIND:
		return take_kind(row, text);
	case ID_TEXT:
		*(const char **)member = text;
		return true;
	case ID_UINT32:
		if (parse_number(text, UINT32_MAX, &n))
			*(uint32_t *)member = (uint32_t)n;
		else
			return false;
		return true;
	case ID_BOOL:
		*(bool *)member = strcmp(text, "1") == 0;
		return parse_number(text, 1, &n);
	case ID_INT64:
		if (!parse_number(text + negative, INT64_MAX, &n))
			return false;
		*(int64_t *)member = negative ? -(int64_t)n : (int64_t)n;
		return true;
	case ID_SIZE:
	case ID_UINT64:
		/* As much as the stores hold. */
		if (!parse_number(text, INT64_MAX, &n))
			return false;
		*(uint64_t *)member = n;
		return true;
	}
	return false;
}
