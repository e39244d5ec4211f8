#include "backends/imap/imap_answer.h"

#include <string.h>
#include <strings.h>

struct word {
	const char *text;
	size_t n;
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool word_is(struct word word, const char *name)
{
	return word.n == strlen(name) && strncasecmp(word.text, name, word.n) == 0;
}

/* The word at *line, up to a space or the end; moves *line behind the space. */
static struct word next_word(const char **line, const char *end)
{
	const char *space = memchr(*line, ' ', (size_t)(end - *line));
	struct word word = { *line, (size_t)((space ? space : end) - *line) };

	*line = space ? space + 1 : end;
	return word;
}

static bool all_digits(struct word word)
{
	for (size_t i = 0; i < word.n; i++)
		if (!digit(word.text[i]))
			return false;
	return word.n > 0;
}

static enum answer_kind numbered_kind(const char *line, const char *end)
{
	struct word word = next_word(&line, end);

	if (word_is(word, "FETCH") && line < end && *line == '(')
		return ANSWER_FETCH;
	return ANSWER_IGNORED;
}

static enum answer_kind kind_of(const char *line, const char *end)
{
	struct word word;

	if (line == end)
		return ANSWER_IGNORED;
	if (line[0] == '+')
		return ANSWER_CONTINUE;
	if (digit(line[0]))
		return ANSWER_TAGGED;
	if (end - line < 2 || line[0] != '*' || line[1] != ' ')
		return ANSWER_NONE;
	line += 2;
	word = next_word(&line, end);
	if (all_digits(word))
		return numbered_kind(line, end);
	if (word_is(word, "OK"))
		return ANSWER_OK;
	if (word_is(word, "NO") || word_is(word, "BAD"))
		return ANSWER_TEXT;
	if (word_is(word, "BYE"))
		return ANSWER_BYE;
	return word_is(word, "PREAUTH") ? ANSWER_PREAUTH : ANSWER_IGNORED;
}

/* "{123}" at the very end of [line, end): where it starts, and its number; NULL when it is none. */
static const char *literal_mark(const char *line, const char *end, uint64_t *ret)
{
	const char *p = end;
	uint64_t octets = 0, unit = 1;

	if (p == line || *--p != '}')
		return NULL;
	while (p > line && digit(p[-1]) && end - p <= 10) {
		octets += unit * (uint64_t)(*--p - '0');
		unit *= 10;
	}
	if (unit == 1 || p == line || *--p != '{')
		return NULL;
	*ret = octets;
	return p;
}

/* Whether [line, mark) ends in "BODY[…] " or "BODY[…]<n> ". */
static bool follows_body(const char *line, const char *mark)
{
	const char *p = mark;

	if (p == line || *--p != ' ')
		return false;
	if (p > line && p[-1] == '>') {
		p--;
		while (p > line && digit(p[-1]))
			p--;
		if (p == line || *--p != '<')
			return false;
	}
	if (p == line || p[-1] != ']')
		return false;
	while (p > line && p[-1] != '[')
		p--;
	return p - line >= 5 && strncasecmp(p - 5, "BODY[", 5) == 0;
}

static struct err malformed(const char *what)
{
	return err_make(ERR_TEMP, "malformed answer: %s", what);
}

/* A line of FETCH without its line end: nesting and quotes, and a literal only at its end. */
static struct err scan_fetch(
	struct answer *answer, const char *line, const char *end, struct answer_literal *literal)
{
	uint64_t octets;
	const char *mark = literal_mark(line, end, &octets);
	bool quoted = false;

	for (const char *p = line; p < end; p++) {
		if (*p == '\0' || *p == '\r')
			return malformed("a control octet");
		if (*p == '"')
			quoted = !quoted;
		else if (quoted)
			p += *p == '\\' && p + 1 < end && (p[1] == '"' || p[1] == '\\');
		else if (*p == '(' && ++answer->depth > IMAP_NESTING_MAX)
			return malformed("nested too deeply");
		else if (*p == ')' && answer->depth > 0)
			answer->depth--;
		else if (*p == '{' && p != mark)
			return malformed("a brace that starts no literal");
		else if (p == mark)
			break;
	}
	if (quoted)
		return malformed("a quoted string that does not end");
	if (!mark && answer->depth > 0)
		return malformed("a parenthesis that does not close");
	if (mark)
		*literal = (struct answer_literal){
			.present = true, .body = follows_body(line, mark), .octets = octets
		};
	return ok();
}

static void scan_ignored(const char *line, const char *end, struct answer_literal *literal)
{
	literal->present = literal_mark(line, end, &literal->octets) != NULL;
}

/* libetpan may know only US-ASCII as text, and so may a log. */
static void replace_controls(char *line, const char *end)
{
	for (; line < end; line++)
		if (*line < ' ' || *line > '~')
			*line = '?';
}

struct err answer_line(
	struct answer *answer, char *line, size_t n, struct answer_literal *ret_literal)
{
	struct answer_literal literal = { 0 };
	char *end = line + n - 1;
	struct err e = ok();

	if (end > line && end[-1] == '\r')
		end--;
	if (!answer->continued)
		*answer = (struct answer){ .kind = kind_of(line, end) };
	answer->octets += n;
	if (answer->kind == ANSWER_IGNORED)
		scan_ignored(line, end, &literal);
	else if (answer->kind == ANSWER_FETCH)
		e = scan_fetch(answer, line, end, &literal);
	else if (answer->kind == ANSWER_TAGGED || answer->kind == ANSWER_BYE)
		replace_controls(line, end);
	if (failed(e))
		return e;
	if (literal.present && !literal.body)
		answer->octets += literal.octets;
	if (answer->octets > IMAP_LINE_MAX && answer->kind != ANSWER_IGNORED)
		return malformed("a line too long");
	if (literal.octets > IMAP_LITERAL_MAX)
		return malformed("a literal too large");
	answer->continued = literal.present;
	*ret_literal = literal;
	return ok();
}
