#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "config/address.h"
#include "proxy/verbs/common.h"
#include "proxy/verbs/verbs.h"

/* A gateway that does not answer within so many seconds is not well. */
#define PATIENCE   5
#define ANSWER_MAX 1024

static const char help[] =
	"Usage: popgate health [-c FILE] [--ready]\n"
	"\n"
	"Asks the gateway that runs on this machine with this configuration, at admin.listen,\n"
	"whether it lives (/healthz), and prints its answer. For health checks of containers.\n"
	"\n"
	"  -r, --ready             asks whether it wants new sessions (/readyz): no while it\n"
	"                          drains, or without its registry\n" VERB_CONFIG_HELP
	"  -h, --help              this text\n"
	"\n"
	"Exit status: 0 yes; 1 no, or no answer; 2 usage or configuration.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "ready", no_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Where it is reached from here, when it listens on every address. */
static void prefer_loopback(struct listen_address *at)
{
	struct sockaddr_in *v4 = (void *)&at->address;
	struct sockaddr_in6 *v6 = (void *)&at->address;

	if (at->address.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (at->address.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		v6->sin6_addr = in6addr_loopback;
}

static int connect_to(const struct listen_address *at)
{
	struct timeval patience = { .tv_sec = PATIENCE };
	int fd = socket(at->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&at->address, at->length) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* The answer to one request, cut to its room; false: errno says why there is none. */
static bool ask(int fd, const char *path, char answer[ANSWER_MAX])
{
	char request[128];
	int length = snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
	size_t got = 0;
	ssize_t n;

	if (write(fd, request, (size_t)length) != length)
		return false;
	while (got < ANSWER_MAX - 1 && (n = read(fd, answer + got, ANSWER_MAX - 1 - got)) != 0) {
		if (n < 0)
			return false;
		got += (size_t)n;
	}
	answer[got] = '\0';
	return true;
}

/* Prints what stands behind the header, or the status line where there is nothing. */
static int judge(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	size_t length;
	bool well = strncmp(answer, "HTTP/1.1 200", 12) == 0;

	body = body && body[4] ? body + 4 : answer;
	length = strcspn(body, "\r\n");
	fprintf(well ? stdout : stderr, "%.*s\n", (int)length, body);
	return well ? VERB_DONE : VERB_NO;
}

static int ask_at(const char *listen, const char *path)
{
	struct listen_address at;
	char answer[ANSWER_MAX];
	bool answered;
	int fd;

	if (!*listen || !listen_address_parse(listen, &at)) {
		fprintf(stderr, "popgate: admin.listen is empty: there is nobody to ask\n");
		return VERB_USAGE;
	}
	prefer_loopback(&at);
	fd = connect_to(&at);
	answered = fd >= 0 && ask(fd, path, answer);
	if (!answered)
		fprintf(stderr, "popgate: no answer at %s: %s\n", listen, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return answered ? judge(answer) : VERB_NO;
}

int verb_health(int argc, char **argv)
{
	const char *file = NULL, *path = "/healthz";
	struct config *config;
	int option, status;

	optind = 1;
	while ((option = getopt_long(argc, argv, "c:rh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'r':
			path = "/readyz";
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return VERB_USAGE;
		}
	}
	if (optind < argc)
		return verb_usage("health", "unexpected argument '%s'", argv[optind]);
	config = verb_load(verb_config_file(file), false);
	if (!config)
		return VERB_USAGE;
	status = ask_at(config->admin_listen, path);
	config_free(config);
	return status;
}
