#include <string.h>
#include <strings.h>

#include "backends/imap/imap.h"
#include "backends/imap/imap_text.h"

/* RFC 5530, and what large providers add. */
static const struct {
	const char *code;
	enum err_scope scope;
} codes[] = {
	{ "AUTHENTICATIONFAILED", ERR_AUTH },
	{ "AUTHORIZATIONFAILED", ERR_AUTH },
	{ "EXPIRED", ERR_AUTH },
	{ "INUSE", ERR_IN_USE },
	{ "UNAVAILABLE", ERR_TEMP },
	{ "LIMIT", ERR_TEMP },
	{ "SERVERBUG", ERR_TEMP },
	{ "THROTTLED", ERR_TEMP },
	{ "CORRUPTION", ERR_TEMP },
	{ "NOPERM", ERR_PERM },
	{ "CONTACTADMIN", ERR_PERM },
	{ "NONEXISTENT", ERR_PERM },
	{ "TRYCREATE", ERR_PERM },
	{ "PRIVACYREQUIRED", ERR_PERM },
	{ "OVERQUOTA", ERR_PERM },
	{ "CANNOT", ERR_PERM },
	{ "EXPUNGEISSUED", ERR_GONE },
	{ "EXPUNGED", ERR_GONE },
};

static const enum err_scope defaults[] = {
	[IMAP_STEP_LOGIN] = ERR_AUTH,
	[IMAP_STEP_SELECT] = ERR_PERM,
	[IMAP_STEP_MESSAGE] = ERR_MESSAGE,
	[IMAP_STEP_OTHER] = ERR_TEMP,
};

/* The text behind the first word of a status line: "NO [CODE] words". */
static const char *behind_tag(const char *line)
{
	const char *space = strchr(line, ' ');

	return space ? space + 1 : line;
}

/* Whether a status line without its tag has this response code. */
static bool has_code(const char *words, const char *code)
{
	const char *open = strchr(words, ' ');
	size_t n = strlen(code);

	if (!open || open[1] != '[')
		return false;
	return strncasecmp(open + 2, code, n) == 0 && (open[2 + n] == ']' || open[2 + n] == ' ');
}

static enum err_scope scope_of(const char *words, enum err_scope otherwise)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (has_code(words, codes[i].code))
			return codes[i].scope;
	return otherwise;
}

bool imap_answer_has(const struct imap *imap, const char *code)
{
	return has_code(behind_tag(imap->stream->status), code);
}

struct err imap_usable(const struct imap *imap)
{
	struct err e;

	if (!imap->stream)
		return err_make(ERR_TEMP, "there is no connection");
	e = imap->stream->link.error;
	/* The deadline that ended it is not that of this call. */
	if (e.scope == ERR_TIMEOUT)
		e.scope = ERR_TEMP;
	return err_context(e, "%s: the connection was lost before", imap->server);
}

struct err imap_lost(struct imap *imap, const char *why)
{
	struct imap_stream *s = imap->stream;
	const char *bye = behind_tag(s->bye);

	if (s->bye[0] && s->link.error.scope != ERR_CANCELED && s->link.error.scope != ERR_TIMEOUT)
		s->link.error = err_make(scope_of(bye, ERR_TEMP), "%s", bye);
	else
		imap_stream_fail(s, err_make(ERR_TEMP, "%s", why));
	return err_context(s->link.error, "%s", imap->server);
}

/* Whether the text begins with this word. */
static bool is_word(struct imap_text text, const char *word)
{
	return imap_text_skip_word(&text, word) && (text.p == text.end || *text.p == ' ');
}

struct err imap_verdict(struct imap *imap, enum imap_step step)
{
	const char *status = imap->stream->status, *words = behind_tag(status);
	struct imap_text text = { status, status + strlen(status) };
	uint64_t tag;

	if (!imap_text_number(&text, UINT32_MAX, &tag) || tag != imap->tag ||
		!imap_text_skip(&text, ' '))
		return imap_lost(imap, "malformed answer");
	if (is_word(text, "OK"))
		return ok();
	if (is_word(text, "NO"))
		return err_make(scope_of(words, defaults[step]), "%s: %s", imap->server, words);
	if (is_word(text, "BAD"))
		return err_make(scope_of(words, ERR_TEMP), "%s: %s", imap->server, words);
	return imap_lost(imap, "malformed answer");
}
