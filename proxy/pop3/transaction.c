/*
 * The TRANSACTION state (RFC 1939 sections 5 and 7): one handler per command, the table below them.
 * Message numbers that reach a handler exist and are not marked deleted.
 */
#include <stdio.h>

#include "proxy/pop3/body.h"
#include "proxy/pop3/session_state.h"
#include "proxy/pop3/surrogate.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/wait.h"

/* How many lines of a listing are built before other sessions get their turn. */
#define LISTING_TURN 10000

fiber_fn static void cmd_stat(struct session *s, const struct command_args *args)
{
	(void)args;
	reply_ok(s->out, "%zu %llu", maildrop_visible(s->drop),
		(unsigned long long)maildrop_visible_octets(s->drop));
}

typedef const char *listing_value(struct session *s, size_t number, char *buffer, size_t n);

struct listing {
	enum maildrop_lines lines;
	listing_value *value;
};

static const char *value_size(struct session *s, size_t number, char *buffer, size_t n)
{
	snprintf(buffer, n, "%llu", (unsigned long long)maildrop_size(s->drop, number));
	return buffer;
}

static const char *value_unique_id(struct session *s, size_t number, char *buffer, size_t n)
{
	(void)buffer;
	(void)n;
	return maildrop_unique_id(s->drop, number);
}

/* The lines of all that are not marked; to `lines` if it is not NULL, else to the client. */
fiber_fn static void list_each(struct session *s, listing_value *value, struct buffer *lines)
{
	char text[24];

	for (size_t n = 1; n <= maildrop_count(s->drop); n++) {
		if (maildrop_marked(s->drop, n))
			continue;
		if (lines)
			reply_put_listing(lines, n, value(s, n, text, sizeof(text)));
		else
			reply_listing(s->out, n, value(s, n, text, sizeof(text)));
		/* The outcome shows at the session's next wait. */
		if (n % LISTING_TURN == 0)
			(void)wait_turn();
	}
}

/* Written once for all sessions that see the same. */
fiber_fn static void list_shared(struct session *s, const struct listing *listing)
{
	const struct buffer *kept = maildrop_kept_lines(s->drop, listing->lines);
	struct buffer lines = { 0 };

	if (!kept) {
		list_each(s, listing->value, &lines);
		maildrop_keep_lines(s->drop, listing->lines, &lines);
		kept = maildrop_kept_lines(s->drop, listing->lines);
	}
	if (kept)
		reply_octets(s->out, buffer_data(kept), buffer_used(kept));
}

/* LIST and UIDL differ in the value only. */
fiber_fn static void answer_listing(
	struct session *s, const struct command_args *args, const struct listing *listing)
{
	char text[24];

	if (args->message) {
		reply_ok(s->out, "%zu %s", args->message,
			listing->value(s, args->message, text, sizeof(text)));
		return;
	}
	reply_ok(s->out, "%zu messages", maildrop_visible(s->drop));
	if (maildrop_shares_lines(s->drop))
		list_shared(s, listing);
	else
		list_each(s, listing->value, NULL);
	reply_end(s->out);
}

fiber_fn static void cmd_list(struct session *s, const struct command_args *args)
{
	static const struct listing sizes = { MAILDROP_SIZES, value_size };

	answer_listing(s, args, &sizes);
}

fiber_fn static void cmd_uidl(struct session *s, const struct command_args *args)
{
	static const struct listing unique_ids = { MAILDROP_UNIQUE_IDS, value_unique_id };

	answer_listing(s, args, &unique_ids);
}

/* A message that broke off after its first octets: nothing may follow, above all no final ".". */
fiber_fn static void break_off(struct session *s, struct err e)
{
	struct err client = reply_error_of(s->out);

	if (failed(client)) {
		session_close(s, client.scope == ERR_TIMEOUT ? "client takes no output"
							     : "client closed the connection");
		return;
	}
	log_warning("message broke off", f_text("login", s->login), f_err(e));
	session_close(s, "the mail store broke off a message");
}

/* Pushes the message into body: by way of a header in ASCII where the client gets one. */
fiber_fn static struct err fetch(struct session *s, const struct command_args *args,
	enum fetch_part part, struct body *body, bool *ret_refused)
{
	struct surrogate surrogate;
	struct err e;

