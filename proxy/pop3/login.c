/*
 * One login attempt of a session: throttle, entry, limits, and the one answer.
 *
 * A failed attempt is answered at a time counted from its start, so that how long a store or a hash
 * took does not show, and by the same text whatever was wrong.
 */
#include <string.h>

#include "proxy/login/throttle.h"
#include "proxy/pop3/session_state.h"
#include "proxy/routing/login_name.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/wait.h"
#include "proxy/service/last_login.h"
#include "proxy/service/refusals.h"

const char *mechanism_name(unsigned mechanism)
{
	static char names[SASL_NAMES_MAX];

	return mechanism == MECH_USER ? "USER" : sasl_names(mechanism, names, sizeof(names));
}

/* Holds the answer back until `delay` ms after the start of the attempt. */
fiber_fn static bool hold_back(struct session *s, uint64_t started, uint64_t delay)
{
	uint64_t spent = runtime_now() - started;

	if (spent < delay && failed(wait_sleep(delay - spent))) {
		session_close(s, "shutdown");
		return false;
	}
	return true;
}

/* What the client is told. Whether it asked for another's mailbox it knows itself; whether that one
 * exists it does not learn. */
static const char *refusal_text(const struct session *s, enum err_scope scope)
{
	if (s->for_another && scope == ERR_AUTH)
		return "[AUTH] login failed: wrong user name or password, or no right to that "
		       "mailbox";
	if (s->for_another && scope == ERR_PERM)
		return "[SYS/PERM] this login may not open that mailbox";
	return reply_text_for(scope);
}

/* What the mechanism tells the client before the -ERR. Its answer says nothing, whatever it is; the
 * -ERR is due to it all the same. false: there was none, and the session has dealt with that. */
fiber_fn static bool explain_refusal(struct session *s)
{
	const char *challenge = s->sasl ? sasl_failure(s->sasl) : NULL;
	struct line line;

	if (!challenge)
		return true;
	reply_challenge(s->out, challenge);
	return session_read_line(s, SASL_LINE_MAX, &line);
}

fiber_fn static void refused(struct session *s, uint64_t started, struct err e)
{
	const struct limit_settings *limits = &s->config->limits;
	uint64_t delay = throttle_failed(limits, s->connection->address, s->login ? s->login : "");

	s->failures++;
	if (!hold_back(s, started, delay) || !explain_refusal(s))
		return;
	if (s->failures >= limits->login_failures) {
		reply_err(s->out, "%s, closing the connection", refusal_text(s, ERR_AUTH));
		session_close(s, "too many failed logins");
	} else {
		reply_err(s->out, "%s", refusal_text(s, e.scope));
	}
}

static void count_failure(const struct session *s, struct err e)
{
	if (s->tenant_stats)
		stats_tenant_add(s->tenant_stats, STAT_LOGIN_FAILURES, 1);
	else
		stats_global_add(STAT_UNROUTED_LOGIN_FAILURES, 1);
	refusals_add(&(struct refusal){ .what = REFUSED_LOGIN,
		.listener = s->connection->listener->name,
		.address = s->connection->address,
		.tenant = s->tenant ? s->tenant->name : "",
		.login = s->login,
		.reason = e.detail });
}

/* "Authenticated but not connected" is a failed login with its own text. */
fiber_fn static void failed_login(
	struct session *s, unsigned mechanism, uint64_t started, struct err e)
{
	log_warning("login failed", f_text("login", s->login),
		f_text("tenant", s->tenant ? s->tenant->name : NULL),
		f_text("address", s->connection->address),
		f_text("mechanism", mechanism_name(mechanism)), f_err(e));
	count_failure(s, e);
	if (e.scope == ERR_AUTH) {
		refused(s, started, e);
		return;
	}
	if (e.scope == ERR_CANCELED) {
		session_close(s, "shutdown");
		return;
	}
	if (s->tenant_stats && e.scope == ERR_TOO_SOON)
		stats_tenant_add(s->tenant_stats, STAT_LOGINS_TOO_SOON, 1);
	else if (s->tenant_stats && e.scope != ERR_IN_USE)
		stats_tenant_add(s->tenant_stats, STAT_BACKEND_ERRORS, 1);
	reply_err(s->out, "%s", refusal_text(s, e.scope));
}

/* RFC 2449 section 6.5. Only who knows the password learns that there was a login. */
static struct err check_login_delay(const struct account *account)
{
	uint64_t left = last_login_left(
		account->tenant->name, account->login, account->tenant->maildrop.login_delay);

	return left ? err_make(ERR_TOO_SOON, "%.1f s of the delay are left", (double)left / 1000)
		    : ok();
}

/* Binds the session to its user, so that limits count it, then takes the snapshot. */
fiber_fn static struct err open_maildrop(struct session *s)
{
	const struct account *account = s->entry.account;
	uint64_t most = account->tenant->sessions_per_user;
	uint64_t start;
	struct err e;

	if (account->tenant->maildrop.exclusive)
		most = 1;
	if (!session_table_bind(s->connection->slot, account->tenant->name, account->login, most))
		return err_make(ERR_IN_USE, "%llu sessions of this user are open",
			(unsigned long long)most);
	start = uv_hrtime();
	e = entry_list(&s->entry, s->service->registry);
	if (!failed(e))
		stats_tenant_time(s->tenant_stats, STAT_LISTING_TIME, uv_hrtime() - start);
	return e;
}

