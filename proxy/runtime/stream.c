#include "proxy/runtime/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/stream_private.h"
#include "proxy/runtime/wait.h"

/* How long stream_linger takes at most, and how much it drops. */
#define LINGER_MS     2000
#define LINGER_OCTETS (1024 * 1024)

struct stream *stream_new(int fd)
{
	struct stream *stream = mem_zalloc(1, sizeof(*stream));
	int on = 1;

	if (ioctl(fd, FIONBIO, &on) != 0)
		fatal("stream_new: descriptor %d: %s", fd, strerror(errno));
	/* Fails on what is not TCP. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	stream->fd = fd;
	return stream;
}

void stream_close(struct stream *stream)
{
	if (!stream)
		return;
	if (stream->ssl) {
		stream_tls_shutdown(stream);
		stream_tls_free(stream);
	}
	fd_wait_free(stream->wait);
	(void)close(stream->fd);
	free(stream);
}

fiber_fn struct err stream_wait(struct stream *stream, int events)
{
	if (!stream->wait)
		stream->wait = fd_wait_new(stream->fd);
	return fd_wait_for(stream->wait, events);
}

/* stream_read in clear. */
static fiber_fn struct err receive(struct stream *stream, void *data, size_t n, size_t *ret)
{
	for (;;) {
		ssize_t got = recv(stream->fd, data, n, 0);
		struct err e;

		if (got >= 0) {
			stream->octets_in += (uint64_t)got;
			*ret = (size_t)got;
			return ok();
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return err_errno(ERR_PEER, errno, "read");
		e = stream_wait(stream, UV_READABLE);
		if (failed(e))
			return err_context(e, "read");
	}
}

fiber_fn void stream_linger(struct stream *stream)
{
	char dropped[1024];
	size_t total = 0, n;

	if (stream->ssl)
		stream_tls_shutdown(stream);
	if (shutdown(stream->fd, SHUT_WR) != 0)
		return;
	deadline(LINGER_MS);
	do {
		struct err e = wait_share();

		if (!failed(e))
			e = receive(stream, dropped, sizeof(dropped), &n);
		if (failed(e))
			break;
		total += n;
	} while (n > 0 && total < LINGER_OCTETS);
	explicit_bzero(dropped, sizeof(dropped));
	/* Until it is closed, the end that the peer has sent would wake the loop for nothing. */
	fd_wait_free(steal(stream->wait));
}

fiber_fn struct err stream_read(struct stream *stream, void *data, size_t n, size_t *ret)
{
	struct err e = wait_share();

	if (failed(e))
		return err_context(e, "read");
	if (stream->ssl)
		return stream_tls_read(stream, data, n, ret);
	return receive(stream, data, n, ret);
}

bool stream_readable(struct stream *stream)
{
	char octet;

	if (stream->ssl)
		return stream_tls_readable(stream);
	return recv(stream->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

bool stream_quiet(const struct stream *stream)
{
	struct pollfd poll_fd = { .fd = stream->fd, .events = POLLIN | POLLRDHUP };

	return poll(&poll_fd, 1, 0) == 0;
}

/* stream_write_some in clear. */
static fiber_fn struct err transmit(struct stream *stream, const void *data, size_t n, size_t *ret)
{
	for (;;) {
		ssize_t sent = send(stream->fd, data, n, MSG_NOSIGNAL);
		struct err e;

		if (sent >= 0) {
			stream->octets_out += (uint64_t)sent;
			*ret = (size_t)sent;
			return ok();
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return err_errno(ERR_PEER, errno, "write");
		e = stream_wait(stream, UV_WRITABLE);
		if (failed(e))
			return err_context(e, "write");
	}
}

fiber_fn struct err stream_write_some(
	struct stream *stream, const void *data, size_t n, size_t *ret)
{
	struct err e = wait_share();

	if (failed(e))
		return err_context(e, "write");
	if (stream->ssl)
		return stream_tls_write(stream, data, n, ret);
	return transmit(stream, data, n, ret);
}

size_t stream_write_now(struct stream *stream, const void *data, size_t n)
{
	ssize_t sent;

	if (stream->ssl)
		return stream_tls_write_now(stream, data, n);
	sent = send(stream->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent <= 0)
		return 0;
	stream->octets_out += (uint64_t)sent;
	return (size_t)sent;
}

fiber_fn struct err stream_write(struct stream *stream, const void *data, size_t n)
{
	const char *at = data;

	while (n > 0) {
		size_t sent = 0;
		struct err e = stream_write_some(stream, at, n, &sent);

		if (failed(e))
			return e;
		at += sent;
		n -= sent;
	}
	return ok();
}

int stream_fd(const struct stream *stream)
{
	return stream->fd;
}

uint64_t stream_octets_in(const struct stream *stream)
{
	return stream->octets_in;
}

uint64_t stream_octets_out(const struct stream *stream)
{
	return stream->octets_out;
}
