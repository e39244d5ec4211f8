/*
 * load - closed-loop POP3 load: N connections, each does one session after another, M in all.
 *
 *	load --port 1110 --user u%lu@x --password p --work poll --connections 8 --sessions 500
 *
 * hold: logs in, stays for --hold seconds once all do; --ramp N: only N logins at a time.
 * stall: the same, in the middle of a RETR of which it takes a little.
 * --seconds N: no session begins later; --pause MS: after each session, so that the load does not
 * fill the machine; --resume: TLS sessions are resumed; --behind PID: another tree whose CPU is
 * shown apart (the IMAP server behind a gateway).
 * Prints sessions per second, percentiles of a session's time, and the CPU that the server's
 * process tree (--pid) spent per session. Built on popgate's own runtime: each connection is a
 * fiber.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/runtime/line.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"
#include "tests/bench/process.h"

#define STALL_OCTETS 4096

static struct options {
	const char *host, *user, *password, *work, *tls;
	unsigned long port, connections, sessions, users, hold_seconds, ramp, seconds, pause_ms;
	long pid, behind;
	bool json, resume;
} opt = { .host = "127.0.0.1",
	.user = "user",
	.password = "password",
	.work = "poll",
	.tls = "none",
	.port = 110,
	.connections = 8,
	.sessions = 200,
	.users = 1,
	.hold_seconds = 5 };

static struct {
	struct tls_context *tls;
	unsigned long started, done, failures, held, waiting;
	double *ms; /* of each session done */
	uint64_t octets, began;
	struct process_cost held_cost;
} run;

struct client {
	struct stream *stream;
	struct line_reader *in;
	struct line line;
};

fiber_fn static bool say(struct client *c, const char *text)
{
	struct err e = stream_write(c->stream, text, strlen(text));

	return !failed(e);
}

/* One response line; whether it is positive. */
fiber_fn static bool hear(struct client *c)
{
	struct err e = line_read(c->in, 65536, &c->line);

	if (failed(e))
		return false;
	run.octets += c->line.length + 2;
	return strncmp(c->line.text, "+OK", 3) == 0;
}

fiber_fn static bool hear_all(struct client *c)
{
	if (!hear(c))
		return false;
	for (;;) {
		struct err e = line_read(c->in, 1 << 24, &c->line);

		if (failed(e))
			return false;
		run.octets += c->line.length + 2;
		if (c->line.length == 1 && c->line.text[0] == '.')
			return true;
	}
}

