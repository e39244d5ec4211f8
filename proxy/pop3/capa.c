/* CAPA (RFC 2449, 3206, 5034, 2595, 6856): what is announced, per state and per connection. */
#include "proxy/pop3/session_state.h"

fiber_fn void cmd_capa(struct session *s, const struct command_args *args)
{
	unsigned mechanisms = session_mechanisms(s);
	char names[SASL_NAMES_MAX];

	(void)args;
	reply_ok(s->out, "capability list follows");
	reply_line(s->out, "TOP");
	reply_line(s->out, "UIDL");
	reply_line(s->out, "RESP-CODES");
	reply_line(s->out, "AUTH-RESP-CODE");
	reply_line(s->out, "PIPELINING");
	reply_line(s->out, "EXPIRE NEVER");
	if (mechanisms & MECH_USER)
		reply_line(s->out, "USER");
	if (*sasl_names(mechanisms, names, sizeof(names)))
		reply_line(s->out, "SASL %s", names);
	if (s->connection->listener->tls == TLS_STARTTLS && !stream_is_tls(s->stream) && !s->utf8)
		reply_line(s->out, "STLS");
	if (session_utf8_offered(s)) {
		reply_line(s->out, mechanisms & MECH_USER ? "UTF8 USER" : "UTF8");
		reply_line(s->out, "LANG");
	}
	reply_line(s->out, "IMPLEMENTATION popgate");
	reply_end(s->out);
}
