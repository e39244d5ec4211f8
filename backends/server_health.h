/*
 * server_health - how the IMAP servers fare, as all workers find them: in memory shared with the
 * master, which shows it. It decides nothing; which server is avoided each worker decides itself
 * (imap_connect.c).
 */
#ifndef POPGATE_BACKENDS_SERVER_HEALTH_H
#define POPGATE_BACKENDS_SERVER_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* Maps the table; makes the rows that config lacks. In the master, the first before the fork.
 * Without it nothing is noted. */
void server_health_map(const struct config *config);
void server_health_extend(const struct config *config);

/* A connection was made, TLS and greeting included, in so many milliseconds. */
void server_health_connected(const char *server, uint16_t port, uint64_t took);
/* A login took the connection that an earlier one left. */
void server_health_reused(const char *server, uint16_t port);
/* It failed; the worker avoids the server for so many milliseconds. */
void server_health_failed(const char *server, uint16_t port, uint64_t avoid);

struct server_view {
	const char *name; /* "imap.acme.example:993"; static */
	uint64_t connects, reuses, failures;
	uint64_t took;                 /* the latest connect, ms */
	int64_t connected_at, fail_at; /* seconds since 1970; 0: never */
	int64_t avoided_until;         /* 0: it is not */
};
/* The servers one by one: places 0, 1, … in no order; false: that place is empty. */
size_t server_health_places(void);
bool server_health_at(size_t place, struct server_view *ret);

#endif
