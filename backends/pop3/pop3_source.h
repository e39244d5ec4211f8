/*
 * pop3_source - what a POP3 server has to tell of a maildrop: unique-ids, sizes, header blocks.
 *
 * Nothing is changed there. Messages are neither fetched nor marked, and the connection ends
 * without QUIT, so that no server enters the UPDATE state (RFC 1939 section 6), in which one that
 * expires what was looked at (RFC 2449 section 6.7) might remove something.
 * Suspends: pop3_source_read. Never logs.
 */
#ifndef POPGATE_BACKENDS_POP3_SOURCE_H
#define POPGATE_BACKENDS_POP3_SOURCE_H

#include "config/config.h"
#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/secret.h"
#include "proxy/runtime/tls.h"

struct pop3_server {
	const char *host;
	uint16_t port;
	enum tls_mode tls;
	struct tls_context *context; /* NULL without TLS */
	uint64_t timeout;            /* of each answer, and of connecting; milliseconds */
};

struct pop3_message {
	const char *unique_id; /* "": the server gives none */
	uint64_t size;
	uint64_t fingerprint;   /* fingerprint.h; 0: unknown */
	const char *message_id; /* the header field's text; "": there is none */
	const char *date;       /* likewise */
};

struct pop3_maildrop {
	struct pop3_message *messages; /* in the order of their numbers */
	size_t n;
	bool has_ids, has_headers; /* the server knows UIDL, TOP */
};

/* Called after each message. */
typedef void pop3_source_progress(size_t done, size_t n, void *arg);

/* Logs in and reads the maildrop, in arena. ERR_AUTH: the server refused the login; ERR_TEMP: it is
 * not to be reached, went away, or broke the rules; ERR_PERM: it lacks TLS or a way to log in. */
fiber_fn struct err pop3_source_read(const struct pop3_server *server, const char *login,
	const struct secret *password, pop3_source_progress *progress, void *arg,
	struct arena *arena, struct pop3_maildrop *ret);

#endif
