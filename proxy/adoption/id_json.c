/* id_json - the JSON form of a line. */
#include <ctype.h>
#include <string.h>

#include <jansson.h>

#include "proxy/adoption/id_file.h"
#include "proxy/runtime/fatal.h"

/* A text in the only form that JSON has for it, or its octets. */
static json_t *make_text(const char *text)
{
	json_t *value = json_string(text);
	struct buffer hex = { 0 };

	if (value)
		return value;
	for (const char *p = text; *p; p++)
		buffer_printf(&hex, "%02x", (unsigned char)*p);
	buffer_append(&hex, "", 1);
	value = json_pack("{ss}", "hex", buffer_data(&hex));
	buffer_done(&hex);
	return value;
}

static json_t *make_value(
	const struct id_row *row, const struct id_column *column, struct arena *arena)
{
	const char *text = id_value_text(row, column, arena);

	switch (column->type) {
	case ID_KIND:
	case ID_TEXT:
		return make_text(text);
	case ID_BOOL:
		return json_true();
	default:
		return json_integer(strtoll(text, NULL, 10));
	}
}

void id_json_row(enum id_file file, const struct id_row *row, struct buffer *out)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	json_t *object = json_object();
	char *text;

	for (size_t i = 0; i < id_column_count; i++) {
		const struct id_column *column = &id_columns[i];

		if (column->files & file && !id_is_clear(row, column))
			json_object_set_new(object, column->name, make_value(row, column, arena));
	}
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!text)
		fatal("out of memory: a line of JSON");
	buffer_append(out, text, strlen(text));
	buffer_append(out, "\n", 1);
	free(text);
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = isxdigit((unsigned char)c) ? strchr(digits, c | 0x20) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* NULL: no hex, or a NUL octet. */
static const char *from_hex(const char *hex, struct arena *arena)
{
	size_t n = strlen(hex);
	char *text = arena_alloc(arena, n / 2 + 1);

	if (n % 2)
		return NULL;
	for (size_t i = 0; i < n; i += 2) {
		int high = digit(hex[i]), low = digit(hex[i + 1]);

		if (high < 0 || low < 0 || !(high | low))
			return NULL;
		text[i / 2] = (char)(high << 4 | low);
	}
	text[n / 2] = '\0';
	return text;
}

/* The value as a TSV cell would have it, in arena; NULL: of no use. */
static const char *value_text(const json_t *value, struct arena *arena)
{
	const json_t *hex = json_object_get(value, "hex");

	if (json_is_string(value))
		return arena_strdup(arena, json_string_value(value));
	if (json_is_string(hex) && json_object_size(value) == 1)
		return from_hex(json_string_value(hex), arena);
	if (json_is_integer(value))
		return arena_printf(arena, "%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return json_is_true(value) ? "1" : "0";
	return NULL;
}

static bool take(
	json_t *object, const struct id_column *column, struct arena *arena, struct id_row *row)
{
	const json_t *value = json_object_get(object, column->name);
	bool text_wanted = column->type == ID_TEXT || column->type == ID_KIND;
	const char *text;

	if (!value || json_is_null(value))
		return true;
	text = value_text(value, arena);
	return text && text_wanted == (json_is_string(value) || json_is_object(value)) &&
	       id_value_take(row, column, text);
}

const char *id_json_parse(
	const char *line, size_t n, struct arena *arena, struct id_row *row, bool *ret_kind)
{
	json_error_t error;
	json_t *object = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
	const char *why = NULL;

	if (!json_is_object(object)) {
		json_decref(object);
		return arena_printf(arena, "not a JSON object: %s", error.text);
	}
	*ret_kind = json_object_get(object, "kind") != NULL;
	for (size_t i = 0; i < id_column_count && !why; i++)
		if (!take(object, &id_columns[i], arena, row))
			why = arena_printf(arena, "%s: not valid", id_columns[i].name);
	json_decref(object);
	return why;
}
