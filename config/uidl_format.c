#include "config/uidl_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define WIDTH_MAX 32

enum name { UID, UIDVALIDITY, FILENAME, EMAILID, GUID };

const struct choice uidl_format_names[] = { { "uid", UID }, { "uidvalidity", UIDVALIDITY },
	{ "filename", FILENAME }, { "emailid", EMAILID }, { "guid", GUID }, { 0 } };

enum form { AS_IS, HEX_LOWER, HEX_UPPER, DECIMAL };

struct piece {
	const char *start; /* at the % */
	const char *end;   /* behind the brace; NULL: there is none */
	bool good;
	enum name name;
	enum form form;
	int width;
};

/* Text up to `end`; whether it is the word. */
static bool is_word(const char *text, const char *end, const char *word)
{
	size_t n = (size_t)(end - text);

	return strlen(word) == n && memcmp(text, word, n) == 0;
}

static bool parse_name(const char *text, const char *end, enum name *ret)
{
	for (const struct choice *c = uidl_format_names; c->name; c++) {
		if (is_word(text, end, c->name)) {
			*ret = (enum name)c->value;
			return true;
		}
	}
	return false;
}

/* Empty, or one or two digits. */
static bool parse_width(const char *text, const char *end, int *ret)
{
	*ret = 0;
	if (text == end)
		return true;
	if (*text == '0' || end - text > 2)
		return false;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return false;
		*ret = *ret * 10 + (*text - '0');
	}
	return *ret <= WIDTH_MAX;
}

static bool parse_form(const char *text, const char *end, struct piece *piece)
{
	static const struct {
		const char *name;
		enum form form;
	} forms[] = { { "hex", HEX_LOWER }, { "HEX", HEX_UPPER }, { "dec", DECIMAL } };
	const size_t length = 3;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if ((size_t)(end - text) < length || !is_word(text, text + length, forms[i].name))
			continue;
		piece->form = forms[i].form;
		return parse_width(text + length, end, &piece->width);
	}
	return false;
}

/* The next %{…} from text on. */
static bool next_piece(const char *text, struct piece *ret)
{
	const char *name, *colon, *close;

	*ret = (struct piece){ .start = strstr(text, "%{") };
	if (!ret->start)
		return false;
	name = ret->start + 2;
	close = strchr(name, '}');
	if (!close)
		return true;
	ret->end = close + 1;
	colon = memchr(name, ':', (size_t)(close - name));
	ret->good = parse_name(name, colon ? colon : close, &ret->name);
	if (ret->good && colon)
		ret->good = ret->name != FILENAME && ret->name != GUID &&
			    parse_form(colon + 1, close, ret);
	return true;
}

const char *uidl_format_unknown(const char *text, struct arena *arena)
{
	struct piece piece;

	for (; next_piece(text, &piece); text = piece.end) {
		if (!piece.end)
			return arena_strdup(arena, piece.start);
		if (!piece.good)
			return arena_strndup(arena, piece.start, (size_t)(piece.end - piece.start));
	}
	return NULL;
}

bool uidl_format_uses(const char *text, const char *name)
{
	struct piece piece;

	for (; next_piece(text, &piece) && piece.end; text = piece.end)
		if (piece.good && strcmp(uidl_format_names[piece.name].name, name) == 0)
			return true;
	return false;
}

static void append_number(uint64_t n, const struct piece *piece, struct buffer *out)
{
	switch (piece->form) {
	case HEX_LOWER:
		buffer_printf(out, "%0*" PRIx64, piece->width, n);
		break;
	case HEX_UPPER:
		buffer_printf(out, "%0*" PRIX64, piece->width, n);
		break;
	case AS_IS:
	case DECIMAL:
		buffer_printf(out, "%0*" PRIu64, piece->width, n);
		break;
	}
}

static bool append_uint32(uint32_t n, const struct piece *piece, struct buffer *out)
{
	if (!n)
		return false;
	append_number(n, piece, out);
	return true;
}

static bool append_text(const char *text, const struct piece *piece, struct buffer *out)
{
	uint64_t n;
	char *end;

	if (!text || !*text)
		return false;
	if (piece->form == AS_IS) {
		buffer_append(out, text, strlen(text));
		return true;
	}
	/* Gmail's X-GM-MSGID is a number. */
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno)
		return false;
	append_number(n, piece, out);
	return true;
}

static bool append_value(
	const struct piece *piece, const struct uidl_values *values, struct buffer *out)
{
	switch (piece->name) {
	case UID:
		return append_uint32(values->uid, piece, out);
	case UIDVALIDITY:
		return append_uint32(values->uidvalidity, piece, out);
	case FILENAME:
		return append_text(values->filename, piece, out);
	case EMAILID:
		return values->emailid && *values->emailid &&
		       append_text(values->emailid + 1, piece, out);
	case GUID:
		return append_text(values->guid, piece, out);
	}
	return false;
}

bool uidl_format_fill(const char *format, const struct uidl_values *values, struct buffer *out)
{
	const char *text = format;
	struct piece piece;

	for (; next_piece(text, &piece); text = piece.end) {
		if (!piece.good)
			return false;
		buffer_append(out, text, (size_t)(piece.start - text));
		if (!append_value(&piece, values, out))
			return false;
	}
	buffer_append(out, text, strlen(text));
	return true;
}
