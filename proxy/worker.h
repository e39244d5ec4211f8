/*
 * worker - a process that serves sessions: one loop, one thread, forked by the master.
 *
 * Signals: SIGTERM ends accepting and, after shutdown_grace, the sessions (drain); SIGUSR2 ends
 * accepting and lets sessions finish, however long they take (retire). Those of a terminal are the
 * master's business and ignored. It ends when the last session does, and when the master dies.
 */
#ifndef POPGATE_WORKER_H
#define POPGATE_WORKER_H

#include <sys/types.h>

#include "proxy/listener.h"
#include "proxy/run_as.h"

#define WORKER_DRAIN  SIGTERM
#define WORKER_RETIRE SIGUSR2

/* Exit status of a worker that could not begin: another one at once would fare no better. */
#define WORKER_CANNOT_START 75

struct worker_setup {
	const struct config *config;
	const struct listen_set *listen;
	struct tls_context **tls; /* per listener; NULL where it has no TLS */
	const struct run_as *run_as;
	pid_t master;
	int orders_fd; /* the worker's end, see orders.h */
};

/* Runs in the child, with all signals blocked, until the worker ends; returns its exit status. */
int worker_run(const struct worker_setup *setup);

#endif
