#include "config/template.h"

#include <string.h>

struct piece {
	const char *start; /* at the % */
	const char *name;
	size_t name_length;
	const char *end; /* behind the brace; NULL when there is none */
};

/* The next %{…} from text on. */
static bool next_piece(const char *text, struct piece *ret)
{
	const char *close;

	ret->start = strstr(text, "%{");
	if (!ret->start)
		return false;
	ret->name = ret->start + 2;
	close = strchr(ret->name, '}');
	ret->name_length = close ? (size_t)(close - ret->name) : strlen(ret->name);
	ret->end = close ? close + 1 : NULL;
	return true;
}

static bool is_named(const struct piece *piece, const char *name)
{
	return strlen(name) == piece->name_length &&
	       memcmp(name, piece->name, piece->name_length) == 0;
}

const char *template_unknown(const char *text, const struct choice *names, struct arena *arena)
{
	struct piece piece;

	for (; next_piece(text, &piece); text = piece.end) {
		const struct choice *name = names;

		while (name->name && !is_named(&piece, name->name))
			name++;
		if (!piece.end)
			return arena_strdup(arena, piece.start);
		if (!name->name)
			return arena_strndup(arena, piece.start, (size_t)(piece.end - piece.start));
	}
	return NULL;
}

bool template_uses(const char *text, const char *name)
{
	struct piece piece;

	for (; next_piece(text, &piece) && piece.end; text = piece.end) {
		if (is_named(&piece, name))
			return true;
	}
	return false;
}

static const char *value_of(const struct piece *piece, const char *const *pairs)
{
	for (; pairs[0]; pairs += 2) {
		if (is_named(piece, pairs[0]))
			return pairs[1];
	}
	return "";
}

const char *template_fill(struct arena *arena, const char *template_text, const char *const *pairs)
{
	struct buffer out = { 0 };
	struct piece piece;
	const char *text = template_text, *result;

	/* One pass: what a value holds is never taken for a template. */
	for (; next_piece(text, &piece) && piece.end; text = piece.end) {
		const char *value = value_of(&piece, pairs);

		buffer_append(&out, text, (size_t)(piece.start - text));
		buffer_append(&out, value, strlen(value));
	}
	buffer_append(&out, text, strlen(text) + 1);
	result = arena_strdup(arena, out.data + out.start);
	buffer_done(&out);
	return result;
}
