/* markdown - the reference as docs/configuration.md. */
#include <string.h>

#include "config/reference/reference.h"

#define WIDTH 100

static void begin(FILE *out)
{
	fputs("# Configuration\n"
	      "\n"
	      "<!-- Written by popgate_reference from config/keys.c: ninja -C build docs -->\n",
		out);
}

static void chapter(FILE *out, const char *title)
{
	fprintf(out, "\n## %s\n", title);
}

static void section(FILE *out, const char *name)
{
	fprintf(out, "\n### `%s`\n", name);
}

static void paragraph(FILE *out, const char *text)
{
	size_t column = 0;

	fputc('\n', out);
	while (*text) {
		size_t n = strcspn(text, " ");

		if (column > 0 && column + 1 + n > WIDTH) {
			fputc('\n', out);
			column = 0;
		} else if (column > 0) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)n, text);
		column += n;
		text += n + strspn(text + n, " ");
	}
	fputc('\n', out);
}

static void example(FILE *out, const char *text)
{
	fprintf(out, "\n```yaml\n%s```\n", text);
}

static void keys_begin(FILE *out)
{
	fputs("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n", out);
}

/* In a cell of a table. */
static void cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		/* A lone * could begin emphasis. */
		if (strchr("|*<", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void key(FILE *out, const struct reference_key *key)
{
	fprintf(out, "| `%s` | ", key->name);
	cell(out, key->expected);
	if (key->standard)
		fprintf(out, " | `%s` | ", key->standard);
	else
		fputs(" | required | ", out);
	cell(out, key->help);
	fputs(key->not_yet ? " Without effect in this version. |\n" : " |\n", out);
}

static void nothing(FILE *out)
{
	(void)out;
}

const struct reference_format reference_markdown = {
	.begin = begin,
	.chapter = chapter,
	.section = section,
	.paragraph = paragraph,
	.example = example,
	.keys_begin = keys_begin,
	.key = key,
	.keys_end = nothing,
	.end = nothing,
};
