/*
 * stream - octets to and from a connected socket, in clear or under TLS: one code for both, for the
 * client side and the server side.
 *
 * Owns:     its descriptor and its TLS state.
 * How:      the descriptor is non-blocking and tried directly (recv, send, SSL_read, SSL_write);
 * the fiber waits by fd_wait only when it would block. Back-pressure is the fiber waiting.
 * Suspends: connect, read, write, the TLS functions. One reader and one writer: the owner fiber.
 * Errors:   ERR_PEER (closed, reset, TLS alert: the detail says what), ERR_TIMEOUT, ERR_CANCELED.
 *           After any error of a write or a TLS function the stream is only good for closing.
 */
#ifndef POPGATE_RUNTIME_STREAM_H
#define POPGATE_RUNTIME_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/tls.h"

struct stream;

/* Takes ownership of a connected socket; makes it non-blocking, sets TCP_NODELAY where it applies.
 */
struct stream *stream_new(int fd);

/* Connects to host (a name or an address literal) and port, its addresses in turn (RFC 6724 order
 * as the resolver gives them), within the deadline in force. The detail names host, port and
 * reason. */
fiber_fn struct err stream_connect(const char *host, uint16_t port, struct stream **ret);

/* Closes at once; NULL-safe. Under TLS a close_notify is tried, once, without waiting. */
void stream_close(struct stream *stream);
/* An orderly end for output just written: shutdown(SHUT_WR), then what the peer still sends is read
 * and dropped for a short time, so that no reset destroys the last reply. Does not free. */
fiber_fn void stream_linger(struct stream *stream);

/* Reads 1 to n octets. *ret == 0 only at an orderly end (TLS: close_notify, or a bare FIN). */
fiber_fn struct err stream_read(struct stream *stream, void *data, size_t n, size_t *ret);
/* Whether a read would give octets at once (also what TLS holds decrypted). Never suspends. */
bool stream_readable(struct stream *stream);
/* Whether nothing waits on the socket: no octets, no end of the connection, no error. Never
 * suspends. */
bool stream_quiet(const struct stream *stream);
/* Writes 1 to n octets: for callers whose deadline is about progress. */
fiber_fn struct err stream_write_some(
	struct stream *stream, const void *data, size_t n, size_t *ret);
/* Writes what goes without a wait, 0 to n octets, and returns how many: the last word of a fiber
 * that was canceled. Never suspends. */
size_t stream_write_now(struct stream *stream, const void *data, size_t n);
/* Writes all n octets. */
fiber_fn struct err stream_write(struct stream *stream, const void *data, size_t n);

/* The handshake, as server (STLS, implicit TLS) or client. The caller has dropped whatever it read
 * in clear before (CVE-2011-0411). server_name: see tls_new_ssl. The context must outlive the
 * stream. */
fiber_fn struct err stream_tls_accept(struct stream *stream, struct tls_context *context);
fiber_fn struct err stream_tls_connect(
	struct stream *stream, struct tls_context *context, const char *server_name);

bool stream_is_tls(const struct stream *stream);
/* "TLSv1.3", or "" in clear. */
const char *stream_tls_version(const struct stream *stream);
/* The SNI name a client sent, or "". Valid as long as the stream. */
const char *stream_tls_server_name(const struct stream *stream);

/* What tells this TLS connection from every other (RFC 5056), and that both ends see the same one.
 * tls-exporter (RFC 9266) exists in TLS 1.3; tls-unique (RFC 5929) in 1.2, and only with the
 * extended master secret (RFC 7627), without which it can be forged. */
enum stream_binding {
	STREAM_TLS_EXPORTER,
	STREAM_TLS_UNIQUE,
	/* The hash of the server's certificate (RFC 5929): of the server, not of the connection. */
	STREAM_TLS_SERVER_END_POINT,
};
#define STREAM_BINDING_MAX 64
/* Its octets into ret, how many; 0: this connection has none of that type. */
size_t stream_tls_binding(const struct stream *stream, enum stream_binding type,
	unsigned char ret[STREAM_BINDING_MAX]);

/* A name in the certificate that the client has shown, and that was verified. */
enum stream_peer_name {
	STREAM_PEER_EMAIL,       /* the first rfc822Name of its subjectAltName */
	STREAM_PEER_COMMON_NAME, /* its last CN, in UTF-8 */
};
#define STREAM_PEER_NAME_MAX 256
/* Into ret; false: there is no certificate, no such name, or one with control octets or over
 * STREAM_PEER_NAME_MAX - 1 octets. */
bool stream_tls_peer_name(
	const struct stream *stream, enum stream_peer_name which, char ret[STREAM_PEER_NAME_MAX]);

int stream_fd(const struct stream *stream);
/* The connection's counts since its start, TLS overhead not included. */
uint64_t stream_octets_in(const struct stream *stream);
uint64_t stream_octets_out(const struct stream *stream);

#endif
