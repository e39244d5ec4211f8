/* id_file - the TSV form, and reading either form. */
#include "proxy/adoption/id_file.h"

#include <errno.h>
#include <string.h>

struct id_reader {
	FILE *in;
	char *text; /* the last line */
	size_t room;
	uint64_t start, offset;
	unsigned line;
	bool json, kinds, whole;
	bool pending;                     /* the line was read, and not looked at */
	const struct id_column **columns; /* of a TSV file; NULL: one that is not known */
	size_t n_columns;
};

static void append_cell(const char *text, struct buffer *out)
{
	for (;;) {
		size_t n = strcspn(text, "\t\n\r\\");

		buffer_append(out, text, n);
		text += n;
		if (!*text)
			return;
		buffer_printf(out, "\\%c",
			*text == '\t'   ? 't'
			: *text == '\n' ? 'n'
			: *text == '\r' ? 'r'
					: '\\');
		text++;
	}
}

void id_tsv_header(enum id_file file, struct buffer *out)
{
	const char *tab = "";

	for (size_t i = 0; i < id_column_count; i++) {
		if (!(id_columns[i].files & file))
			continue;
		buffer_printf(out, "%s%s", tab, id_columns[i].name);
		tab = "\t";
	}
	buffer_append(out, "\n", 1);
}

void id_tsv_row(enum id_file file, const struct id_row *row, struct buffer *out)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	const char *tab = "";

	for (size_t i = 0; i < id_column_count; i++) {
		const struct id_column *column = &id_columns[i];

		if (!(column->files & file))
			continue;
		buffer_append(out, tab, strlen(tab));
		tab = "\t";
		if (!id_is_clear(row, column))
			append_cell(id_value_text(row, column, arena), out);
	}
	buffer_append(out, "\n", 1);
}

static struct err wrong(const struct id_reader *r, const char *what)
{
	return err_make(ERR_INVALID, "line %u: %s", r->line, what);
}

/* Reads a line into r->text, without its end. */
static struct err next_line(struct id_reader *r, size_t *ret, bool *ret_more)
{
	ssize_t n;

	errno = 0;
	n = getline(&r->text, &r->room, r->in);
	*ret_more = n >= 0;
	if (n < 0)
		return ferror(r->in) ? err_errno(ERR_TEMP, errno, "reading") : ok();
	r->line++;
	r->start = r->offset;
	r->offset += (uint64_t)n;
	r->whole = n > 0 && r->text[n - 1] == '\n';
	while (n > 0 && (r->text[n - 1] == '\n' || r->text[n - 1] == '\r'))
		r->text[--n] = '\0';
	*ret = (size_t)n;
	if (strlen(r->text) != (size_t)n)
		return wrong(r, "a NUL octet");
	return ok();
}

static const struct id_column *column_named(const char *name)
{
	for (size_t i = 0; i < id_column_count; i++)
		if (strcmp(id_columns[i].name, name) == 0)
			return &id_columns[i];
	return NULL;
}

static bool has_column(const struct id_reader *r, const char *name)
{
	for (size_t i = 0; i < r->n_columns; i++)
		if (r->columns[i] && strcmp(r->columns[i]->name, name) == 0)
			return true;
	return false;
}

static size_t count_cells(const char *line)
{
	size_t n = 1;

	for (; *line; line++)
		n += *line == '\t';
	return n;
}

static struct err parse_header(struct id_reader *r)
{
	char *cell = r->text, *next;

	r->columns = mem_zalloc(count_cells(cell), sizeof(r->columns[0]));
	for (; cell; cell = next) {
		next = strchr(cell, '\t');
		if (next)
			*next++ = '\0';
		if (*cell && has_column(r, cell))
			return wrong(r, "a column stands there twice");
		r->columns[r->n_columns++] = column_named(cell);
	}
	r->kinds = has_column(r, "kind");
	if (!has_column(r, "login"))
		return wrong(r, "expected the names of the columns, login among them, with a tab "
				"between two, or a JSON object");
	if (!has_column(r, "old_id") && !has_column(r, "unique_id"))
		return wrong(r, "there is no column old_id (of another server) nor unique_id");
	return ok();
}

