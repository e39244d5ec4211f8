/*
 * floor - what the same octets cost at least: a bare server that knows no mail and no users.
 *
 *	floor PORT TLS_PORT MESSAGES OCTETS CERTIFICATE KEY
 *
 * One process, one thread. It answers every command of the benchmark with lines of the form and
 * length that a POP3 server would send for a maildrop of so many messages, made once at its start.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/runtime/line.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

static struct {
	struct buffer uidl, list, retr, top;
	char stat[64];
	struct tls_context *tls;
} canned;

struct listener {
	int fd;
	bool tls;
};

struct client {
	int fd;
	bool tls;
};

static void make_answers(unsigned long messages, unsigned long octets)
{
	static const char head[] = "From: a@sender.example\r\nTo: bench@acme.example\r\n"
				   "Subject: message 1\r\n\r\n";

	buffer_printf(&canned.uidl, "+OK\r\n");
	buffer_printf(&canned.list, "+OK\r\n");
	for (unsigned long i = 1; i <= messages; i++) {
		buffer_printf(&canned.uidl, "%lu %llu\r\n", i, 1763700000000000ULL + i);
		buffer_printf(&canned.list, "%lu %lu\r\n", i, octets);
	}
	buffer_printf(&canned.uidl, ".\r\n");
	buffer_printf(&canned.list, ".\r\n");
	buffer_printf(&canned.top, "+OK\r\n%s.\r\n", head);
	buffer_printf(&canned.retr, "+OK %lu octets\r\n%s", octets, head);
	while (buffer_used(&canned.retr) < octets)
		buffer_printf(&canned.retr, "%.75s\r\n",
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"x");
	buffer_printf(&canned.retr, ".\r\n");
	snprintf(canned.stat, sizeof(canned.stat), "+OK %lu %lu\r\n", messages, messages * octets);
}

fiber_fn static struct err send_buffer(struct stream *stream, const struct buffer *buffer)
{
	return stream_write(stream, buffer_data(buffer), buffer_used(buffer));
}

fiber_fn static struct err send_text(struct stream *stream, const char *text)
{
	return stream_write(stream, text, strlen(text));
}

fiber_fn static struct err answer(struct stream *stream, const char *command)
{
	if (strncmp(command, "UIDL", 4) == 0)
		return send_buffer(stream, &canned.uidl);
	if (strncmp(command, "LIST", 4) == 0)
		return send_buffer(stream, &canned.list);
	if (strncmp(command, "RETR", 4) == 0)
		return send_buffer(stream, &canned.retr);
	if (strncmp(command, "TOP", 3) == 0)
		return send_buffer(stream, &canned.top);
	if (strncmp(command, "STAT", 4) == 0)
		return send_text(stream, canned.stat);
	return send_text(stream, "+OK\r\n");
}

fiber_fn static void serve(void *arg)
{
	struct client *client = arg;
	struct stream *stream = stream_new(client->fd);
	struct line_reader *in = line_reader_new(stream);
	struct line line;
	struct err e = ok();
	bool quit = false;

	if (client->tls)
		e = stream_tls_accept(stream, canned.tls);
	if (!failed(e))
		e = send_text(stream, "+OK\r\n");
	while (!quit && !failed(e) && !failed(e = line_read(in, 512, &line))) {
		quit = strncmp(line.text, "QUIT", 4) == 0;
		e = answer(stream, line.text);
	}
	line_reader_free(in);
	stream_close(stream);
	free(client);
}

fiber_fn static void listen_on(void *arg)
{
	struct listener *listener = arg;
	struct fd_wait *wait = fd_wait_new(listener->fd);

	while (!failed(fd_wait_for(wait, UV_READABLE))) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct client *client;

		if (fd < 0)
			continue;
		client = mem_zalloc(1, sizeof(*client));
		*client = (struct client){ .fd = fd, .tls = listener->tls };
		(void)fiber_spawn("client", serve, client);
	}
	fd_wait_free(wait);
}

static int listener_on(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 4096) < 0) {
		fprintf(stderr, "floor: port %s cannot be bound\n", port);
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct listener plain = { 0 }, tls = { .tls = true };
	struct tls_certificate certificate;
	struct err e;

	if (argc != 7) {
		fprintf(stderr, "usage: %s PORT TLS_PORT MESSAGES OCTETS CERTIFICATE KEY\n",
			argv[0]);
		return 2;
	}
	certificate = (struct tls_certificate){ argv[5], argv[6] };
	e = tls_server_new(&certificate, 1, TLS_V1_2, NULL, &canned.tls);
	if (failed(e)) {
		fprintf(stderr, "floor: %s\n", e.detail);
		return 1;
	}
	make_answers(strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	plain.fd = listener_on(argv[1]);
	tls.fd = listener_on(argv[2]);
	runtime_init();
	(void)fiber_spawn("plain", listen_on, &plain);
	(void)fiber_spawn("tls", listen_on, &tls);
	puts("ready");
	fflush(stdout);
	runtime_run();
	return 0;
}