	if (s->utf8 || !s->tenant->maildrop.utf8)
		return maildrop_fetch(s->drop, args->message, part, args->lines, &body->sink);
	surrogate_init(&surrogate, body);
	e = maildrop_fetch(s->drop, args->message, part, args->lines, &surrogate.sink);
	if (!failed(e))
		e = surrogate_finish(&surrogate);
	*ret_refused = surrogate.refused;
	surrogate_done(&surrogate);
	return e;
}

/* Fetches into body and ends the response; whether the client got all of it. */
fiber_fn static bool send_message(
	struct session *s, const struct command_args *args, enum fetch_part part, struct body *body)
{
	uint64_t start = uv_hrtime(), waited;
	bool refused = false;
	struct err e = fetch(s, args, part, body, &refused);

	waited = (uint64_t)((reply_waited(s->out) - body->waited) * 1e6);
	s->done.backend_ns += uv_hrtime() - start - waited;
	if (!failed(e) && refused) {
		reply_err(s->out, "[UTF8] this message needs a client that sends UTF8");
		return false;
	}
	if (!failed(e)) {
		body_finish(body);
		return !failed(reply_error_of(s->out));
	}
	if (e.scope != ERR_GONE && !failed(reply_error_of(s->out)))
		stats_tenant_add(s->tenant_stats, STAT_BACKEND_ERRORS, 1);
	if (body->started) {
		break_off(s, e);
		return false;
	}
	log_info("message not sent", f_text("login", s->login),
		f_text("unique_id", maildrop_unique_id(s->drop, args->message)), f_err(e));
	if (e.scope == ERR_GONE)
		reply_err(s->out, "message %zu is no longer in the mailbox", args->message);
	else if (e.scope == ERR_CANCELED)
		session_close(s, "shutdown");
	else
		reply_err(s->out, "%s", reply_text_for(e.scope));
	return false;
}

fiber_fn static void cmd_retr(struct session *s, const struct command_args *args)
{
	uint64_t before = s->done.backend_ns;
	struct body body;

	body_retr(&body, s->out, maildrop_size(s->drop, args->message));
	if (!send_message(s, args, FETCH_ALL, &body))
		return;
	s->done.retr++;
	maildrop_measured(s->drop, args->message, body.octets - (uint64_t)body.gained);
	stats_tenant_time(s->tenant_stats, STAT_RETRIEVAL_TIME, s->done.backend_ns - before);
	stats_tenant_add(s->tenant_stats, STAT_RETRIEVED_MESSAGES, 1);
	stats_tenant_add(s->tenant_stats, STAT_RETRIEVED_OCTETS, body.octets);
}

fiber_fn static void cmd_top(struct session *s, const struct command_args *args)
{
	struct body body;

	body_top(&body, s->out, args->lines);
	if (send_message(s, args, FETCH_TOP, &body))
		s->done.top++;
}

fiber_fn static void cmd_dele(struct session *s, const struct command_args *args)
{
	maildrop_mark(s->drop, args->message);
	s->done.dele++;
	reply_ok(s->out, "message %zu marked deleted", args->message);
}

fiber_fn static void cmd_noop(struct session *s, const struct command_args *args)
{
	(void)args;
	reply_ok(s->out, "still here");
}

fiber_fn static void cmd_rset(struct session *s, const struct command_args *args)
{
	(void)args;
	maildrop_unmark_all(s->drop);
	reply_ok(s->out, "%zu messages (%llu octets)", maildrop_visible(s->drop),
		(unsigned long long)maildrop_visible_octets(s->drop));
}

fiber_fn static void cmd_quit(struct session *s, const struct command_args *args)
{
	(void)args;
	s->next = NEXT_STATE;
}

const struct command transaction_commands[] = {
	{ "STAT", ARGS_NONE, cmd_stat },
	{ "LIST", ARGS_OPTIONAL_MESSAGE, cmd_list },
	{ "UIDL", ARGS_OPTIONAL_MESSAGE, cmd_uidl },
	{ "RETR", ARGS_MESSAGE, cmd_retr },
	{ "TOP", ARGS_MESSAGE_LINES, cmd_top },
	{ "DELE", ARGS_MESSAGE, cmd_dele },
	{ "NOOP", ARGS_NONE, cmd_noop },
	{ "RSET", ARGS_NONE, cmd_rset },
	{ "LANG", ARGS_OPTIONAL_WORD, cmd_lang },
	{ "CAPA", ARGS_NONE, cmd_capa },
	{ "QUIT", ARGS_NONE, cmd_quit },
	{ 0 },
};
