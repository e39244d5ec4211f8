/* CAPA (RFC 2449, 3206, 5034, 2595, 6856): what is announced, per state and per connection. */
#include "proxy/pop3/session_state.h"

#define DAY_MS ((uint64_t)24 * 60 * 60 * 1000)

/* A figure that CAPA tells of a tenant. */
typedef uint64_t policy(const struct maildrop_settings *settings);

/* Messages are kept for so many whole days. */
static uint64_t days_kept(const struct maildrop_settings *settings)
{
	if (settings->expire_after == DURATION_NEVER)
		return UINT64_MAX;
	return settings->expire_after / DAY_MS;
}

/* So many seconds are enough between logins. */
static uint64_t seconds_between_logins(const struct maildrop_settings *settings)
{
	return settings->login_delay / 1000 + (settings->login_delay % 1000 > 0);
}

struct range {
	uint64_t least, most;
};

/* Of the user's tenant; before the login, of all that the user may turn out to belong to. */
static struct range range_of(const struct session *s, policy *value)
{
	struct range range = { UINT64_MAX, 0 };

	for (size_t i = 0; i < s->config->n_tenants; i++) {
		const struct tenant *tenant = &s->config->tenants[i];
		uint64_t n = value(&tenant->maildrop);

		if (s->drop ? tenant != s->entry.account->tenant : !session_may_reach(s, tenant))
			continue;
		range.least = n < range.least ? n : range.least;
		range.most = n > range.most ? n : range.most;
	}
	return range;
}

static const char *if_varies(struct range range)
{
	return range.least < range.most ? " USER" : "";
}

/* The strictest there is, and that it depends on the user (RFC 2449 sections 6.5 and 6.7). */
fiber_fn static void tell_policies(struct session *s)
{
	struct range days = range_of(s, days_kept);
	struct range delay = range_of(s, seconds_between_logins);

	if (days.least == UINT64_MAX)
		reply_line(s->out, "EXPIRE NEVER");
	else
		reply_line(
			s->out, "EXPIRE %llu%s", (unsigned long long)days.least, if_varies(days));
	if (delay.most > 0)
		reply_line(s->out, "LOGIN-DELAY %llu%s", (unsigned long long)delay.most,
			if_varies(delay));
}

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
	tell_policies(s);
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
