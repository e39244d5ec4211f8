/*
 * endpoint - one place that the admin interface listens on: a TCP address or a socket in the file
 * system, and libmicrohttpd behind it. Internal to proxy/admin.
 */
#ifndef POPGATE_ADMIN_ENDPOINT_H
#define POPGATE_ADMIN_ENDPOINT_H

#include <microhttpd.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "proxy/runtime/err.h"

/* At once; more wait in the queue of the kernel. */
#define ENDPOINT_CONNECTIONS 64

struct endpoint {
	char *where; /* as configured; NULL: closed */
	bool local;  /* a socket in the file system */
	bool named;  /* bound to more than this machine's loopback: any Host is taken */
	int listen_fd;
	struct MHD_Daemon *daemon;
	int connections[ENDPOINT_CONNECTIONS + 8]; /* descriptors; -1: free */
};

/* Listens on an address ("127.0.0.1:9110"), or with local on a path. Takes over a path whose
 * listener is gone. */
struct err endpoint_open(struct endpoint *endpoint, const char *where, bool local);
void endpoint_close(struct endpoint *endpoint);
/* In a child: closes its descriptors, and leaves the parent's connections alone. */
void endpoint_leave(struct endpoint *endpoint);

/* -1: closed. */
int endpoint_poll_fd(const struct endpoint *endpoint);
/* Milliseconds until endpoint_run is due; UINT64_MAX: not before something happens. */
uint64_t endpoint_timeout(const struct endpoint *endpoint);
void endpoint_run(struct endpoint *endpoint);

#endif
