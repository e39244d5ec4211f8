#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/runtime/mem.h"
#include "proxy/runtime/stream.h"
#include "proxy/runtime/stream_private.h"
#include "proxy/runtime/wait.h"

/* A question to the resolver. A thread of the pool works on it for as long as it pleases, so it is
 * a heap object that its callback frees when the fiber did not wait for the end. */
struct resolve {
	uv_getaddrinfo_t request;
	struct fiber *waiter; /* NULL: abandoned */
	bool done;
	int status;
	struct addrinfo *addresses;
};

static const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

static void free_addresses(struct addrinfo **addresses)
{
	if (*addresses)
		freeaddrinfo(*addresses);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct resolve *resolve = (struct resolve *)request;

	if (!resolve->waiter) {
		uv_freeaddrinfo(addresses);
		free(resolve);
		return;
	}
	resolve->done = true;
	resolve->status = status;
	resolve->addresses = addresses;
	fiber_wake(resolve->waiter);
}

/* Takes the answer, or leaves the request to its callback. */
static struct addrinfo *finish(struct resolve *resolve)
{
	struct addrinfo *addresses = resolve->addresses;

	if (resolve->done) {
		free(resolve);
		return addresses;
	}
	resolve->waiter = NULL;
	(void)uv_cancel((uv_req_t *)&resolve->request);
	return NULL;
}

static fiber_fn struct err ask_resolver(
	const char *host, const char *service, struct addrinfo **ret)
{
	struct resolve *resolve = mem_zalloc(1, sizeof(*resolve));
	struct addrinfo *addresses;
	struct err e;
	int status;

	resolve->waiter = fiber_current();
	status = uv_getaddrinfo(
		runtime_loop(), &resolve->request, on_resolved, host, service, &hints);
	if (status != 0) {
		free(resolve);
		return err_make(ERR_PEER, "name lookup: %s", uv_strerror(status));
	}
	do {
		e = wait_result(fiber_suspend());
	} while (!failed(e) && !resolve->done);
	status = resolve->status;
	addresses = finish(resolve);
	if (!failed(e) && status != 0)
		e = err_make(ERR_PEER, "%s", uv_strerror(status));
	if (failed(e)) {
		uv_freeaddrinfo(addresses);
		return err_context(e, "name lookup");
	}
	*ret = addresses;
	return ok();
}

/* Address literals need no thread. */
static fiber_fn struct err find_addresses(const char *host, uint16_t port, struct addrinfo **ret)
{
	struct addrinfo numeric = hints;
	char service[8];

	(void)snprintf(service, sizeof(service), "%u", port);
	numeric.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	if (getaddrinfo(host, service, &numeric, ret) == 0)
		return ok();
	return ask_resolver(host, service, ret);
}

/* Waits for the connection that connect() began. */
static fiber_fn struct err wait_connected(struct stream *stream)
{
	struct pollfd now = { .fd = stream->fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int errnum = 0;
	struct err e = ok();

	/* A server on this machine has answered by now: that saves four system calls. */
	if (poll(&now, 1, 0) != 1)
		e = stream_wait(stream, UV_WRITABLE);
	if (failed(e))
		return err_context(e, "connect");
	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &errnum, &size) != 0)
		errnum = errno;
	return errnum == 0 ? ok() : err_errno(ERR_PEER, errnum, "connect");
}

static fiber_fn struct err connect_one(const struct addrinfo *address, struct stream **ret)
{
	struct stream *stream;
	struct err e = ok();
	int fd;

	fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(ERR_PEER, errno, "socket");
	stream = stream_new(fd);
	if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
		if (errno == EINPROGRESS)
			e = wait_connected(stream);
		else
			e = err_errno(ERR_PEER, errno, "connect");
	}
	if (failed(e)) {
		stream_close(stream);
		return e;
	}
	*ret = stream;
	return ok();
}

static struct err name_address(struct err e, const struct addrinfo *address)
{
	char text[INET6_ADDRSTRLEN] = "?";

	(void)getnameinfo(
		address->ai_addr, address->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
	return err_context(e, "%s", text);
}

/* One dead address must not use up the time of those behind it: each gets its share of what is
 * left. */
static fiber_fn struct err connect_any(const struct addrinfo *addresses, struct stream **ret)
{
	struct err e = err_make(ERR_PEER, "no address");
	unsigned left = 0;

	for (const struct addrinfo *a = addresses; a; a = a->ai_next)
		left++;
	for (const struct addrinfo *a = addresses; a; a = a->ai_next, left--) {
		struct err outer = wait_check();

		if (failed(outer))
			return outer;
		{
			deadline(deadline_remaining() / left);
			e = connect_one(a, ret);
		}
		if (!failed(e))
			return e;
		e = name_address(e, a);
		if (e.scope == ERR_CANCELED)
			return e;
	}
	return e;
}

fiber_fn struct err stream_connect(const char *host, uint16_t port, struct stream **ret)
{
	struct addrinfo *addresses __attribute__((__cleanup__(free_addresses))) = NULL;
	struct err e = wait_check();

	if (!failed(e))
		e = find_addresses(host, port, &addresses);
	if (!failed(e))
		e = connect_any(addresses, ret);
	return err_context(e, "%s port %u", host, port);
}
