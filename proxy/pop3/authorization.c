/*
 * The AUTHORIZATION state (RFC 1939 section 4, 5034, 2595): USER, PASS, AUTH, STLS.
 */
#include <string.h>

#include "proxy/pop3/session_state.h"
#include "proxy/runtime/utf8.h"

/* Says why there is no password login on this connection. */
fiber_fn static void refuse_plaintext(struct session *s)
{
	if (session_passwords_allowed(s))
		reply_err(s->out, "this login method is not offered here");
	else if (s->connection->listener->tls == TLS_STARTTLS)
		reply_err(s->out, "passwords are taken under TLS only: send STLS first");
	else
		reply_err(s->out, "passwords are taken under TLS only");
}

fiber_fn static void cmd_user(struct session *s, const struct command_args *args)
{
	if (!(session_mechanisms(s) & MECH_USER)) {
		refuse_plaintext(s);
		return;
	}
	if (s->utf8 && !utf8_valid(args->word, strlen(args->word))) {
		session_bad_command(s, "this is no UTF-8");
		return;
	}
	/* Known or not is never told here (MS-STANXPOP3 V0008, V0009). */
	s->user = mem_strdup(args->word);
	reply_ok(s->out, "password, please");
}

fiber_fn static void cmd_pass(struct session *s, const struct command_args *args)
{
	cleanup(free_cleanup) char *user = steal(s->user);
	struct credentials credentials;

	if (!user) {
		reply_err(s->out, "PASS belongs right after USER");
		return;
	}
	credentials =
		credentials_of_password(MECH_USER, user, secret_new(args->rest, args->rest_length));
	line_wipe(s->in);
	session_prepare(s, &credentials);
	session_login(s, &credentials);
	credentials_done(&credentials);
}

/* AUTH alone lists the mechanisms, as Windows' POP3 service does and old Outlook asks. */
fiber_fn static void list_mechanisms(struct session *s)
{
	char names[SASL_NAMES_MAX], *at = names, *name;

	sasl_names(session_mechanisms(s), names, sizeof(names));
	reply_ok(s->out, "mechanisms follow");
	while ((name = strsep(&at, " ")))
		if (*name)
			reply_line(s->out, "%s", name);
	reply_end(s->out);
}

/* A step failed: the client's message was malformed or proved nothing, or what the mechanism needs
 * is out of order. */
fiber_fn static void broken_exchange(struct session *s, unsigned mechanism, struct err e)
{
	if (e.scope == ERR_INVALID)
		session_bad_command(s, "malformed authentication exchange");
	else
		session_fail_exchange(s, mechanism, e);
}

/* The exchange itself (RFC 5034 section 4). false: it ended without credentials, and the client was
 * told so. */
fiber_fn static bool exchange(struct session *s, unsigned mechanism, struct sasl *sasl,
	const char *initial, struct credentials *credentials)
{
	enum sasl_state state = SASL_CONTINUE;
	const char *input = initial ? initial : "", *challenge = NULL;
	struct line line;

	for (;;) {
		struct err e = sasl_step(sasl, input, &challenge, &state, credentials);

		line_wipe(s->in);
		if (failed(e)) {
			broken_exchange(s, mechanism, e);
			return false;
		}
		if (state == SASL_DONE)
			return true;
		reply_challenge(s->out, challenge);
		if (!session_read_line(s, SASL_LINE_MAX, &line))
			return false;
		if (strcmp(line.text, "*") == 0) {
			reply_err(s->out, "authentication canceled");
			return false;
		}
		/* A NUL would hide the rest of the line from the base64 check. */
		if (strlen(line.text) != line.length) {
			session_bad_command(s, "malformed authentication exchange");
			return false;
		}
		input = line.text;
	}
}

fiber_fn static void cmd_auth(struct session *s, const struct command_args *args)
{
	cleanup(sasl_cleanup) struct sasl *sasl = NULL;
	struct credentials credentials = { 0 };
	struct sasl_peer peer = session_peer(s);
	unsigned mechanism;

	if (!args->word) {
		list_mechanisms(s);
		return;
	}
	peer.offered = session_mechanisms(s);
	mechanism = sasl_mechanism(args->word, peer.offered);
	if (!mechanism) {
		if (sasl_mechanism(args->word, sasl_usable(~peer.offered, &peer, true)) &&
			!session_passwords_allowed(s))
			refuse_plaintext(s);
		else
			reply_err(s->out, "this mechanism is not offered here");
		return;
	}
	if (failed(sasl_new(mechanism, &peer, &sasl))) {
		reply_err(s->out, "[SYS/TEMP] this mechanism does not work at the moment");
		return;
	}
	s->sasl = sasl;
	if (exchange(s, mechanism, sasl, args->rest, &credentials))
		session_login(s, &credentials);
	s->sasl = NULL;
	credentials_done(&credentials);
}

fiber_fn static void cmd_stls(struct session *s, const struct command_args *args)
{
	(void)args;
	if (stream_is_tls(s->stream)) {
		reply_err(s->out, "TLS is on already");
		return;
	}
	if (s->connection->listener->tls != TLS_STARTTLS) {
		reply_err(s->out, "TLS is not offered here");
		return;
	}
	if (s->utf8) {
		reply_err(s->out, "after UTF8 it is too late for STLS");
		return;
	}
	reply_ok(s->out, "begin TLS");
	session_start_tls(s);
}

fiber_fn static void cmd_quit(struct session *s, const struct command_args *args)
{
	(void)args;
	reply_ok(s->out, "bye");
	session_close(s, "quit before login");
}

fiber_fn static void cmd_apop(struct session *s, const struct command_args *args)
{
	(void)args;
	reply_err(s->out, "APOP is not supported");
}

const struct command authorization_commands[] = {
	{ "USER", ARGS_WORD, cmd_user },
	{ "PASS", ARGS_REST, cmd_pass },
	{ "AUTH", ARGS_AUTH, cmd_auth },
	{ "STLS", ARGS_NONE, cmd_stls },
	{ "UTF8", ARGS_NONE, cmd_utf8 },
	{ "LANG", ARGS_OPTIONAL_WORD, cmd_lang },
	{ "CAPA", ARGS_NONE, cmd_capa },
	{ "QUIT", ARGS_NONE, cmd_quit },
	{ "APOP", ARGS_REST, cmd_apop },
	{ 0 },
};
