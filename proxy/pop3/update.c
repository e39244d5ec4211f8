/* The UPDATE state (RFC 1939 section 6): reached through QUIT only. */
#include "proxy/pop3/session_state.h"
#include "proxy/runtime/log.h"

/* The audit trail: one line per message that went, and what a person should know besides. */
static void log_outcome(const struct session *s, const struct maildrop_outcome *outcome)
{
	for (size_t i = 0; i < outcome->removed; i++)
		log_info("deleted", f_text("login", s->login), f_text("tenant", s->tenant->name),
			f_text("unique_id", outcome->removed_ids[i]),
			f_text("address", s->connection->address));
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
