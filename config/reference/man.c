/* man - the reference as popgate.yaml(5), in mdoc(7). */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "config/reference/reference.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/utf8.h"

/* Of the page; to be moved on when its words change. */
#define DATE "November 21, 2026"
/* Of a line of the source; escapes not counted. */
#define WIDTH 62

/* No paragraph is begun right below a heading. */
static bool at_heading = true;

static void begin(FILE *out)
{
	fputs(".\\\" Written by popgate_reference from config/keys.c: ninja -C build docs\n"
	      ".Dd " DATE "\n"
	      ".Dt POPGATE.YAML 5\n"
	      ".Os\n"
	      ".Sh NAME\n"
	      ".Nm popgate.yaml\n"
	      ".Nd configuration of popgate, the POP3 gateway\n"
	      ".Sh DESCRIPTION\n",
		out);
}

static void chapter(FILE *out, const char *title)
{
	fputs(".Sh ", out);
	for (; *title; title++)
		fputc(toupper((unsigned char)*title), out);
	fputc('\n', out);
	at_heading = true;
}

static void section(FILE *out, const char *name)
{
	fprintf(out, ".Ss %s\n", name);
	at_heading = true;
}

/* One character; `…` switches to bold and back. Returns its octets. */
static size_t put_character(FILE *out, const char *text, bool *bold)
{
	uint32_t c = 0;
	size_t n = utf8_decode(text, strlen(text), &c);

	if (c == '`') {
		*bold = !*bold;
		fputs(*bold ? "\\fB" : "\\fP", out);
	} else if (c == '\\') {
		fputs("\\e", out);
	} else if (c == '-') {
		fputs("\\-", out);
	} else if (c == '\'') {
		fputs("\\(aq", out);
	} else if (c == '"') {
		fputs("\\(dq", out);
	} else if (c > 0x7e) {
		fprintf(out, "\\[u%04" PRIX32 "]", c);
	} else {
		fputc((int)c, out);
	}
	return n ? n : 1;
}

static void put_word(FILE *out, const char *word, size_t n, bool first, bool *bold)
{
	/* Else it would be a request. */
	if (first && *word == '.')
		fputs("\\&", out);
	for (size_t i = 0; i < n;)
		i += put_character(out, word + i, bold);
}

/* Text as lines; each sentence begins one, as mdoc wants it. */
static void put_text(FILE *out, const char *text)
{
	size_t column = 0;
	bool bold = false;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column > 0)
			fputc(column + 1 + n > WIDTH ? '\n' : ' ', out);
		if (column + 1 + n > WIDTH)
			column = 0;
		put_word(out, text, n, column == 0, &bold);
		column += n + 1;
		if (strchr(".!?", text[n - 1]) && text[n]) {
			fputc('\n', out);
			column = 0;
		}
		text += n + strspn(text + n, " ");
	}
	fputc('\n', out);
}

static void paragraph(FILE *out, const char *text)
{
	if (!at_heading)
		fputs(".Pp\n", out);
	at_heading = false;
	put_text(out, text);
}

static void example(FILE *out, const char *text)
{
	fprintf(out, ".Bd -literal -offset indent\n%s.Ed\n", text);
}

static void keys_begin(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
}

static void key(FILE *out, const struct reference_key *key)
{
	struct buffer text = { 0 };

	buffer_printf(&text, "Value: %s; %s%s%s.", key->expected,
		key->standard ? "by default `" : "required", key->standard ? key->standard : "",
		key->standard ? "`" : "");
	buffer_append(&text, "", 1);
	fprintf(out, ".It Cm %s\n", key->name);
	put_text(out, key->help);
	if (key->not_yet)
		fputs("Without effect in this version.\n", out);
	fputs(".br\n", out);
	put_text(out, buffer_data(&text));
	buffer_done(&text);
}

static void keys_end(FILE *out)
{
	fputs(".El\n", out);
	at_heading = false;
}

static void end(FILE *out)
{
	fputs(".Sh FILES\n"
	      ".Bl -tag -width Ds\n"
	      ".It Pa popgate.yaml\n"
	      "in the present folder, else\n"
	      ".It Pa /etc/popgate/popgate.yaml\n"
	      "where no file is named.\n"
	      ".El\n"
	      ".Sh SEE ALSO\n"
	      ".Xr popgate 1\n",
		out);
}

const struct reference_format reference_man = {
	.begin = begin,
	.chapter = chapter,
	.section = section,
	.paragraph = paragraph,
	.example = example,
	.keys_begin = keys_begin,
	.key = key,
	.keys_end = keys_end,
	.end = end,
};
