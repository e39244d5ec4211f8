/*
 * The lines of a session: what it waits for, for how long, and what a long wait gives back.
 */
#include "proxy/pop3/session_state.h"
#include "proxy/runtime/rest.h"
#include "proxy/runtime/wait.h"

const char *session_end_reason(enum err_scope scope)
{
	switch (scope) {
	case ERR_TIMEOUT:
		return "timeout";
	case ERR_CANCELED:
		return "shutdown";
	default:
		return "client closed the connection";
	}
}

fiber_fn bool session_flush(struct session *s)
{
	struct err e = reply_flush(s->out);

	if (failed(e))
		session_close(s, e.scope == ERR_TIMEOUT ? "client takes no output"
							: session_end_reason(e.scope));
	return !failed(e);
}

/* A client that lets so much time pass between two commands may let much more pass: first the
 * memory of the fiber goes, later what the store holds for the session. Milliseconds. */
#define REST_AFTER 1000
#define PARK_AFTER 15000

/* The next line, until so long after start. */
fiber_fn static struct err await_until(
	struct session *s, size_t max, uint64_t start, uint64_t until, struct line *ret)
{
	uint64_t waited = runtime_now() - start;

	deadline(until > waited ? until - waited : 0);
	return line_read(s->in, max, ret);
}

/* The next line within `timer`; a session that waits for long gives back what it can. */
fiber_fn static struct err await_line(
	struct session *s, size_t max, uint64_t timer, struct line *ret)
{
	static const uint64_t stages[] = { REST_AFTER, PARK_AFTER };
	uint64_t start = runtime_now();
	struct err e;

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]) && stages[i] < timer; i++) {
		e = await_until(s, max, start, stages[i], ret);
		if (e.scope != ERR_TIMEOUT)
			return e;
		if (stages[i] == PARK_AFTER)
			entry_rest(&s->entry);
		runtime_rest();
	}
	return await_until(s, max, start, timer, ret);
}

fiber_fn bool session_read_line(struct session *s, size_t max, struct line *ret)
{
	uint64_t timer = s->drop ? s->config->timeouts.idle : s->config->timeouts.login;
	struct err e;

	if (!line_ready(s->in)) {
		if (!session_flush(s))
			return false;
		reply_idle(s->out);
	}
	e = await_line(s, max, timer, ret);
	if (!failed(e)) {
		transcript_client(s->transcript, ret->text, ret->length, s->sasl);
		return true;
	}
	if (e.scope == ERR_LIMIT) {
		session_bad_command(s, "line too long");
		return false;
	}
	if (e.scope == ERR_TIMEOUT)
		reply_err(s->out, "no command for %llu seconds, closing the connection",
			(unsigned long long)(timer / 1000));
	if (e.scope == ERR_CANCELED) {
		reply_err(s->out, "[SYS/TEMP] %s, closing the connection",
			s->killed ? "the administrator ends this session"
				  : "the server is going down");
		reply_flush_now(s->out);
	}
	session_close(s, session_end_reason(e.scope));
	return false;
}
