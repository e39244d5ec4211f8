#include "backends/imap/imap_capability.h"

#include <string.h>

#include "backends/imap/imap_text.h"

static const struct {
	const char *name;
	unsigned bit;
} names[] = {
	{ "STARTTLS", IMAP_STARTTLS },
	{ "LOGINDISABLED", IMAP_LOGINDISABLED },
	{ "SASL-IR", IMAP_SASL_IR },
	{ "ID", IMAP_ID },
	{ "UIDPLUS", IMAP_UIDPLUS },
	{ "MOVE", IMAP_MOVE },
	{ "QUOTA", IMAP_QUOTA },
	{ "QRESYNC", IMAP_QRESYNC },
	{ "ESEARCH", IMAP_ESEARCH },
	{ "OBJECTID", IMAP_OBJECTID },
	{ "X-GM-EXT-1", IMAP_X_GM_EXT_1 },
	{ "AUTH=PLAIN", IMAP_AUTH_PLAIN },
	{ "AUTH=GSSAPI", IMAP_AUTH_GSSAPI },
	{ "AUTH=XOAUTH2", IMAP_AUTH_XOAUTH2 },
	{ "AUTH=OAUTHBEARER", IMAP_AUTH_OAUTHBEARER },
};

static unsigned bit_of(const char *word, size_t n)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct imap_text text = { word, word + n };

		if (imap_text_skip_word(&text, names[i].name) && text.p == text.end)
			return names[i].bit;
	}
	return 0;
}

static void take_words(struct imap_capabilities *capabilities, const char *p, const char *end)
{
	*capabilities = (struct imap_capabilities){ .told = true };
	while (p < end) {
		const char *space = memchr(p, ' ', (size_t)(end - p));
		const char *stop = space ? space : end;

		capabilities->bits |= bit_of(p, (size_t)(stop - p));
		p = stop + 1;
	}
}

void imap_capability_take(struct imap_capabilities *capabilities, const char *line, size_t n)
{
	struct imap_text text = imap_text_of_line(line, n);
	const char *end;

	if (imap_text_skip_word(&text, "* CAPABILITY ")) {
		take_words(capabilities, text.p, text.end);
		return;
	}
	if (imap_text_skip(&text, '+')) /* no answer yet */
		return;
	(void)imap_text_skip_atom(&text); /* the tag, or "*" */
	if (!imap_text_skip_word(&text, " OK [CAPABILITY "))
		return;
	end = memchr(text.p, ']', (size_t)(text.end - text.p));
	if (end)
		take_words(capabilities, text.p, end);
}
