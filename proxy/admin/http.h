/*
 * http - requests to the admin interface: which are refused, who answers the others.
 *
 * Against browsers that a hostile page leads here: on loopback the Host header must name this
 * machine itself (DNS rebinding); nothing may be embedded, scripted or read from elsewhere; and
 * what changes something is a POST that came from this very page or from no page at all.
 */
#ifndef POPGATE_ADMIN_HTTP_H
#define POPGATE_ADMIN_HTTP_H

#include <microhttpd.h>

#include "proxy/admin/admin.h"

/* For MHD_start_daemon; arg is the struct endpoint. */
enum MHD_Result http_answer(void *arg, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *n, void **context);
void http_completed(void *arg, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode code);

/* Whom to ask. Borrowed. */
void http_set_master(const struct admin_master *master);

/* Whether a Host header names this machine's loopback. NULL (HTTP/1.0) does. */
bool http_host_is_loopback(const char *host);
/* Whether Origin and Sec-Fetch-Site (NULL: absent) are those of a request that a page of ours made,
 * or no page. */
bool http_same_origin(const char *host, const char *origin, const char *site);
/* The ID of "/api/sessions/ID/close", cut out into id; false: it is another path. */
bool http_close_path(const char *url, char *id, size_t size);

#endif
