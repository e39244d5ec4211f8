/*
 * session_state - what the files of one session share. Internal to proxy/pop3.
 */
#ifndef POPGATE_POP3_SESSION_STATE_H
#define POPGATE_POP3_SESSION_STATE_H

#include "proxy/entry/entry.h"
#include "proxy/login/sasl.h"
#include "proxy/pop3/command.h"
#include "proxy/pop3/reply.h"
#include "proxy/pop3/session.h"
#include "proxy/pop3/transcript.h"
#include "proxy/runtime/line.h"
#include "proxy/service/stats.h"

/* A SASL response or an AUTH command with its initial response: tokens of many KiB occur, so the
 * limit of other commands does not hold (RFC 5034 section 4). */
#define SASL_LINE_MAX 65536

enum session_next {
	NEXT_COMMAND, /* the state goes on */
	NEXT_STATE,   /* logged in and open; or QUIT in TRANSACTION: on to UPDATE */
	NEXT_CLOSE,   /* the session is over; session->reason says why */
};

struct session {
	struct session *next_live, *previous_live; /* live.c */
	struct fiber *fiber;
	bool killed;
	const struct service *service;
	const struct connection *connection;
	const struct config *config;
	struct stream *stream;
	struct line_reader *in;
	struct reply *out;
	struct transcript *transcript; /* NULL: log.transcript is empty */
	enum session_next next;
	const char *reason; /* why it ended, for the log; static text */
	char id[24];
	uint64_t started; /* uv_hrtime */

	char *user; /* of the USER command just before, else NULL */
	bool utf8;  /* the client said UTF8 */
	uint64_t failures, bad_commands;
	struct sasl *sasl;  /* the exchange of the AUTH command that runs; else NULL */
	unsigned mechanism; /* of the login that succeeded */
	char *login;        /* of the last attempt, for the log */
	bool for_another;   /* it asked for another's mailbox */
	const struct tenant *tenant;
	struct stats_tenant *tenant_stats; /* NULL until a tenant is known */

	struct entry entry;
	struct maildrop *drop; /* entry.drop */

	struct {
		uint64_t retr, top, dele, backend_ns;
	} done;
};

extern const struct command authorization_commands[];
extern const struct command transaction_commands[];

/* CAPA in both states (RFC 2449 section 5). */
fiber_fn void cmd_capa(struct session *session, const struct command_args *args);
/* UTF8 and, in both states, LANG (RFC 6856). */
fiber_fn void cmd_utf8(struct session *session, const struct command_args *args);
fiber_fn void cmd_lang(struct session *session, const struct command_args *args);

/* Whether a login here may be one of this tenant's, as far as is known before it. */
bool session_may_reach(const struct session *session, const struct tenant *tenant);
/* Whether a password may come over this connection as it is now. */
bool session_passwords_allowed(const struct session *session);
/* The MECH_ bits some tenant of this listener takes and this connection allows. */
unsigned session_mechanisms(const struct session *session);

/* Whether UTF8 and LANG are offered: by the tenant, before the login by some tenant of this
 * listener. */
bool session_utf8_offered(const struct session *session);
/* Brings the login and the password of USER and PASS into the form of RFC 6856 section 2.2, where
 * the login's tenant has UTF8 on. What has none is refused as a wrong password would be; so is
 * malformed UTF-8 of a client that said UTF8, whatever the tenant. */
void session_prepare(const struct session *session, struct credentials *credentials);

/* Ends the session after what has been replied. reason: static text for the log. */
void session_close(struct session *session, const char *reason);

/* Drops the name that the USER command gave. */
void session_forget_user(struct session *session);
/* The one response to a command that is no command here, or not as it must be; counts it, and ends
 * the session when there were too many. why: static text. */
fiber_fn void session_bad_command(struct session *session, const char *why);

/* What ended a read or a write, as the log calls it; static text. */
const char *session_end_reason(enum err_scope scope);
/* Sends what was replied; false: the client is gone, and the session ends. */
fiber_fn bool session_flush(struct session *session);
/* Reads a line with the inactivity timer of the state; on failure replies where there is someone to
 * reply to, and ends the session. */
fiber_fn bool session_read_line(struct session *session, size_t max, struct line *ret);

/* After the +OK to STLS: drops what came ahead in clear, and shakes hands (RFC 2595 section 4). */
fiber_fn void session_start_tls(struct session *session);

/* Among the sessions that session_kill and session_publish_all know. */
void session_live_add(struct session *session);
void session_live_remove(struct session *session);

/* The UPDATE state: removes what was marked, replies, logs. */
fiber_fn void session_update(struct session *session);

/* What is known of this connection, for routing; without a login. */
struct route_query session_query(const struct session *session);
/* And for SASL; .offered is left empty. */
struct sasl_peer session_peer(const struct session *session);

/* A login that failed before it was known whose it is: counts, replies. */
fiber_fn void session_fail_exchange(struct session *session, unsigned mechanism, struct err e);
/* Tries one login, replies, and on success leaves NEXT_STATE with the maildrop open. */
fiber_fn void session_login(struct session *session, const struct credentials *credentials);

/* The mechanism's name for the log: "USER", "PLAIN" … */
const char *mechanism_name(unsigned mechanism);

#endif
