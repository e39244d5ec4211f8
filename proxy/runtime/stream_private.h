/*
 * stream_private - what stream.c, stream_tls.c and connect.c share.
 */
#ifndef POPGATE_RUNTIME_STREAM_PRIVATE_H
#define POPGATE_RUNTIME_STREAM_PRIVATE_H

#include "proxy/runtime/stream.h"
#include "proxy/runtime/wait.h"

struct stream {
	int fd;
	struct fd_wait *wait; /* made at the first wait */
	struct ssl_st *ssl;   /* NULL: in clear */
	bool broken;          /* TLS failed: no close_notify, no further use */
	char *server_name;    /* SNI, or NULL */
	uint64_t octets_in, octets_out;
};

/* Suspends until the descriptor is ready for the libuv events. */
fiber_fn struct err stream_wait(struct stream *stream, int events);

/* stream_tls.c: read and write_some as in stream.h, for a stream under TLS. */
fiber_fn struct err stream_tls_read(struct stream *stream, void *data, size_t n, size_t *ret);
fiber_fn struct err stream_tls_write(
	struct stream *stream, const void *data, size_t n, size_t *ret);
size_t stream_tls_write_now(struct stream *stream, const void *data, size_t n);
bool stream_tls_readable(struct stream *stream);
/* Sends close_notify if it goes out at once. */
void stream_tls_shutdown(struct stream *stream);
void stream_tls_free(struct stream *stream);

#endif
