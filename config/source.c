#include "config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 32

struct place source_whole(const struct source *source)
{
	return (struct place){ .file = source->file, .order = source->order };
}

static struct place at_mark(const struct source *source, yaml_mark_t mark)
{
	struct place at = source_whole(source);

	at.line = (unsigned)mark.line + 1;
	at.column = (unsigned)mark.column + 1;
	return at;
}

struct place source_place(const struct source *source, const yaml_node_t *node)
{
	return at_mark(source, node->start_mark);
}

yaml_node_t *source_root(struct source *source)
{
	return yaml_document_get_root_node(&source->document);
}

yaml_node_t *source_node(struct source *source, yaml_node_item_t item)
{
	return yaml_document_get_node(&source->document, item);
}

/* The absolute folder of a file; "" (then paths stay as they are) when it cannot be told. */
static const char *folder_of(const char *file, struct arena *arena)
{
	const char *slash = strrchr(file, '/');
	char *folder = slash ? arena_strndup(arena, file, (size_t)(slash - file) + 1) : NULL;
	char *real = realpath(folder ? folder : ".", NULL);
	const char *result = arena_strdup(arena, real ? real : "");

	free(real);
	return result;
}

/* Reads fd to its end; the reason as text, or NULL. */
static const char *read_all(int fd, struct buffer *out)
{
	for (;;) {
		ssize_t n = read(fd, buffer_reserve(out, 65536), 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return strerror(errno);
		if (n == 0)
			return NULL;
		out->end += (size_t)n;
		if (buffer_used(out) > SOURCE_MAX_OCTETS)
			return "larger than 16M";
	}
}

static bool read_source(struct source *source, struct buffer *text, struct reports *reports)
{
	struct stat st;
	int fd = open(source->file, O_RDONLY | O_CLOEXEC);
	const char *why = NULL;

	if (fd < 0)
		why = strerror(errno);
	else if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		why = "this is a folder, expected a YAML file";
	else
		why = read_all(fd, text);
	if (fd >= 0)
		close(fd);
	if (why)
		report(reports, CONFIG_ERROR, source_whole(source), "", "cannot be read: %s", why);
	return !why;
}

/* Where an octet lies that is no character: libyaml gives its offset only. */
static struct place at_offset(const struct source *source, const struct buffer *text, size_t offset)
{
	struct place at = source_whole(source);

	at.line = at.column = 1;
	for (size_t i = 0; i < offset && i < buffer_used(text); i++) {
		unsigned char c = (unsigned char)text->data[text->start + i];

		if (c == '\n') {
			at.line++;
			at.column = 1;
		} else if ((c & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return at;
}

static void parser_begin(yaml_parser_t *parser, const struct buffer *text)
{
	/* It only fails for want of memory. */
	if (!yaml_parser_initialize(parser))
		abort();
	yaml_parser_set_input_string(
		parser, (const unsigned char *)text->data + text->start, buffer_used(text));
}

/* line: from 0. */
static bool is_indented_by_tab(const struct buffer *text, size_t line)
{
	const char *p = text->data + text->start, *end = text->data + text->end;

	for (; p < end && line > 0; p++)
		line -= *p == '\n';
	while (p < end && *p == ' ')
		p++;
	return p < end && *p == '\t';
}

static void report_syntax(const struct source *source, const yaml_parser_t *parser,
	const struct buffer *text, struct reports *reports)
{
	const char *problem = parser->problem ? parser->problem : "not YAML";
	bool tab = is_indented_by_tab(text, parser->problem_mark.line);

	if (parser->error == YAML_READER_ERROR)
		report(reports, CONFIG_ERROR, at_offset(source, text, parser->problem_offset), "",
			"%s, expected UTF-8 text", problem);
	else
		report(reports, CONFIG_ERROR, at_mark(source, parser->problem_mark), "",
			"%s%s%s, expected YAML%s", problem, parser->context ? " " : "",
			parser->context ? parser->context : "",
			tab ? ", which is indented by spaces, never by tabs" : "");
}

/* Refuses what is nested deeper than any configuration: libyaml's scanner takes time that grows
 * with the square of the depth. What is no YAML at all is left for the real parse to report. */
static bool check_depth(struct source *source, const struct buffer *text, struct reports *reports)
{
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned depth = 0;
	bool more = true;

	parser_begin(&parser, text);
	while (more && depth <= MAX_DEPTH && yaml_parser_parse(&parser, &event)) {
		more = event.type != YAML_STREAM_END_EVENT;
		if (event.type == YAML_SEQUENCE_START_EVENT ||
			event.type == YAML_MAPPING_START_EVENT)
			depth++;
		if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
			depth--;
		if (depth > MAX_DEPTH)
			report(reports, CONFIG_ERROR, at_mark(source, event.start_mark), "",
				"nested too deeply, expected %d levels at most", MAX_DEPTH);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return depth <= MAX_DEPTH;
}

static bool check_document(struct source *source, struct reports *reports)
{
	yaml_node_t *root = source_root(source);

	if (!root) {
		report(reports, CONFIG_ERROR, source_whole(source), "",
			"the file is empty, expected a mapping of keys");
		return false;
	}
	if (root->type == YAML_MAPPING_NODE)
		return true;
	report(reports, CONFIG_ERROR, source_place(source, root), "",
		"no mapping, expected \"key: value\" lines");
	return false;
}

static bool parse_documents(struct source *source, yaml_parser_t *parser, const struct buffer *text,
	struct reports *reports)
{
	yaml_document_t next;
	bool good;

	if (!yaml_parser_load(parser, &source->document)) {
		report_syntax(source, parser, text, reports);
		return false;
	}
	source->loaded = true;
	if (!check_document(source, reports))
		return false;
	if (!yaml_parser_load(parser, &next)) {
		report_syntax(source, parser, text, reports);
		return false;
	}
	good = !yaml_document_get_root_node(&next);
	if (!good)
		report(reports, CONFIG_ERROR, at_mark(source, next.start_mark), "",
			"a second document begins, expected one");
	yaml_document_delete(&next);
	return good;
}

bool source_load(struct source *source, const char *file, unsigned order, struct arena *arena,
	struct reports *reports)
{
	struct buffer text = { 0 };
	yaml_parser_t parser;
	bool good;

	*source = (struct source){ .file = arena_strdup(arena, file), .order = order };
	source->folder = folder_of(file, arena);
	if (!read_source(source, &text, reports)) {
		buffer_done(&text);
		return false;
	}
	good = check_depth(source, &text, reports);
	if (good) {
		parser_begin(&parser, &text);
		good = parse_documents(source, &parser, &text, reports);
		yaml_parser_delete(&parser);
	}
	buffer_done(&text);
	return good;
}

void source_done(struct source *source)
{
	if (source->loaded)
		yaml_document_delete(&source->document);
	source->loaded = false;
}
