#include "backends/imap/imap_news.h"

#include <strings.h>

#include "backends/imap/imap_text.h"

static void emit(struct imap_news *news)
{
	uint32_t to = (uint32_t)news->number;
	uint32_t from = news->from ? news->from : to;

	if (from > to) {
		uint32_t swapped = from;

		from = to;
		to = swapped;
	}
	if (news->set == IMAP_SET_VANISHED)
		news->expunged += (uint64_t)to - from + 1;
	if (news->set == news->wanted && news->on_range)
		news->on_range(news->arg, from, to);
	news->number = 0;
	news->from = 0;
	news->digits = false;
}

static bool take_digit(struct imap_news *news, char c)
{
	news->digits = true;
	news->number = news->number * 10 + (uint64_t)(c - '0');
	return news->number <= UINT32_MAX;
}

/* The end of a UID or of a range. */
static bool take_end(struct imap_news *news)
{
	if (news->number == 0)
		return false;
	emit(news);
	return true;
}

static bool open_range(struct imap_news *news)
{
	if (news->number == 0 || news->from != 0)
		return false;
	news->from = (uint32_t)news->number;
	news->number = 0;
	news->digits = false;
	return true;
}

static bool take_octet(struct imap_news *news, char c)
{
	if (news->tail)
		return c != '{' && c != '}';
	if (c >= '0' && c <= '9')
		return take_digit(news, c);
	if (c == ':')
		return open_range(news);
	if (c == ',')
		return take_end(news);
	if (c != ' ' && c != '\r' && c != '\n' && c != '(')
		return false;
	news->tail = c != ' ' || !news->spaced;
	return (!news->digits && !news->from) || take_end(news);
}

/* Skips to what follows "ALL": "(TAG \"3\") UID COUNT 2 ALL 4:5". */
static bool skip_to_all(struct imap_text *text)
{
	const char *word;

	if (imap_text_skip(text, '(')) {
		while (text->p < text->end && *text->p != ')')
			text->p++;
		if (!imap_text_skip(text, ')') || !imap_text_skip(text, ' '))
			return false;
	}
	for (;;) {
		word = text->p;
		if (imap_text_skip_atom(text) == 0 || !imap_text_skip(text, ' '))
			return false;
		if (text->p - word == 4 && strncasecmp(word, "ALL", 3) == 0)
			return true;
	}
}

static enum imap_news_set set_of(struct imap_text *text, bool *ret_spaced)
{
	if (imap_text_skip_word(text, "VANISHED (EARLIER) "))
		return IMAP_SET_EARLIER;
	if (imap_text_skip_word(text, "VANISHED "))
		return IMAP_SET_VANISHED;
	if (imap_text_skip_word(text, "ESEARCH "))
		return skip_to_all(text) ? IMAP_SET_FOUND : IMAP_SET_NONE;
	*ret_spaced = imap_text_skip_word(text, "SEARCH ");
	return *ret_spaced ? IMAP_SET_FOUND : IMAP_SET_NONE;
}

/* "UIDNEXT 4392]": the number of the code that has this name. */
static bool take_code(struct imap_text text, const char *name, uint64_t max, uint64_t *ret)
{
	return imap_text_skip_word(&text, name) && imap_text_skip(&text, ' ') &&
	       imap_text_number(&text, max, ret) && imap_text_skip(&text, ']');
}

/* Whether this word is the last of the line. */
static bool ends_in(struct imap_text text, const char *word)
{
	if (!imap_text_skip_word(&text, word))
		return false;
	while (imap_text_skip(&text, ' '))
		;
	return text.p < text.end && (*text.p == '\r' || *text.p == '\n');
}

/* Lines that are no set. */
static void take_line(struct imap_news *news, struct imap_text text)
{
	uint64_t number;

	if (imap_text_skip_word(&text, "OK [")) {
		if (take_code(text, "UIDVALIDITY", UINT32_MAX, &number))
			news->uidvalidity = (uint32_t)number;
		else if (take_code(text, "UIDNEXT", UINT32_MAX, &number))
			news->uidnext = (uint32_t)number;
		else if (take_code(text, "HIGHESTMODSEQ", UINT64_MAX, &number))
			news->highestmodseq = number;
	} else if (imap_text_number(&text, UINT32_MAX, &number)) {
		if (ends_in(text, " EXPUNGE")) {
			news->expunged++;
		} else if (ends_in(text, " EXISTS")) {
			news->exists = (uint32_t)number;
			news->exists_told = true;
		}
	}
}

bool imap_news_piece(struct imap_news *news, const char *piece, size_t n, bool first)
{
	struct imap_text text = { piece, piece + n };

	if (first) {
		news->set = IMAP_SET_NONE;
		news->spaced = news->tail = news->digits = false;
		news->number = news->from = 0;
		if (!imap_text_skip_word(&text, "* "))
			return false;
		news->set = set_of(&text, &news->spaced);
		if (news->set == IMAP_SET_NONE)
			take_line(news, text);
	}
	while (news->set != IMAP_SET_NONE && text.p < text.end)
		if (!take_octet(news, *text.p++))
			news->set = IMAP_SET_NONE;
	return news->set != IMAP_SET_NONE;
}
