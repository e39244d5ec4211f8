/*
 * What RETR and TOP send for a message, whatever the pieces it comes in: every case is run once for
 * each way to cut its octets into two pieces, and once octet by octet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/pop3/body.h"

#define WHOLE UINT64_MAX

static const struct {
	const char *name;
	const char *message;
	uint64_t lines; /* WHOLE: RETR */
	const char *wire;
} cases[] = {
	{ "crlf stays", "A: b\r\n\r\nx\r\n", WHOLE, "A: b\r\n\r\nx\r\n.\r\n" },
	{ "bare lf becomes crlf", "A: b\n\nx\n", WHOLE, "A: b\r\n\r\nx\r\n.\r\n" },
	{ "mixed line ends", "a\r\nb\nc\r\n", WHOLE, "a\r\nb\r\nc\r\n.\r\n" },
	{ "bare cr stays", "a\rb\r\r\nc\n", WHOLE, "a\rb\r\r\nc\r\n.\r\n" },
	{ "no final line end", "a\r\nb", WHOLE, "a\r\nb\r\n.\r\n" },
	{ "final bare cr", "a\r", WHOLE, "a\r\r\n.\r\n" },
	{ "empty message", "", WHOLE, ".\r\n" },
	{ "dot on the first line", ".a\r\n", WHOLE, "..a\r\n.\r\n" },
	{ "a lone dot", ".\r\n", WHOLE, "..\r\n.\r\n" },
	{ "a forged end", "a\n.\nQUIT\n", WHOLE, "a\r\n..\r\nQUIT\r\n.\r\n" },
	{ "dots in a row", "a\r\n..b\r\n...\r\n", WHOLE, "a\r\n...b\r\n....\r\n.\r\n" },
	{ "dot within a line", "a.b\r\n c.\r\n", WHOLE, "a.b\r\n c.\r\n.\r\n" },
	{ "empty lines", "\n\n\r\n", WHOLE, "\r\n\r\n\r\n.\r\n" },
	{ "top 0", "A: b\r\n\r\nx\r\ny\r\n", 0, "A: b\r\n\r\n.\r\n" },
	{ "top 1", "A: b\r\n\r\nx\r\ny\r\n", 1, "A: b\r\n\r\nx\r\n.\r\n" },
	{ "top 2", "A: b\r\n\r\nx\r\ny\r\nz", 2, "A: b\r\n\r\nx\r\ny\r\n.\r\n" },
	{ "top beyond the end", "A: b\r\n\r\nx\r\ny", 99, "A: b\r\n\r\nx\r\ny\r\n.\r\n" },
	{ "top counts no header line", "A: b\r\nC: d\r\n\r\nx\r\ny\r\n", 1,
		"A: b\r\nC: d\r\n\r\nx\r\n.\r\n" },
	{ "top with bare lf", "A: b\n\nx\ny\n", 1, "A: b\r\n\r\nx\r\n.\r\n" },
	{ "top of headers only", "A: b\r\nC: d\r\n", 3, "A: b\r\nC: d\r\n.\r\n" },
	{ "top of a body that begins empty", "A: b\r\n\r\n\r\nx\r\n", 1, "A: b\r\n\r\n\r\n.\r\n" },
	{ "top with an empty header", "\r\nx\r\ny\r\n", 1, "\r\nx\r\n.\r\n" },
	{ "a cr is no empty line", "A: b\r\n\rx\r\n\r\ny\r\nz\r\n", 1,
		"A: b\r\n\rx\r\n\r\ny\r\n.\r\n" },
	{ "top stuffs dots", "A: b\r\n\r\n.x\r\n.y\r\n", 2, "A: b\r\n\r\n..x\r\n..y\r\n.\r\n" },
};

struct run {
	const char *message;
	size_t n;
	uint64_t lines;
	size_t cut; /* 0: octet by octet */
	int fd;
	uint64_t octets;
};

static void run_fiber(void *arg)
{
	struct run *run = arg;
	struct stream *stream = stream_new(run->fd);
	struct reply *reply = reply_new(stream, 1000);
	struct body body;
	size_t at = 0;

	if (run->lines == WHOLE)
		body_retr(&body, reply, 0);
	else
		body_top(&body, reply, run->lines);
	while (at < run->n) {
		size_t piece = run->cut == 0 ? 1 : at < run->cut ? run->cut : run->n - at;

		assert_false(failed(body.sink.write(&body.sink, run->message + at, piece)));
		at += piece;
	}
	body_finish(&body);
	run->octets = body.octets;
	assert_false(failed(reply_flush(reply)));
	reply_free(reply);
	stream_close(stream);
}

/* Runs one case in pieces and returns what went over the wire after the status line. */
static const char *wire_of(struct run *run)
{
	static char wire[1024];
	int fds[2];
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	run->fd = fds[0];
	fiber_spawn("body", run_fiber, run);
	runtime_run();
	n = recv(fds[1], wire, sizeof(wire) - 1, 0);
	assert_true(n > 0);
	wire[n] = '\0';
	close(fds[1]);
	assert_memory_equal(wire, "+OK ", 4);
	return strstr(wire, "\r\n") + 2;
}

static uint64_t unstuffed_octets(const char *wire)
{
	uint64_t n = 0;

	for (const char *line = wire; strcmp(line, ".\r\n") != 0; line = strstr(line, "\r\n") + 2)
		n += (size_t)(strstr(line, "\r\n") + 2 - line) - (*line == '.');
	return n;
}

static void every_cut_gives_the_same_wire(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t n = strlen(cases[i].message);

		for (size_t cut = 0; cut <= n; cut++) {
			struct run run = { cases[i].message, n, cases[i].lines, cut, -1, 0 };
			const char *wire = wire_of(&run);

			if (strcmp(wire, cases[i].wire) != 0)
				fail_msg("%s, cut at %zu: got \"%s\"", cases[i].name, cut, wire);
			assert_int_equal(run.octets, unstuffed_octets(cases[i].wire));
		}
	}
}

static void nothing_is_sent_before_the_first_octets(void **state)
{
	struct body body;
	int fds[2];
	char octet;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	struct stream *stream = stream_new(fds[0]);
	struct reply *reply = reply_new(stream, 1000);

	body_retr(&body, reply, 12);
	assert_false(body.started);
	assert_int_equal(recv(fds[1], &octet, 1, 0), -1);
	reply_free(reply);
	stream_close(stream);
	close(fds[1]);
	runtime_run();
}

static int start(void **state)
{
	(void)state;
	runtime_init();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	runtime_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_gives_the_same_wire),
		cmocka_unit_test(nothing_is_sent_before_the_first_octets),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
