/* The UPDATE state (RFC 1939 section 6): reached through QUIT only. */
#include <time.h>

#include "proxy/pop3/session_state.h"
#include "proxy/runtime/log.h"

static void log_expired(const struct session *s, const struct maildrop_expired *expired)
{
	time_t arrival = (time_t)expired->arrival;
	char text[32];
	struct tm tm;

	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&arrival, &tm));
	log_info("expired", f_text("login", s->login), f_text("tenant", s->tenant->name),
		f_text("unique_id", expired->unique_id), f_text("arrival", text),
		f_int("age_days", expired->age / (24 * 60 * 60)),
		f_text("address", s->connection->address));
}

/* The audit trail: one line per message that went, and what a person should know besides. */
static void log_outcome(const struct session *s, const struct maildrop_outcome *outcome)
{
	for (size_t i = 0; i < outcome->removed; i++)
		log_info("deleted", f_text("login", s->login), f_text("tenant", s->tenant->name),
			f_text("unique_id", outcome->removed_ids[i]),
			f_text("address", s->connection->address));
	for (size_t i = 0; i < outcome->expired; i++)
		log_expired(s, &outcome->expired_messages[i]);
	if (outcome->hidden)
		log_warning("hidden instead of removed", f_text("login", s->login),
			f_uint("messages", outcome->hidden),
			f_text("detail",
				"the server has neither UIDPLUS nor MOVE; the messages stay "
				"flagged and are hidden from later sessions"));
	if (*outcome->note.detail)
		log_warning("update incomplete", f_text("login", s->login), f_err(outcome->note));
}

fiber_fn void session_update(struct session *s)
{
	struct maildrop_outcome outcome = { .note = ok() };
	uint64_t start = uv_hrtime();
	struct err e;

	session_table_state(s->connection->slot, SESSION_UPDATING);
	e = maildrop_update(s->drop, &outcome);
	s->done.backend_ns += uv_hrtime() - start;
	log_outcome(s, &outcome);
	stats_tenant_add(s->tenant_stats, STAT_DELETED_MESSAGES, outcome.removed);
	stats_tenant_add(s->tenant_stats, STAT_EXPIRED_MESSAGES, outcome.expired);
	/* The +OK says that the maildrop is free for the next session. */
	session_table_unbind(s->connection->slot);
	s->reason = "quit";
	if (!failed(e)) {
		reply_ok(s->out, "bye");
		return;
	}
	stats_tenant_add(s->tenant_stats, STAT_BACKEND_ERRORS, 1);
	log_warning("update failed", f_text("login", s->login), f_uint("asked", outcome.asked),
		f_uint("removed", outcome.removed), f_err(e));
	reply_err(s->out, "[SYS/TEMP] %zu of %zu messages could not be removed",
		outcome.asked - outcome.removed, outcome.asked);
	s->reason = "quit, update failed";
}
