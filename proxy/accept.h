/*
 * accept - takes connections from the listening sockets and runs a session for each: PROXY header
 * where the peer must send one, a place in the session table, then session_run.
 *
 * One fiber per socket, one per connection. All workers wait on the same sockets and each takes a
 * few connections at a time, so that they share the load. Logs.
 */
#ifndef POPGATE_ACCEPT_H
#define POPGATE_ACCEPT_H

#include "proxy/listener.h"
#include "proxy/pop3/session.h"

/* Starts accepting on every socket of listen, whose descriptors it takes over. service must outlive
 * the sessions. stopped is called once, after accept_stop, when the last socket is closed. */
void accept_start(
	const struct service *service, const struct listen_set *listen, void (*stopped)(void));

/* Accepts no more and closes the sockets (of this process) at the next turn of the loop; sessions
 * go on. */
void accept_stop(void);

#endif
