/*
 * listener - the sockets that the configuration asks for: bound by the master, inherited by the
 * workers.
 *
 * Owns:     the descriptors. Sockets are non-blocking, close-on-exec, and listening.
 * Dual:     "[::]:110" and "*:110" serve IPv4 too, unless another address of the configuration is
 *           IPv4 with the same port; where the kernel has no IPv6 they become 0.0.0.0.
 * Handed over: sockets that systemd holds and gives (LISTEN_FDS) are used, as they are, by the
 *           listener whose name they bear, instead of the addresses that it names.
 * Reload:   a socket whose address stays is kept, with what waits in its queue. What cannot be
 *           bound while the old sockets still listen (an address that overlaps one of them) needs a
 *           restart.
 *           Those handed over stay.
 * Errors:   ERR_INVALID; the detail names listener, address, reason and what to do.
 */
#ifndef POPGATE_LISTENER_H
#define POPGATE_LISTENER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "config/address.h"
#include "config/config.h"

/* "[", an IPv6 address, "]:", a port. */
#define LISTEN_TEXT_MAX (INET6_ADDRSTRLEN + 9)

struct listen_socket {
	int fd;
	size_t listener;              /* index into config->listeners */
	struct listen_address wanted; /* as configured */
	bool v6_only;
	bool handed_over;
	char text[LISTEN_TEXT_MAX]; /* as bound: with the real port */
};

struct listen_set {
	struct listen_socket *sockets;
	size_t n;
};

/* Binds every address of config, taking over from old (may be NULL) what stays the same. Until
 * listen_close says which set goes, both hold the sockets they share. On failure nothing is
 * changed. */
struct err listen_open(
	const struct config *config, const struct listen_set *old, struct listen_set *ret);

/* Closes the sockets of set but those that keep (may be NULL) holds too, and frees the set. */
void listen_close(struct listen_set *set, const struct listen_set *keep);

#endif
