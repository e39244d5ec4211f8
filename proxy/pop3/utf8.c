/*
 * UTF8 and LANG, and names and passwords in UTF-8 (RFC 6856).
 */
#include <string.h>

#include "proxy/login/saslprep.h"
#include "proxy/pop3/language.h"
#include "proxy/pop3/session_state.h"
#include "proxy/runtime/utf8.h"

fiber_fn void cmd_utf8(struct session *s, const struct command_args *args)
{
	(void)args;
	if (!session_utf8_offered(s)) {
		reply_err(s->out, "UTF8 is not offered here");
		return;
	}
	s->utf8 = true;
	reply_ok(s->out, "UTF8 mode is on");
}

fiber_fn void cmd_lang(struct session *s, const struct command_args *args)
{
	const struct language *language;

	if (!session_utf8_offered(s)) {
		reply_err(s->out, "LANG is not offered here");
		return;
	}
	if (!args->word) {
		reply_ok(s->out, "Language listing follows:");
		for (language = languages; language->tag; language++)
			reply_line(s->out, "%s %s", language->tag, language->name);
		reply_end(s->out);
		return;
	}
	language = language_lookup(args->word);
	if (language)
		reply_ok(s->out, "%s this server speaks English", language->tag);
	else
		reply_err(s->out, "this language is not spoken here");
}

/* Whether the login is one of a tenant that has UTF8 on. */
static bool is_utf8_login(const struct session *s, const char *login)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct route_query query = session_query(s);
	const struct account *account;

	query.login = login;
	account = route(s->config, &query, arena, NULL, NULL);
	return account && account->tenant->maildrop.utf8;
}

static bool is_utf8(const struct credentials *credentials)
{
	return utf8_valid(credentials->login, strlen(credentials->login)) &&
	       utf8_valid(secret_data(credentials->secret), secret_length(credentials->secret));
}

static bool prepare(struct credentials *credentials)
{
	cleanup(secret_cleanup) struct secret *login = NULL;
	struct secret *password;

	if (!saslprep(credentials->login, &login) ||
		!saslprep(secret_data(credentials->secret), &password))
		return false;
	free(credentials->login);
	credentials->login = mem_strdup(secret_data(login));
	secret_free(credentials->secret);
	credentials->secret = password;
	return true;
}

void session_prepare(const struct session *s, struct credentials *credentials)
{
	bool good = true;

	if (is_utf8_login(s, credentials->login))
		good = prepare(credentials);
	else if (s->utf8)
		good = is_utf8(credentials);
	if (good)
		return;
	/* Answered as a wrong password is, or it would tell which tenants there are. */
	credentials->kind = CREDENTIAL_REFUSED;
	credentials->why = mem_strdup("not UTF-8, or characters that SASLprep prohibits");
}
