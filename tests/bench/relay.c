/*
 * relay - stands in for distance: passes TCP connections on, each octet some time after it came.
 *
 *	relay PORT TO_PORT DELAY_MS
 *
 * Loopback only. The delay counts for each direction, so a round trip takes twice as long. What is
 *on its way is not bounded by anything but the sender: a long line is a fat one.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

struct direction;

/* Octets on their way. */
struct parcel {
	struct parcel *next;
	uint64_t due; /* uv_now */
	size_t n;     /* 0: the end of the stream */
	uv_write_t request;
	char data[];
};

struct end {
	uv_tcp_t tcp;          /* first */
	struct direction *out; /* what is read here goes there */
	struct connection *connection;
};

struct direction {
	struct end *to;
	uv_timer_t timer;
	struct parcel *first, **last;
};

struct connection {
	struct end client, server;
	struct direction up, down;
	int open; /* handles not closed yet */
	bool closing;
};

static uv_loop_t *loop;
static uint64_t delay;
static struct sockaddr_in target;

static void on_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;

	if (--c->open > 0)
		return;
	for (int i = 0; i < 2; i++) {
		struct direction *d = i ? &c->up : &c->down;

		while (d->first) {
			struct parcel *parcel = d->first;

			d->first = parcel->next;
			free(parcel);
		}
	}
	free(c);
}

static void close_all(struct connection *c)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->client.tcp, on_closed);
	uv_close((uv_handle_t *)&c->server.tcp, on_closed);
	uv_close((uv_handle_t *)&c->up.timer, on_closed);
	uv_close((uv_handle_t *)&c->down.timer, on_closed);
}

static void on_written(uv_write_t *request, int status)
{
	struct connection *c = request->handle->data;

	free(request->data);
	if (status < 0)
		close_all(c);
}

static void on_due(uv_timer_t *timer);

static void arm(struct direction *d)
{
	uint64_t now = uv_now(loop);

	if (d->first)
		(void)uv_timer_start(
			&d->timer, on_due, d->first->due > now ? d->first->due - now : 0, 0);
}

static void on_due(uv_timer_t *timer)
{
	struct connection *c = timer->data;
	struct direction *d = timer == &c->up.timer ? &c->up : &c->down;

	while (d->first && d->first->due <= uv_now(loop)) {
		struct parcel *parcel = d->first;
		uv_buf_t buffer = uv_buf_init(parcel->data, (unsigned)parcel->n);

		d->first = parcel->next;
		if (!d->first)
			d->last = &d->first;
		if (parcel->n == 0) {
			free(parcel);
			close_all(c);
			return;
		}
		parcel->request.data = parcel;
		if (uv_write(&parcel->request, (uv_stream_t *)&d->to->tcp, &buffer, 1, on_written) <
			0)
			close_all(c);
	}
	if (!c->closing)
		arm(d);
}

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	(void)handle;
	*ret = uv_buf_init(malloc(suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct end *end = (struct end *)stream;
	struct direction *d = end->out;
	struct parcel *parcel;

	if (n == 0) {
		free(buffer->base);
		return;
	}
	if (n < 0)
		(void)uv_read_stop(stream);
	parcel = malloc(sizeof(*parcel) + (n > 0 ? (size_t)n : 0));
	*parcel = (struct parcel){ .due = uv_now(loop) + delay, .n = n > 0 ? (size_t)n : 0 };
	memcpy(parcel->data, buffer->base, parcel->n);
	free(buffer->base);
	*d->last = parcel;
	d->last = &parcel->next;
	if (d->first == parcel)
		arm(d);
}

static void on_connected(uv_connect_t *request, int status)
{
	struct connection *c = request->handle->data;

	free(request);
	if (status < 0) {
		close_all(c);
		return;
	}
	(void)uv_read_start((uv_stream_t *)&c->client.tcp, on_buffer, on_read);
	(void)uv_read_start((uv_stream_t *)&c->server.tcp, on_buffer, on_read);
}

static void start(struct connection *c, struct end *end, struct direction *out)
{
	(void)uv_tcp_init(loop, &end->tcp);
	(void)uv_timer_init(loop, &out->timer);
	end->tcp.data = out->timer.data = c;
	end->out = out;
	out->last = &out->first;
	c->open += 2;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct connection *c = calloc(1, sizeof(*c));
	uv_connect_t *request = malloc(sizeof(*request));

	start(c, &c->client, &c->up);
	start(c, &c->server, &c->down);
	c->up.to = &c->server;
	c->down.to = &c->client;
	if (status < 0 || uv_accept(listener, (uv_stream_t *)&c->client.tcp) < 0 ||
		uv_tcp_connect(request, &c->server.tcp, (const struct sockaddr *)&target,
			on_connected) < 0) {
		free(request);
		close_all(c);
		return;
	}
	(void)uv_tcp_nodelay(&c->client.tcp, 1);
	(void)uv_tcp_nodelay(&c->server.tcp, 1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in own;
	uv_tcp_t listener;

	if (argc != 4) {
		fprintf(stderr, "usage: %s PORT TO_PORT DELAY_MS\n", argv[0]);
		return 2;
	}
	loop = uv_default_loop();
	delay = strtoul(argv[3], NULL, 10);
	(void)uv_ip4_addr("127.0.0.1", atoi(argv[1]), &own);
	(void)uv_ip4_addr("127.0.0.1", atoi(argv[2]), &target);
	(void)uv_tcp_init(loop, &listener);
	if (uv_tcp_bind(&listener, (const struct sockaddr *)&own, 0) < 0 ||
		uv_listen((uv_stream_t *)&listener, 1024, on_connection) < 0) {
		fprintf(stderr, "relay: port %s cannot be bound\n", argv[1]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	return uv_run(loop, UV_RUN_DEFAULT);
}
