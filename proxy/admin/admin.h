/*
 * admin - what operators see of the running gateway, over HTTP: /metrics, /healthz, /readyz, the
 * status page, /api/sessions.
 *
 * Lives in the master and has no thread: its descriptors belong into the master's poll, and nothing
 * here waits. Two places to listen: admin.listen, where everything may be read and nothing changed,
 * and a socket in the file system (admin.socket), where sessions can be closed too. An address that
 * cannot be had is logged and tried again later: it is no reason to serve no mail.
 * Logs.
 */
#ifndef POPGATE_ADMIN_ADMIN_H
#define POPGATE_ADMIN_ADMIN_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"

enum admin_worker_state { ADMIN_WORKER_STARTING, ADMIN_WORKER_SERVING, ADMIN_WORKER_FINISHING };

struct admin_worker {
	pid_t pid;
	unsigned generation;
	enum admin_worker_state state;
	uint64_t age; /* ms */
};

/* An address that is listened on. */
struct admin_address {
	size_t listener; /* index into config->listeners */
	const char *text;
};

/* What the master alone knows. Borrowed, until the call ends that asked for it. */
struct admin_gateway {
	const struct config *config;
	unsigned generation;
	unsigned wanted, serving; /* workers of this generation */
	bool draining;
	bool reload_refused; /* the latest reload was */
	int64_t started;     /* seconds since 1970 */
	int64_t loaded;      /* when the configuration in effect was */
	const struct admin_worker *workers;
	size_t n_workers;
	const struct admin_address *addresses;
	size_t n_addresses;
};

struct admin_master {
	void (*describe)(struct admin_gateway *ret, struct arena *arena, void *arg);
	/* Tells a worker to end one of its sessions; false when that cannot be. */
	bool (*close_session)(pid_t worker, const char *id, void *arg);
	void *arg;
};

/* Once, when the shared memory is mapped. master is borrowed. */
void admin_start(const struct admin_master *master);
/* Listens where config says, from now on; what stays the same stays open. Returns an error when an
 * address cannot be had; it is tried again later all the same. */
struct err admin_configure(const struct config *config);
void admin_stop(void);

#define ADMIN_FDS 2
/* Fills in up to ADMIN_FDS entries for poll; returns how many. */
size_t admin_poll_set(struct pollfd *fds);
/* When admin_run is due at the latest, as crew_now counts. */
uint64_t admin_due(void);
/* Answers what can be answered, takes samples, tries again to listen. After every poll. */
void admin_run(void);

/* In a child of the master: closes what is the master's. */
void admin_leave(void);

/* Where the socket of these settings is, "" for none. In arena, or static. */
const char *admin_socket_path(const struct config *config, struct arena *arena);

#endif
