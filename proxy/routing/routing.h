/*
 * routing - login name → tenant → account. Pure: no I/O, no fiber.
 *
 * The login_name rules are applied first: lower case, separators, default domain, folder separator.
 * Then the first tenant, in file order, whose every criterion fits.
 */
#ifndef POPGATE_ROUTING_ROUTING_H
#define POPGATE_ROUTING_ROUTING_H

#include "backends/backend.h"
#include "config/config.h"

/* What is known of a connection when a login arrives. Strings are borrowed; "" where unknown. */
struct route_query {
	const char *login;       /* as the client sent it */
	const char *listener;    /* its name */
	const char *server_name; /* TLS SNI */
	const char *address;     /* the client's, numeric */
};

/* Why a tenant did not match, or (the last call then) cannot serve this login; for `popgate route`.
 * tenant NULL: the login itself is none. */
typedef void route_explain(const struct tenant *tenant, const char *reason, void *arg);

/* Whether some login of this connection may be served by tenant: all its criteria but the domains
 * fit. */
bool route_reaches(const struct tenant *tenant, const struct route_query *query);

/* The account, allocated from arena; NULL when no tenant serves this login (also when the login is
 * empty, malformed UTF-8, or holds control octets, or, where a Maildir would serve it, "/", ".." or
 * a leading "." that a path template could not bear). explain may be NULL. */
struct account *route(const struct config *config, const struct route_query *query,
	struct arena *arena, route_explain *explain, void *arg);

/* Whether route gives this query to tenant. Looks at the others only when it may. */
bool route_leads_to(
	const struct config *config, const struct route_query *query, const struct tenant *tenant);

#endif
