/*
 * systemd - what the service manager hears from the master, and the sockets that it hands over
 * (sd_notify(3), sd_listen_fds(3)). Started by anything else, or built without libsystemd, all of
 * this does nothing.
 *
 * Times are those of crew_now.
 */
#ifndef POPGATE_SYSTEMD_H
#define POPGATE_SYSTEMD_H

#include <stddef.h>
#include <stdint.h>

/* A socket of LISTEN_FDS. */
struct systemd_socket {
	int fd;
	const char *name; /* its FileDescriptorName= */
};

/* Takes over what the environment tells, sockets and watchdog, and removes it there, so that no
 * child takes it for its own. Once, before anything else is opened. */
void systemd_open(void);

/* The sockets that were handed over, whose owner the caller becomes; how many. */
size_t systemd_sockets(const struct systemd_socket **ret);

/* Serving, for the first time or again after systemd_reloading. */
void systemd_ready(const char *status);
void systemd_reloading(void);
/* Ending, which may take so many milliseconds, whatever the unit says. */
void systemd_stopping(uint64_t within, const char *status);

/* When systemd_alive is due; UINT64_MAX: no watchdog waits for it. */
uint64_t systemd_alive_at(void);
/* The master's loop turns; and the line that systemctl status shows. */
void systemd_alive(const char *status);

#endif
