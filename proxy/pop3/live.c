/* The sessions of this process: to publish what they have moved, and to end one from outside. */
#include <string.h>

#include "proxy/pop3/session_state.h"

static struct session *live;

void session_live_add(struct session *s)
{
	s->fiber = fiber_current();
	s->next_live = live;
	if (live)
		live->previous_live = s;
	live = s;
}

static void publish(const struct session *s)
{
	session_table_octets(
		s->connection->slot, stream_octets_in(s->stream), stream_octets_out(s->stream));
}

void session_live_remove(struct session *s)
{
	publish(s);
	if (s->previous_live)
		s->previous_live->next_live = s->next_live;
	else
		live = s->next_live;
	if (s->next_live)
		s->next_live->previous_live = s->previous_live;
}

void session_publish_all(void)
{
	for (const struct session *s = live; s; s = s->next_live)
		publish(s);
}

bool session_kill(const char *id)
{
	for (struct session *s = live; s; s = s->next_live)
		if (strcmp(s->id, id) == 0) {
			s->killed = true;
			if (!s->reason)
				s->reason = "closed by the administrator";
			fiber_cancel(s->fiber);
			return true;
		}
	return false;
}
