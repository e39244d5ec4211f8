/*
 * http - one request to a web server, by libcurl, and its answer in memory.
 *
 * For what OAuth 2.0 needs: small answers of a server that the configuration names. Certificates
 * are verified, redirects are not followed, nothing is tried twice.
 * Suspends: http_send. The request runs in a thread of its own (offload_alone): the caller bounds
 *           how many run at a time.
 * Limits:   request.timeout for all of it, request.max for the answer.
 * Errors:   ERR_TEMP: the server cannot be reached, is slow, or says too much; ERR_PERM: built
 *           without libcurl; ERR_TIMEOUT and ERR_CANCELED as everywhere.
 */
#ifndef POPGATE_RUNTIME_HTTP_H
#define POPGATE_RUNTIME_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/secret.h"

/* Borrowed during the call. */
struct http_request {
	const char *url;               /* http or https */
	const struct buffer *form;     /* of http_form_add: what is posted; NULL: a GET */
	const char *user;              /* HTTP Basic; "": none */
	const struct secret *password; /* likewise; NULL: an empty one */
	const char *ca_file;           /* PEM file of authorities; "": the system's */
	uint64_t timeout;              /* milliseconds */
	size_t max;                    /* octets of the answer */
};

struct http_response {
	long status; /* 200 … */
	struct buffer body;
};

/* ok: there is an answer, whatever its status; buffer_wipe its body. After an error there is
 * none. */
fiber_fn struct err http_send(const struct http_request *request, struct http_response *ret);

/* Appends "name=value" to a form (application/x-www-form-urlencoded), behind "&" where it is not
 * the first. Makes room once: a secret that comes last leaves no copy behind. */
void http_form_add(struct buffer *form, const char *name, const char *value, size_t n);

#endif
