#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proxy/admin/client.h"
#include "proxy/runtime/utf8.h"
#include "proxy/verbs/common.h"
#include "proxy/verbs/verbs.h"

/* How long a session gets to end before --close says that it has not, in steps of a tenth of a
 * second. */
#define CLOSING_STEPS 50

static const char help[] =
	"Usage: popgate who [-c FILE] [--json] [--close ID]\n"
	"\n"
	"Lists the live sessions of the gateway that runs on this machine with this\n"
	"configuration, the oldest first. ID is the session's name in the log.\n"
	"\n"
	"  -j, --json              as JSON, the octets and seconds as numbers\n"
	"  -x, --close ID          ends that session: the client gets -ERR, nothing is deleted.\n"
	"                          Only over admin.socket, so by who may write to it\n"
	"\n" VERB_CONFIG_HELP "  -h, --help              this text\n"
	"\n"
	"Exit status: 0 done; 1 no gateway answers, or there is no such session; 2 wrong\n"
	"usage or configuration.\n"
	"\n"
	"Example: popgate who --close 5d21c3f0-1a\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "close", required_argument, NULL, 'x' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int complain(struct err e)
{
	(void)fprintf(stderr, "popgate: %s\n", e.detail);
	return e.scope == ERR_INVALID ? VERB_USAGE : VERB_NO;
}

/* The first line of what the gateway says instead. */
static int complain_answer(const struct client_answer *answer)
{
	(void)fprintf(stderr, "popgate: %.*s\n", (int)strcspn(answer->body, "\r\n"), answer->body);
	return VERB_NO;
}

static void show_age(uint64_t seconds, char text[24])
{
	if (seconds >= 3600)
		(void)snprintf(
			text, 24, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		(void)snprintf(text, 24, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60, seconds % 60);
	else
		(void)snprintf(text, 24, "%" PRIu64 "s", seconds);
}

/* A login is anybody's text; a terminal must not obey it. */
static void print_text(const char *text, int width)
{
	size_t n = strlen(text);
	int shown = 0;

	for (size_t i = 0; i < n; shown++) {
		uint32_t c = 0;
		size_t length = utf8_decode(text + i, n - i, &c);

		if (length == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f) ||
			(c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
			(c >= 0x2066 && c <= 0x2069))
			putchar('?');
		else
			printf("%.*s", (int)length, text + i);
		i += length ? length : 1;
	}
	printf("%*s  ", shown < width ? width - shown : 0, "");
}

static int widest(const struct client_session *sessions, size_t n, size_t offset, const char *title)
{
	size_t most = strlen(title);

	for (size_t i = 0; i < n; i++) {
		const char *text;

		memcpy(&text, (const char *)&sessions[i] + offset, sizeof(text));
		if (strlen(text) > most)
			most = strlen(text);
	}
	return (int)most;
}

static void print_sessions(const struct client_session *sessions, size_t n)
{
#define WIDTH(member, title) widest(sessions, n, offsetof(struct client_session, member), (title))
	int id = WIDTH(id, "ID"), login = WIDTH(login, "LOGIN"), tenant = WIDTH(tenant, "TENANT");
	int address = WIDTH(address, "ADDRESS"), state = WIDTH(state, "STATE");
#undef WIDTH

	printf("%-*s  %-*s  %-*s  %-*s  %-*s  %7s  %12s  %12s\n", id, "ID", login, "LOGIN", tenant,
		"TENANT", address, "ADDRESS", state, "STATE", "AGE", "RECEIVED", "SENT");
	for (size_t i = 0; i < n; i++) {
		const struct client_session *s = &sessions[i];
		char age[24];

		show_age(s->age, age);
		printf("%-*s  ", id, s->id);
		print_text(*s->login ? s->login : "-", login);
		print_text(*s->tenant ? s->tenant : "-", tenant);
		printf("%-*s  %-*s  %7s  %12" PRIu64 "  %12" PRIu64 "\n", address, s->address,
			state, s->state, age, s->received, s->sent);
	}
}

static int list(const struct config *config, bool json)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct client_answer answer = { 0 };
	struct client_session *sessions;
	size_t n;
	struct err e = client_ask(config, CLIENT_ANY, "GET", "/api/sessions", &answer);
	int status = VERB_DONE;

	if (failed(e))
		return complain(e);
	if (answer.status != 200) {
		status = complain_answer(&answer);
	} else if (json) {
		fputs(answer.body, stdout);
	} else {
		e = client_sessions(answer.body, arena, &sessions, &n);
		if (failed(e))
			status = complain(e);
		else if (n == 0)
			puts("no sessions");
		else
			print_sessions(sessions, n);
	}
	free(answer.body);
	return status;
}

static bool is_live(const struct config *config, const char *id)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct client_answer answer = { 0 };
	struct client_session *sessions;
	bool live = false;
	size_t n = 0;
	struct err e = client_ask(config, CLIENT_SOCKET, "GET", "/api/sessions", &answer);

	if (!failed(e))
		e = client_sessions(answer.body, arena, &sessions, &n);
	for (size_t i = 0; i < n && !failed(e); i++)
		live |= strcmp(sessions[i].id, id) == 0;
	free(answer.body);
	return live;
}

static int wait_for_end(const struct config *config, const char *id)
{
	const struct timespec step = { .tv_nsec = 100000000 };

	for (int i = 0; i < CLOSING_STEPS; i++) {
		if (!is_live(config, id)) {
			printf("%s: closed\n", id);
			return VERB_DONE;
		}
		(void)nanosleep(&step, NULL);
	}
	(void)fprintf(stderr, "popgate: %s was told to end, and has not yet\n", id);
	return VERB_NO;
}

static int close_session(const struct config *config, const char *id)
{
	struct client_answer answer = { 0 };
	char *path;
	struct err e;
	int status;

	if (strspn(id, "0123456789abcdef-") != strlen(id) || !*id)
		return verb_usage("who", "'%s' is no ID of a session", id);
	path = mem_printf("/api/sessions/%s/close", id);
	e = client_ask(config, CLIENT_SOCKET, "POST", path, &answer);
	free(path);
	if (failed(e))
		return complain(e);
	status = answer.status == 202 ? wait_for_end(config, id) : complain_answer(&answer);
	free(answer.body);
	return status;
}

int verb_who(int argc, char **argv)
{
	const char *file = NULL, *id = NULL;
	struct config *config;
	bool json = false;
	int option, status;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:jx:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'x':
			id = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return verb_wrong_option("who", argv);
		}
	}
	if (optind < argc)
		return verb_usage("who", "unexpected argument '%s'", argv[optind]);
	config = verb_load(verb_config_file(file), false);
	if (!config)
		return VERB_USAGE;
	status = id ? close_session(config, id) : list(config, json);
	config_free(config);
	return status;
}