fiber_fn static struct err enter(struct session *s, const struct entry_request *request)
{
	uint64_t start = uv_hrtime(), took;
	struct err e = entry_authenticate(s->config, request, &s->entry, &s->tenant);

	s->tenant_stats = s->tenant ? stats_tenant(s->tenant->name) : NULL;
	if (!failed(e))
		e = check_login_delay(s->entry.account);
	if (!failed(e))
		e = open_maildrop(s);
	took = uv_hrtime() - start;
	s->done.backend_ns += took;
	if (!failed(e)) {
		stats_tenant_time(s->tenant_stats, STAT_LOGIN_TIME, took);
	} else {
		if (s->tenant_stats && s->entry.opening.refused_changes)
			stats_tenant_add(s->tenant_stats, STAT_LOGINS_CHANGED_IDS, 1);
		entry_close(&s->entry);
		session_table_unbind(s->connection->slot);
	}
	return e;
}

struct route_query session_query(const struct session *s)
{
	return (struct route_query){
		.login = "",
		.listener = s->connection->listener->name,
		.server_name = stream_tls_server_name(s->stream),
		.address = s->connection->address,
	};
}

/* The quota, as far as the store told it. */
static struct log_field quota_field(const struct maildrop *drop)
{
	const struct backend_quota *quota = maildrop_quota(drop);

	return quota_known(quota) ? f_uint("quota_percent", quota_percent(quota))
				  : f_text("quota_percent", NULL);
}

/* What a login leaves behind for the statistics and for the next one. */
static void count_login(const struct session *s)
{
	const struct account *account = s->entry.account;

	throttle_succeeded(s->login);
	if (account->tenant->maildrop.login_delay > 0)
		last_login_note(account->tenant->name, account->login);
	stats_tenant_add(s->tenant_stats, STAT_LOGINS, 1);
	stats_mechanism_add(s->mechanism);
	if (maildrop_quota_warns(s->entry.drop))
		stats_tenant_add(s->tenant_stats, STAT_LOGINS_QUOTA_WARNED, 1);
}

fiber_fn void session_fail_exchange(struct session *s, unsigned mechanism, struct err e)
{
	free(s->login);
	s->login = NULL;
	s->tenant = NULL;
	s->tenant_stats = NULL;
	failed_login(s, mechanism, runtime_now(), e);
}

/* Asked for as such, or since the token that was shown is another's. */
static bool acts_for_another(const struct session *s)
{
	return s->for_another || strcmp(s->entry.actor->login, s->entry.account->login) != 0;
}

/* Whose session this is now, for the transcript: the login as it came and as it is meant, and after
 * a success whose mail it is and who shows it. */
static void tell_transcript(const struct session *s, const char *login)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	const struct entry *entry = &s->entry;
	const char *names[5] = { login };
	struct login_name name;
	size_t n = 1;

	if (!login_name_parse(&s->config->login_name, login, arena, &name))
		names[n++] = name.login;
	if (entry->account) {
		names[n++] = entry->account->login;
		names[n++] = entry->actor->login;
	}
	transcript_login(s->transcript, names, entry->account);
}

fiber_fn void session_login(struct session *s, const struct credentials *credentials)
{
	uint64_t started = runtime_now();
	const char *login = credentials->login;
	unsigned mechanism = credentials->mechanism;
	struct entry_request request = { session_query(s), credentials };
	struct err e;

	request.query.login = login;
	free(s->login);
	s->login = mem_strdup(login);
	/* Not those of an earlier attempt. */
	s->tenant = NULL;
	s->tenant_stats = NULL;
	s->for_another = entry_for_another(s->config, &request);
	session_table_state(s->connection->slot, SESSION_LOGGING_IN);
	if (throttle_refused(&s->config->limits, s->connection->address))
		e = err_make(ERR_AUTH, "too many failures from this address");
	else
		e = enter(s, &request);
	if (s->transcript)
		tell_transcript(s, login);
	if (failed(e)) {
		failed_login(s, mechanism, started, e);
		return;
	}
	s->mechanism = mechanism;
	count_login(s);
	free(s->login);
	s->login = mem_strdup(s->entry.account->login);
	s->drop = s->entry.drop;
	log_info("login", f_text("login", s->entry.account->login),
		f_text("authenticated_as", acts_for_another(s) ? s->entry.actor->login : NULL),
		f_text("tenant", s->entry.account->tenant->name),
		f_text("address", s->connection->address),
		f_text("mechanism", mechanism_name(mechanism)),
		f_uint("messages", maildrop_count(s->drop)), quota_field(s->drop),
		f_ms("took_ms", (double)s->done.backend_ns / 1e6));
	if (*s->entry.opening.note.detail)
		log_warning("login not remembered", f_text("login", s->login),
			f_text("tenant", s->entry.account->tenant->name),
			f_err(s->entry.opening.note));
	reply_ok(s->out, "%zu messages (%llu octets)", maildrop_visible(s->drop),
		(unsigned long long)maildrop_visible_octets(s->drop));
	s->next = NEXT_STATE;
}
