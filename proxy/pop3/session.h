/*
 * session - one POP3 session as straight-line code: greet → log in → open → serve → update.
 *
 * RFC 1939, 2449, 2595, 3206, 5034; MS-STANXPOP3. A state is a function, its commands are a table
 * (commands.h). UPDATE is reached through QUIT only: whatever else ends a session deletes nothing.
 */
#ifndef POPGATE_POP3_SESSION_H
#define POPGATE_POP3_SESSION_H

#include "config/config.h"
#include "proxy/maildrop/registry.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/stream.h"
#include "proxy/service/session_table.h"

/* What a worker lends to all its sessions. */
struct service {
	const struct config *config;
	struct registry *registry; /* NULL: state none */
	struct tls_context **tls;  /* per listener; NULL where it has no TLS */
};

/* Who connected, and where. */
struct connection {
	struct stream *stream; /* in clear still, also on an implicit-TLS listener */
	const struct listener_config *listener;
	size_t listener_index;
	const char *address;       /* the client's, numeric; from the PROXY header where believed */
	struct session_slot *slot; /* NULL when the table refused it */
};

/* Runs the session to its end: TLS handshake where the listener is implicit, greeting, commands,
 * limits, counters, the "session closed" line. Does not close the stream. */
fiber_fn void session_run(const struct service *service, const struct connection *connection);

/* Of this process: ends the session of that id by the operator's wish, as a shutdown would: nothing
 * is deleted. false: there is none. */
bool session_kill(const char *id);
/* Tells the session table what all sessions of this process have read and written. */
void session_publish_all(void);

/* For a connection that the session table did not admit: the same greeting place, "-ERR [SYS/TEMP]"
 * with the reason (a client that is told nothing hangs), and the log line. Does not close. */
fiber_fn void session_refuse(const struct service *service, const struct connection *connection,
	enum session_refusal reason);

/* The same for one of a flood: the line, where it can be had without a handshake and without
 * waiting, and no more. */
fiber_fn void session_turn_away(const struct connection *connection, enum session_refusal reason);

#endif
