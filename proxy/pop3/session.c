#include "proxy/pop3/session.h"

#include <string.h>
#include <unistd.h>

#include "proxy/pop3/session_state.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/wait.h"
#include "proxy/service/refusals.h"

void session_close(struct session *s, const char *reason)
{
	s->next = NEXT_CLOSE;
	if (!s->reason)
		s->reason = reason;
}

void session_forget_user(struct session *s)
{
	free(s->user);
	s->user = NULL;
}

fiber_fn void session_bad_command(struct session *s, const char *why)
{
	session_forget_user(s);
	s->bad_commands++;
	if (s->bad_commands < s->config->protocol.bad_commands) {
		reply_err(s->out, "%s", why);
		return;
	}
	/* One response per command, the last one too (RFC 1939 section 3; MS-STANOPOP3 C0014). */
	reply_err(s->out, "too many bad commands, closing the connection");
	session_close(s, "too many bad commands");
}

bool session_passwords_allowed(const struct session *s)
{
	return stream_is_tls(s->stream) || s->connection->listener->plaintext_login;
}

bool session_may_reach(const struct session *s, const struct tenant *tenant)
{
	const struct string_list *names = &tenant->match.listeners;

	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i], s->connection->listener->name) == 0)
			return true;
	return names->n == 0;
}

struct sasl_peer session_peer(const struct session *s)
{
	return (struct sasl_peer){ .config = s->config,
		.listener = s->connection->listener,
		.query = session_query(s),
		.stream = s->stream };
}

unsigned session_mechanisms(const struct session *s)
{
	struct sasl_peer peer = session_peer(s);
	unsigned mechanisms = 0;

	for (size_t i = 0; i < s->config->n_tenants; i++)
		if (session_may_reach(s, &s->config->tenants[i]))
			mechanisms |= s->config->tenants[i].auth.mechanisms;
	return sasl_usable(mechanisms, &peer, session_passwords_allowed(s));
}

bool session_utf8_offered(const struct session *s)
{
	if (s->drop)
		return s->tenant->maildrop.utf8;
	for (size_t i = 0; i < s->config->n_tenants; i++)
		if (session_may_reach(s, &s->config->tenants[i]) &&
			s->config->tenants[i].maildrop.utf8)
			return true;
	return false;
}

/* One command of this state's table; other is the table of the other state, to tell a misplaced
 * command from an unknown one. */
fiber_fn static void dispatch(struct session *s, struct line line, const struct command *table,
	const struct command *other)
{
	const struct command *command;
	struct command_args args;
	const char *verb = NULL;
	struct line rest;
	enum command_fault fault = command_split(line, &verb, &rest);

	if (fault != COMMAND_OK) {
		session_bad_command(s, command_fault_text(fault));
		return;
	}
	command = command_find(table, verb);
	if (!command) {
		session_bad_command(s, !command_find(other, verb) ? "unknown command"
				       : s->drop ? "this command belongs before the login"
						 : "log in first");
		return;
	}
	fault = command_arguments(command, rest, &args);
	if (fault != COMMAND_OK) {
		session_bad_command(s, command_fault_text(fault));
		return;
	}
	if (args.message && (args.message > maildrop_count(s->drop) ||
				    maildrop_marked(s->drop, args.message))) {
		reply_err(s->out, args.message > maildrop_count(s->drop)
					  ? "no such message"
					  : "this message is marked deleted");
		return;
	}
	/* PASS counts right after USER only (RFC 1939 section 7). */
	if (strcmp(command->verb, "PASS") != 0)
		session_forget_user(s);
	command->handler(s, &args);
}

/* AUTH lines may be long: read with the wide limit, then hold every other verb to its own. */
static bool is_auth(struct line line)
{
	return line.length > 5 && strncasecmp(line.text, "AUTH", 4) == 0 &&
	       (line.text[4] == ' ' || line.text[4] == '\t');
}

fiber_fn static void serve(
	struct session *s, const struct command *table, const struct command *other)
{
	size_t max = s->config->protocol.max_command_octets;
	struct line line;

	s->next = NEXT_COMMAND;
	while (s->next == NEXT_COMMAND) {
		if (!session_read_line(s, s->drop ? max : SASL_LINE_MAX, &line))
			continue;
		/* The CRLF counts; a bare LF leaves one octet of grace. */
		if (line.length + 2 > max && !is_auth(line))
			session_bad_command(s, "line too long");
		else
			dispatch(s, line, table, other);
		line_wipe(s->in);
	}
}

fiber_fn static void greet(struct session *s)
{
	const char *banner = s->config->protocol.banner;

	if (*banner)
		reply_ok(s->out, "%s", banner);
	else
		reply_ok(s->out, "%s POP3 server ready", s->config->hostname);
}

static enum stat_listener stat_of_tls(const char *version)
{
	static const char *const versions[] = { "TLSv1", "TLSv1.1", "TLSv1.2" };