fiber_fn static bool ask(struct client *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
fiber_fn static bool ask(struct client *c, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return say(c, text) && hear(c);
}

fiber_fn static bool begin(struct client *c, unsigned long number)
{
	char user[256];
	bool implicit = strcmp(opt.tls, "implicit") == 0, stls = strcmp(opt.tls, "stls") == 0;
	const char *name = opt.resume ? "localhost" : NULL; /* sessions are kept by name */

	if (failed(stream_connect(opt.host, (uint16_t)opt.port, &c->stream)))
		return false;
	if (implicit && failed(stream_tls_connect(c->stream, run.tls, name)))
		return false;
	c->in = line_reader_new(c->stream);
	if (!hear(c))
		return false;
	if (stls && (!ask(c, "STLS\r\n") || failed(stream_tls_connect(c->stream, run.tls, name))))
		return false;
		/* --user may hold one %lu: the number of the user, 1 to --users. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(user, sizeof(user), opt.user, number % opt.users + 1);
#pragma GCC diagnostic pop
	return ask(c, "USER %s\r\n", user) && ask(c, "PASS %s\r\n", opt.password);
}

fiber_fn static bool each_message(struct client *c, const char *format)
{
	unsigned long messages;

	if (!ask(c, "STAT\r\n") || sscanf(c->line.text, "+OK %lu", &messages) != 1)
		return false;
	for (unsigned long n = 1; n <= messages; n++) {
		char text[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), format, n);
#pragma GCC diagnostic pop
		if (!say(c, text) || !hear_all(c))
			return false;
	}
	return true;
}

fiber_fn static bool hold(struct client *c)
{
	(void)c;
	run.waiting--;
	if (++run.held == opt.connections) {
		fprintf(stderr, "%lu held\n", run.held);
		(void)wait_sleep(opt.hold_seconds * 1000);
		run.held_cost = process_tree_cost((pid_t)opt.pid);
	}
	while (run.held < opt.connections || run.held_cost.processes == 0)
		if (failed(wait_sleep(100)))
			return false;
	return true;
}

/* Takes the begin of a large message and no more; the server has to wait. */
fiber_fn static bool stall(struct client *c)
{
	char *taken = mem_alloc(STALL_OCTETS);
	size_t n;
	bool good = say(c, "RETR 1\r\n");

	for (int i = 0; good && i < 8; i++)
		good = !failed(stream_read(c->stream, taken, STALL_OCTETS, &n)) && n > 0 &&
		       !failed(wait_sleep(20));
	free(taken);
	return good && hold(c);
}

fiber_fn static bool work(struct client *c)
{
	if (strcmp(opt.work, "poll") == 0)
		return ask(c, "STAT\r\n") && say(c, "UIDL\r\n") && hear_all(c);
	if (strcmp(opt.work, "list") == 0)
		return say(c, "LIST\r\n") && hear_all(c);
	if (strcmp(opt.work, "retr") == 0)
		return each_message(c, "RETR %lu\r\n");
	if (strcmp(opt.work, "top") == 0)
		return each_message(c, "TOP %lu 0\r\n");
	if (strcmp(opt.work, "stall") == 0)
		return stall(c);
	if (strcmp(opt.work, "hold") == 0)
		return hold(c);
	return true; /* login */
}

static bool is_over(void)
{
	return opt.seconds && uv_hrtime() - run.began > opt.seconds * UINT64_C(1000000000);
}

fiber_fn static void connection(void *arg)
{
	(void)arg;
	while (run.started < opt.sessions && !is_over()) {
		struct client c = { 0 };
		unsigned long number;
		uint64_t start;
		bool good;

		/* Not all at once: a held session makes room for the next. */
		while (opt.ramp && run.waiting >= opt.ramp)
			if (failed(wait_sleep(1)))
				return;
		run.waiting++;
		number = run.started++;
		start = uv_hrtime();
		good = begin(&c, number) && work(&c) &&
		       (strcmp(opt.work, "stall") == 0 || ask(&c, "QUIT\r\n"));

		if (good)
			run.ms[run.done++] = (double)(uv_hrtime() - start) / 1e6;
		else if (++run.failures <= 3)
			fprintf(stderr, "load: session %lu failed: %s\n", number,
				c.line.text ? c.line.text : "no connection");
		line_reader_free(c.in);
		stream_close(c.stream);
		if (opt.pause_ms && failed(wait_sleep(opt.pause_ms)))
			return;
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(double p)
{
	return run.done ? run.ms[(size_t)(p * (double)(run.done - 1))] : 0;
}

static void report(double seconds, double cpu_ms, double behind_ms)
{
	const char *format = opt.json ? "{\"work\":\"%s\",\"tls\":\"%s\",\"sessions\":%lu,"
					"\"failures\":%lu,\"per_second\":%.1f,"
					"\"cpu_ms\":%.4f,\"behind_cpu_ms\":%.4f,\"p50_ms\":%.3f,"
					"\"p90_ms\":%.3f,\"p99_"
					"ms\":%.3f,\"mib_per_second\":%.1f,"
					"\"held_pss_kib\":%.1f}\n"
				      : "%s tls=%s sessions=%lu failures=%lu  %.1f/s  cpu %.4f "
					"ms/session (behind %.4f)  p50 %.3f  p90 %.3f  "
					"p99 %.3f ms  %.1f MiB/s  held %.1f KiB/session\n";
	double n = run.done ? (double)run.done : 1;

	qsort(run.ms, run.done, sizeof(*run.ms), ascending);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	printf(format, opt.work, opt.tls, run.done, run.failures, (double)run.done / seconds,
		cpu_ms / n, behind_ms / n, percentile(0.5), percentile(0.9), percentile(0.99),
		(double)run.octets / seconds / 1048576,
		run.held_cost.pss_kib / (double)opt.connections);
#pragma GCC diagnostic pop
}

static const struct option long_options[] = { { "host", required_argument, NULL, 'h' },
	{ "port", required_argument, NULL, 'p' }, { "user", required_argument, NULL, 'u' },
	{ "password", required_argument, NULL, 'w' }, { "work", required_argument, NULL, 'k' },
	{ "tls", required_argument, NULL, 't' }, { "connections", required_argument, NULL, 'c' },
	{ "sessions", required_argument, NULL, 's' }, { "users", required_argument, NULL, 'n' },
	{ "hold", required_argument, NULL, 'o' }, { "pid", required_argument, NULL, 'i' },
	{ "behind", required_argument, NULL, 'b' }, { "ramp", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 'd' }, { "pause", required_argument, NULL, 'e' },
	{ "json", no_argument, NULL, 'j' }, { "resume", no_argument, NULL, 'v' }, { 0 } };

static bool parse_options(int argc, char **argv)
{
	int o;

	while ((o = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (o) {
		case 'h':
			opt.host = optarg;
			break;
		case 'p':
			opt.port = strtoul(optarg, NULL, 10);
			break;
		case 'u':
			opt.user = optarg;
			break;
		case 'w':
			opt.password = optarg;
			break;
		case 'k':
			opt.work = optarg;
			break;
		case 't':
			opt.tls = optarg;
			break;
		case 'c':
			opt.connections = strtoul(optarg, NULL, 10);
			break;
		case 's':
			opt.sessions = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			opt.users = strtoul(optarg, NULL, 10);
			break;
		case 'o':
			opt.hold_seconds = strtoul(optarg, NULL, 10);
			break;
		case 'i':
			opt.pid = strtol(optarg, NULL, 10);
			break;
		case 'b':
			opt.behind = strtol(optarg, NULL, 10);
			break;
		case 'r':
			opt.ramp = strtoul(optarg, NULL, 10);
			break;
		case 'd':
			opt.seconds = strtoul(optarg, NULL, 10);
			break;
		case 'e':
			opt.pause_ms = strtoul(optarg, NULL, 10);
			break;
		case 'j':
			opt.json = true;
			break;
		case 'v':
			opt.resume = true;
			break;
		default:
			return false;
		}
	}
	if (strcmp(opt.work, "hold") == 0 || strcmp(opt.work, "stall") == 0)
		opt.sessions = opt.connections;
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct process_cost before, after, behind_before, behind_after;
	uint64_t start;

	if (!parse_options(argc, argv))
		return 2;
	runtime_init();
	if (failed(tls_client_new(NULL, false, NULL, NULL, &run.tls)))
		return 1;
	run.ms = mem_zalloc(opt.sessions + 1, sizeof(*run.ms));
	before = process_tree_cost((pid_t)opt.pid);
	behind_before = process_tree_cost((pid_t)opt.behind);
	start = run.began = uv_hrtime();
	for (unsigned long i = 0; i < opt.connections; i++)
		fiber_spawn("client", connection, NULL);
	runtime_run();
	after = process_tree_cost((pid_t)opt.pid);
	behind_after = process_tree_cost((pid_t)opt.behind);
	report((double)(uv_hrtime() - start) / 1e9, after.cpu_ms - before.cpu_ms,
		behind_after.cpu_ms - behind_before.cpu_ms);
	tls_context_free(run.tls);
	free(run.ms);
	runtime_close();
	return run.failures ? 1 : 0;
}
