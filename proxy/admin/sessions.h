/*
 * sessions - the live sessions: as JSON for `popgate who` and scripts, and who serves one of them.
 */
#ifndef POPGATE_ADMIN_SESSIONS_H
#define POPGATE_ADMIN_SESSIONS_H

#include <sys/types.h>

#include "proxy/runtime/mem.h"
#include "proxy/service/session_table.h"

/* {"sessions": [{"id", "worker", "listener", "address", "tenant", "login", "state", "started",
 * "age_seconds", "received_bytes", "sent_bytes"}, …]}, the oldest first. */
void sessions_write(struct buffer *out);
/* The worker of the session of that id; 0: there is none. */
pid_t sessions_worker_of(const char *id);
/* All of them, the oldest first, in arena; their number in *n. */
const struct session_view *sessions_list(struct arena *arena, size_t *n);
/* "greeted", "logging in", "open", "updating". */
const char *session_state_name(enum session_state state);
/* The same text where it is UTF-8, with U+FFFD for each octet that is not; in arena. */
const char *utf8_clean(struct arena *arena, const char *text);

#endif