	for (unsigned i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (strcmp(version, versions[i]) == 0)
			return STAT_TLS_1_0 + i;
	return STAT_TLS_1_3;
}

fiber_fn static bool accept_tls(struct session *s)
{
	const struct service *service = s->service;
	struct stats_listener *row = stats_listener(s->connection->listener->name);
	struct err e;

	{
		deadline(s->config->timeouts.tls);
		e = stream_tls_accept(s->stream, service->tls[s->connection->listener_index]);
	}
	if (!failed(e)) {
		stats_listener_add(row, stat_of_tls(stream_tls_version(s->stream)), 1);
		return true;
	}
	stats_listener_add(row, STAT_TLS_HANDSHAKE_FAILURES, 1);
	refusals_add(&(struct refusal){ .what = REFUSED_TLS,
		.listener = s->connection->listener->name,
		.address = s->connection->address,
		.reason = e.detail });
	log_info("tls handshake failed", f_text("listener", s->connection->listener->name),
		f_text("address", s->connection->address), f_err(e));
	session_close(s, "tls handshake failed");
	return false;
}

fiber_fn void session_start_tls(struct session *s)
{
	if (failed(reply_flush(s->out)))
		return;
	/* What came in clear behind STLS was not said under TLS (CVE-2011-0411). */
	line_discard_input(s->in);
	(void)accept_tls(s);
}

fiber_fn static void run(struct session *s)
{
	if (s->connection->listener->tls == TLS_IMPLICIT && !accept_tls(s))
		return;
	greet(s);
	serve(s, authorization_commands, transaction_commands);
	if (s->next == NEXT_CLOSE)
		return;
	session_table_state(s->connection->slot, SESSION_OPEN);
	serve(s, transaction_commands, authorization_commands);
	/* A QUIT that came ahead does not count when what it followed was never taken. */
	if (s->next == NEXT_CLOSE || !session_flush(s))
		return;
	session_update(s);
}

static void make_id(struct session *s)
{
	static uint32_t count;
	static uint32_t boot;

	/* Distinct among workers and their successors: process, its start, a count. */
	if (!boot)
		boot = (uint32_t)(uv_hrtime() >> 20) ^ ((uint32_t)getpid() << 12);
	snprintf(s->id, sizeof(s->id), "%08x-%x", boot, ++count);
}

static void log_closed(const struct session *s)
{
	double duration = (double)(uv_hrtime() - s->started) / 1e6;

	log_info("session closed", f_text("login", s->login),
		f_text("tenant", s->tenant ? s->tenant->name : NULL),
		f_text("listener", s->connection->listener->name),
		f_text("address", s->connection->address),
		f_text("tls", stream_tls_version(s->stream)),
		f_text("mechanism", s->mechanism ? mechanism_name(s->mechanism) : NULL),
		f_uint("messages", s->drop ? maildrop_count(s->drop) : 0),
		f_uint("retr", s->done.retr), f_uint("top", s->done.top),
		f_uint("dele", s->done.dele), f_uint("octets_in", stream_octets_in(s->stream)),
		f_uint("octets_out", stream_octets_out(s->stream)),
		f_ms("backend_ms", (double)s->done.backend_ns / 1e6), f_ms("duration_ms", duration),
		f_text("reason", s->reason));
}

static struct session *session_new(
	const struct service *service, const struct connection *connection)
{
	struct session *s = mem_zalloc(1, sizeof(*s));

	s->service = service;
	s->connection = connection;
	s->config = service->config;
	s->stream = connection->stream;
	s->in = line_reader_new(s->stream);
	s->out = reply_new(s->stream, service->config->timeouts.write);
	s->transcript = transcript_new(&service->config->log.transcript);
	reply_transcribe(s->out, s->transcript);
	s->started = uv_hrtime();
	make_id(s);
	fiber_set_tag(s->id);
	session_table_describe(connection->slot, s->id, connection->listener->name);
	session_live_add(s);
	return s;
}

fiber_fn static void session_end(struct session *s)
{
	struct err e = reply_flush(s->out);

	/* A reply that said why the connection closes must arrive: no reset by unread input. */
	if (!failed(e))
		stream_linger(s->stream);
	else if (!s->reason)
		s->reason = session_end_reason(e.scope);
	session_live_remove(s);
	log_closed(s);
	entry_close(&s->entry);
	fiber_set_tag(NULL);
	line_reader_free(s->in);
	reply_free(s->out);
	transcript_free(s->transcript);
	session_forget_user(s);
	free(s->login);
	free(s);
}

fiber_fn void session_run(const struct service *service, const struct connection *connection)
{
	struct session *s = session_new(service, connection);

	stats_listener_add(stats_listener(connection->listener->name), STAT_CONNECTIONS, 1);
	run(s);
	session_end(s);
}

/* What a client that is not admitted gets in the greeting's place. */
fiber_fn static const char *refuse(
	struct reply *out, const struct connection *connection, enum session_refusal reason)
{
	const char *why = reason == SESSION_TABLE_FULL ? "too many sessions"
						       : "too many sessions from this address";

	reply_err(out, "[SYS/TEMP] %s, try again later", why);
	refusals_add(&(struct refusal){ .what = REFUSED_CONNECTION,
		.listener = connection->listener->name,
		.address = connection->address,
		.reason = why });
	return why;
}

fiber_fn void session_refuse(const struct service *service, const struct connection *connection,
	enum session_refusal reason)
{
	struct session *s = session_new(service, connection);

	stats_listener_add(stats_listener(connection->listener->name), STAT_REFUSED_CONNECTIONS, 1);
	if (connection->listener->tls != TLS_IMPLICIT || accept_tls(s))
		s->reason = refuse(s->out, connection, reason);
	session_end(s);
}

fiber_fn void session_turn_away(const struct connection *connection, enum session_refusal reason)
{
	struct reply *out;
	struct err e;

	stats_listener_add(stats_listener(connection->listener->name), STAT_REFUSED_CONNECTIONS, 1);
	if (connection->listener->tls == TLS_IMPLICIT)
		return;
	/* A line fits into the buffer of a new socket. */
	out = reply_new(connection->stream, 1);
	(void)refuse(out, connection, reason);
	e = reply_flush(out);
	(void)e;
	reply_free(out);
}