struct err id_reader_new(FILE *in, struct id_reader **ret)
{
	cleanup(id_reader_cleanup) struct id_reader *r = mem_zalloc(1, sizeof(*r));
	bool more = false;
	size_t n = 0;
	struct err e;

	r->in = in;
	if (failed(e = next_line(r, &n, &more)))
		return e;
	if (!more)
		return err_make(ERR_INVALID, "the file is empty");
	r->json = *r->text == '{';
	r->pending = r->json;
	if (!r->json && failed(e = parse_header(r)))
		return e;
	*ret = steal(r);
	return ok();
}

void id_reader_free(struct id_reader *reader)
{
	if (!reader)
		return;
	free(reader->text);
	free(reader->columns);
	free(reader);
}

struct err id_reader_seek(struct id_reader *reader, uint64_t offset)
{
	if (fseeko(reader->in, (off_t)offset, SEEK_SET) != 0)
		return err_errno(ERR_TEMP, errno, "reading");
	reader->offset = offset;
	reader->pending = false;
	return ok();
}

/* In place. false: a backslash that stands for nothing. */
static bool unescape(char *cell)
{
	char *to = cell;

	for (; *cell; cell++) {
		if (*cell != '\\') {
			*to++ = *cell;
			continue;
		}
		switch (*++cell) {
		case 't':
			*to++ = '\t';
			break;
		case 'n':
			*to++ = '\n';
			break;
		case 'r':
			*to++ = '\r';
			break;
		case '\\':
			*to++ = '\\';
			break;
		default:
			return false;
		}
	}
	*to = '\0';
	return true;
}

static struct err take_cell(struct id_reader *r, size_t index, char *cell, struct id_row *row)
{
	const struct id_column *column;

	if (index >= r->n_columns)
		return wrong(r, "more cells than columns");
	column = r->columns[index];
	if (!column || !*cell)
		return ok();
	if (!unescape(cell))
		return err_make(ERR_INVALID,
			"line %u: %s: a backslash before neither t, n, r nor another", r->line,
			column->name);
	if (!id_value_take(row, column, cell))
		return err_make(ERR_INVALID, "line %u: %s: not valid", r->line, column->name);
	return ok();
}

static struct err parse_tsv(struct id_reader *r, size_t n, struct arena *arena, struct id_row *row)
{
	char *cell = arena_strndup(arena, r->text, n), *next;
	struct err e;
	size_t i = 0;

	for (; cell; cell = next) {
		next = strchr(cell, '\t');
		if (next)
			*next++ = '\0';
		if (failed(e = take_cell(r, i++, cell, row)))
			return e;
	}
	return ok();
}

static struct err parse_json(struct id_reader *r, size_t n, struct arena *arena, struct id_row *row)
{
	bool kind = false;
	const char *why = id_json_parse(r->text, n, arena, row, &kind);

	r->kinds = r->kinds || kind;
	return why ? wrong(r, why) : ok();
}

struct err id_read(
	struct id_reader *reader, struct arena *arena, struct id_row *row, bool *ret_more)
{
	size_t n = reader->pending ? strlen(reader->text) : 0;
	struct id_row read;
	struct err e;

	*ret_more = true;
	/* Empty lines are passed over. */
	while (n == 0) {
		if (failed(e = next_line(reader, &n, ret_more)) || !*ret_more)
			return e;
	}
	reader->pending = false;
	id_row_clear(&read);
	e = reader->json ? parse_json(reader, n, arena, &read) : parse_tsv(reader, n, arena, &read);
	if (!failed(e) && !*read.login)
		e = wrong(reader, "no login");
	if (!failed(e))
		*row = read;
	return e;
}

unsigned id_reader_line(const struct id_reader *reader)
{
	return reader->line;
}

uint64_t id_reader_start(const struct id_reader *reader)
{
	return reader->start;
}

uint64_t id_reader_offset(const struct id_reader *reader)
{
	return reader->offset;
}

bool id_reader_kinds(const struct id_reader *reader)
{
	return reader->kinds;
}

bool id_reader_whole(const struct id_reader *reader)
{
	return reader->whole;
}
