/* OAuth 2.0 bearer tokens: OAUTHBEARER (RFC 7628) or XOAUTH2, whichever the server has. */
#include <string.h>

#include "backends/base64.h"
#include "backends/imap/imap.h"

/* Longer ones are not sent with the command: servers bound a command's line (RFC 7162 section 4
 * lets them at 8192 octets), and some the literal of a response less. */
#define INITIAL_MAX 8000

/* The first message: what the client says; and what it answers to the server's reason for a
 * failure, before the NO comes. */
struct form {
	unsigned bit;
	const char *command;
	void (*message)(const struct imap *imap, const char *login, struct buffer *ret);
	const char *answer;
};

static void message_xoauth2(const struct imap *imap, const char *login, struct buffer *ret)
{
	(void)imap;
	buffer_printf(ret, "user=%s", login);
}

/* RFC 5801 section 4: a name's own "," and "=" are escaped. */
static void message_oauthbearer(const struct imap *imap, const char *login, struct buffer *ret)
{
	buffer_printf(ret, "n,a=");
	for (; *login; login++) {
		if (*login == ',' || *login == '=')
			buffer_printf(ret, "%s", *login == ',' ? "=2C" : "=3D");
		else
			buffer_append(ret, login, 1);
	}
	buffer_printf(ret, ",\x01host=%s\x01port=%u", imap->server, imap->settings->port);
}

static const struct form forms[] = {
	{ IMAP_AUTH_OAUTHBEARER, "AUTHENTICATE OAUTHBEARER", message_oauthbearer, "AQ==\r\n" },
	{ IMAP_AUTH_XOAUTH2, "AUTHENTICATE XOAUTH2", message_xoauth2, "\r\n" },
};

static const struct form *form_of(const struct imap *imap)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (imap->capabilities & forms[i].bit)
			return &forms[i];
	return NULL;
}

/* The message in base64, and a line end. */
static void response(struct buffer *ret, const struct imap *imap, const struct form *form,
	const char *login, const struct secret *token)
{
	static const char before[] = "\x01"
				     "auth=Bearer ";
	cleanup(buffer_wipe) struct buffer message = { 0 };

	form->message(imap, login, &message);
	buffer_reserve(&message, sizeof(before) + secret_length(token) + 2);
	buffer_append(&message, before, sizeof(before) - 1);
	buffer_append(&message, secret_data(token), secret_length(token));
	buffer_append(&message, "\x01\x01", 2);
	buffer_reserve(ret, base64_size(buffer_used(&message)) + 2);
	base64_encode(ret, buffer_data(&message), buffer_used(&message));
	buffer_append(ret, "\r\n", 2);
}

fiber_fn struct err imap_authenticate_token(
	struct imap *imap, const char *login, const struct secret *token)
{
	const struct form *form = form_of(imap);
	cleanup(buffer_wipe) struct buffer line = { 0 };
	bool initial;
	struct err e;

	if (!form)
		return err_make(ERR_PERM,
			"%s: the server has neither AUTH=OAUTHBEARER nor AUTH=XOAUTH2 for a token",
			imap->server);
	response(&line, imap, form, login, token);
	initial = (imap->capabilities & IMAP_SASL_IR) && buffer_used(&line) <= INITIAL_MAX;
	imap_begin(imap);
	imap_send(imap, form->command, strlen(form->command));
	imap_send(imap, initial ? " " : "\r\n", initial ? 1 : 2);
	if (!initial && failed(e = imap_continue(imap, IMAP_STEP_LOGIN)))
		return e;
	imap_send(imap, buffer_data(&line), buffer_used(&line));
	return imap_finish_after(imap, IMAP_STEP_LOGIN, form->answer);
}
