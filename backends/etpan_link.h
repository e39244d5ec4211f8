/*
 * etpan_link - a struct stream as libetpan's transport, for the streams of each protocol, which lie
 * over it and say what libetpan gets to read.
 *
 * Owns:     the stream.
 * Suspends: whatever reads or writes, so every call into libetpan that does.
 * Errors:   the first failure is kept and every later call fails with it at once. ERR_TEMP: the
 *           server is gone, was silent for the timeout, or broke the rules. ERR_TIMEOUT and
 *           ERR_CANCELED: the caller's own deadline or end.
 */
#ifndef POPGATE_BACKENDS_ETPAN_LINK_H
#define POPGATE_BACKENDS_ETPAN_LINK_H

#include <libetpan/libetpan.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/stream.h"

struct etpan_link;

struct etpan_link_ops {
	/* Gives libetpan 1 to n octets. */
	fiber_fn struct err (*give)(struct etpan_link *link, void *data, size_t n, size_t *ret);
	/* Takes what libetpan sends: etpan_link_write, or what ends in it. */
	fiber_fn struct err (*take)(struct etpan_link *link, const void *data, size_t n);
};

/* First member of a protocol's own stream. */
struct etpan_link {
	const struct etpan_link_ops *ops;
	struct stream *stream;
	uint64_t timeout; /* of each read and write, milliseconds */
	struct err error; /* the first failure; ok while the connection is good */
};

void etpan_link_init(struct etpan_link *link, struct stream *stream, uint64_t timeout,
	const struct etpan_link_ops *ops);
/* Closes the stream. The mailstream over it must be closed before. */
void etpan_link_done(struct etpan_link *link);

/* A mailstream over it. To close it does not close the link. */
mailstream *etpan_link_open(struct etpan_link *link);

/* Marks the connection as dead, unless it is so already. */
void etpan_link_fail(struct etpan_link *link, struct err e);

/* From the server itself: at most n octets; an end of the connection is an error here. */
fiber_fn struct err etpan_link_read(struct etpan_link *link, void *data, size_t n, size_t *ret);
/* To it, all n octets. */
fiber_fn struct err etpan_link_write(struct etpan_link *link, const void *data, size_t n);

/* The TLS handshake. What the mailstream, if there is one, holds of what came in clear is dropped
 * (CVE-2011-0411); what the caller has read ahead it must drop before. */
fiber_fn struct err etpan_link_starttls(struct etpan_link *link, mailstream *over,
	struct tls_context *context, const char *server_name);

/* e, or ERR_TEMP instead of ERR_TIMEOUT when it was a limit of ours, in force since `start`, that
 * passed and not the caller's deadline. */
struct err etpan_own_timeout(struct err e, uint64_t start, uint64_t limit, const char *what);

#endif
