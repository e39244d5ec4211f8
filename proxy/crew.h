/*
 * crew - the worker processes as the master sees them: forks them, hears from them, replaces those
 * that die, tells them to end. Logs.
 *
 * A worker serves from its ORDER_SERVING until its ORDER_STOPPED (orders.h). Those that die soon
 * after their start are replaced later and later, so that a crash loop costs nothing.
 */
#ifndef POPGATE_CREW_H
#define POPGATE_CREW_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proxy/generation.h"

struct crew_member {
	pid_t pid;
	unsigned generation;
	int orders_fd;  /* -1: it closed its end */
	bool accepting; /* or will */
	bool ready;
	bool told;    /* to end: its end is no surprise */
	bool drained; /* told to end within shutdown_grace */
	bool killed;
	uint64_t started; /* crew_now */
};

struct crew {
	struct crew_member *members;
	size_t n;
	uint64_t spawn_at; /* none is forked before */
	uint64_t delay;    /* of the latest replacement */
	/* Called in each new child, to close what is the master's alone. */
	void (*in_child)(void *arg);
	void *in_child_arg;
};

/* Milliseconds of the monotonic clock. */
uint64_t crew_now(void);

/* Forks what the generation lacks of `wanted` workers that accept, unless it is too early. Returns
 * in the master; in a child it runs the worker and exits. */
void crew_fill(struct crew *crew, const struct generation *generation, unsigned wanted);
/* When crew_fill should be called again; UINT64_MAX: no need. */
uint64_t crew_next_fill(const struct crew *crew, unsigned generation, unsigned wanted);

/* Fills in crew->n entries for poll; crew_hear takes the answer, before the crew changes. */
void crew_poll_set(const struct crew *crew, struct pollfd *fds);
void crew_hear(struct crew *crew, const struct pollfd *fds);

/* Takes note of the children that ended: logs, sweeps their sessions, counts. */
void crew_reap(struct crew *crew);

/* Workers of the generation that serve. */
unsigned crew_serving(const struct crew *crew, unsigned generation);
/* Workers of any generation that accept still, or will. */
unsigned crew_accepting(const struct crew *crew);
/* Tells the workers of other generations to let their sessions finish and end. */
void crew_retire_others(struct crew *crew, unsigned generation);
/* Drains the oldest generations until no more than `most` workers may go on without limit. */
void crew_drain_oldest(struct crew *crew, size_t most);
/* Ends the session of that id, of that worker; false when the worker cannot be told. */
bool crew_close_session(const struct crew *crew, pid_t pid, const char *id);
/* All write the log to that descriptor from now on. */
void crew_pass_log(const struct crew *crew, int fd);
/* Drains all; kills all. */
void crew_drain(struct crew *crew);
void crew_kill(struct crew *crew);

void crew_done(struct crew *crew);

#endif
