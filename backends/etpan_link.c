#include "backends/etpan_link.h"

#include <stdlib.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

/* Long commands and bodies go past this buffer of libetpan's. */
#define MAILSTREAM_OCTETS 2048

struct err etpan_own_timeout(struct err e, uint64_t start, uint64_t limit, const char *what)
{
	if (e.scope != ERR_TIMEOUT || runtime_now() - start < limit)
		return e;
	return err_make(ERR_TEMP, "%s within %.1f s", what, (double)limit / 1000);
}

void etpan_link_fail(struct etpan_link *link, struct err e)
{
	if (!failed(link->error))
		link->error = e;
}

fiber_fn struct err etpan_link_read(struct etpan_link *link, void *data, size_t n, size_t *ret)
{
	uint64_t start = runtime_now();
	struct err e;

	deadline(link->timeout);
	e = stream_read(link->stream, data, n, ret);
	if (!failed(e) && *ret == 0)
		e = err_make(ERR_PEER, "the server closed the connection");
	if (e.scope == ERR_PEER)
		e.scope = ERR_TEMP;
	return etpan_own_timeout(e, start, link->timeout, "no answer");
}

fiber_fn struct err etpan_link_write(struct etpan_link *link, const void *data, size_t n)
{
	uint64_t start = runtime_now();
	struct err e;

	deadline(link->timeout);
	e = stream_write(link->stream, data, n);
	if (e.scope == ERR_PEER)
		e.scope = ERR_TEMP;
	return etpan_own_timeout(e, start, link->timeout, "nothing could be sent");
}

fiber_fn static ssize_t low_read(mailstream_low *low, void *data, size_t n)
{
	struct etpan_link *link = low->data;
	size_t got = 0;
	struct err e;

	if (failed(link->error))
		return -1;
	e = link->ops->give(link, data, n, &got);
	if (!failed(e))
		return (ssize_t)got;
	etpan_link_fail(link, e);
	return -1;
}

fiber_fn static ssize_t low_write(mailstream_low *low, const void *data, size_t n)
{
	struct etpan_link *link = low->data;
	struct err e;

	if (failed(link->error))
		return -1;
	e = link->ops->take(link, data, n);
	if (!failed(e))
		return (ssize_t)n;
	etpan_link_fail(link, e);
	return -1;
}

/* The stream is the link's, and outlives what libetpan has over it. */
static int low_close(mailstream_low *low)
{
	(void)low;
	return 0;
}

static int low_get_fd(mailstream_low *low)
{
	struct etpan_link *link = low->data;

	return link->stream ? stream_fd(link->stream) : -1;
}

static void low_free(mailstream_low *low)
{
	free(low);
}

static mailstream_low_driver driver = {
	.mailstream_read = low_read,
	.mailstream_write = low_write,
	.mailstream_close = low_close,
	.mailstream_get_fd = low_get_fd,
	.mailstream_free = low_free,
};

void etpan_link_init(struct etpan_link *link, struct stream *stream, uint64_t timeout,
	const struct etpan_link_ops *ops)
{
	link->ops = ops;
	link->stream = stream;
	link->timeout = timeout;
	link->error = ok();
}

void etpan_link_done(struct etpan_link *link)
{
	stream_close(steal(link->stream));
}

mailstream *etpan_link_open(struct etpan_link *link)
{
	mailstream_low *low = mailstream_low_new(link, &driver);
	mailstream *over = low ? mailstream_new(low, MAILSTREAM_OCTETS) : NULL;

	if (!over)
		fatal("out of memory: a mailstream");
	return over;
}

fiber_fn struct err etpan_link_starttls(struct etpan_link *link, mailstream *over,
	struct tls_context *context, const char *server_name)
{
	struct err e;

	if (over)
		over->read_buffer_len = 0;
	e = stream_tls_connect(link->stream, context, server_name);
	if (e.scope == ERR_PEER)
		e.scope = ERR_TEMP;
	if (failed(e))
		etpan_link_fail(link, e);
	return e;
}
