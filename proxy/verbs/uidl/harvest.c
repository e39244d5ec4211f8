#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/address.h"
#include "proxy/adoption/harvest.h"
#include "proxy/login/password_input.h"
#include "proxy/verbs/uidl/uidl.h"

#define POP3_PORT    110
#define POP3S_PORT   995
#define JOBS_DEFAULT 4
#define JOBS_MAX     100
#define TIMEOUT      120000 /* ms; an old server may have to read a large mailbox first */

#define PROGRESS_PERIOD 200 /* ms */

static const char help[] =
	"Usage: popgate uidl harvest --server HOST[:PORT] [--tls implicit|starttls|none]\n"
	"                            [--ca-file FILE] [--jobs N] --output FILE\n"
	"                            --users FILE | LOGIN\n"
	"\n"
	"Logs in to an old POP3 server as each of the users and writes down the unique-ids that\n"
	"it gives, with what tells the messages apart: their octets and a fingerprint of their\n"
	"headers (TOP; a server without it: the octets alone). popgate uidl import, or the key\n"
	"uidl.adopt_file, makes this gateway give the same ids.\n"
	"\n"
	"Nothing is changed at the old server: messages are neither fetched nor deleted, and the\n"
	"connection ends without QUIT. Run again with the same output it goes on where it\n"
	"stopped; users that are in the file already are passed over.\n"
	"\n"
	"  -u, --users FILE        a user per line: login, a tab, password; and, where the user\n"
	"                          has another login here, a tab and that. Only its owner may be\n"
	"                          able to read the file (mode 600)\n"
	"  LOGIN                   one user; the password is read from standard input\n"
	"  -S, --server HOST       port 995, or 110 without --tls implicit, unless :PORT is given\n"
	"  -t, --tls MODE          implicit (the default), starttls (STLS), or none\n"
	"  -C, --ca-file FILE      PEM file of authorities to trust instead of the system's\n"
	"  -J, --jobs N            users at a time, 1 to 100; 4 if not given\n"
	"  -O, --output FILE       where to write; appended to\n"
	"  -h, --help              this text\n"
	"\n"
	"Exit status: 0 all users are in the file; 1 not all; 2 wrong usage, or a file that\n"
	"cannot be used.\n"
	"\n"
	"Example: popgate uidl harvest -S pop.old.example -u users.tsv -O harvest.tsv\n";

struct harvesting {
	struct harvest harvest; /* first */
	struct pop3_server server;
	char *host;
	bool terminal, told_top;
};

static void clear_progress(const struct harvesting *h)
{
	if (h->terminal)
		fputs("\r\033[K", stderr);
}

static void on_progress(uv_timer_t *timer)
{
	const struct harvesting *h = timer->data;

	fprintf(stderr, "\r%zu of %zu users, %zu failed, %zu messages",
		h->harvest.n_read + h->harvest.n_before, h->harvest.users->n, h->harvest.n_failed,
		h->harvest.n_messages);
}

static void report_user(struct harvest *harvest, const struct harvest_user *user, struct err e,
	const struct pop3_maildrop *maildrop, size_t n)
{
	struct harvesting *h = (struct harvesting *)harvest;
	FILE *out = failed(e) ? stderr : stdout;

	clear_progress(h);
	if (!failed(e) && n && !maildrop->has_headers && !h->told_top) {
		fprintf(stderr, "popgate uidl harvest: the server has no TOP: messages will be "
				"told apart by their octets alone\n");
		h->told_top = true;
	}
	verb_print_text(out, user->login);
	if (failed(e)) {
		fputs(": ", out);
		verb_print_text(out, e.detail);
	} else {
		fprintf(out, ": %zu messages", n);
		if (n < maildrop->n)
			fprintf(out, ", %zu more without an id", maildrop->n - n);
	}
	fputc('\n', out);
	fflush(out);
}

static void harvest_with_progress(struct harvesting *h)
{
	uv_timer_t timer;

	(void)uv_timer_init(runtime_loop(), &timer);
	timer.data = h;
	if (h->terminal)
		(void)uv_timer_start(&timer, on_progress, PROGRESS_PERIOD, PROGRESS_PERIOD);
	uv_unref((uv_handle_t *)&timer);
	harvest_start(&h->harvest);
	runtime_run();
	uv_close((uv_handle_t *)&timer, NULL);
	runtime_run();
	clear_progress(h);
}

static enum verb_status summarize(const struct harvesting *h)
{
	const struct harvest *harvest = &h->harvest;
	size_t left = harvest->users->n - harvest->n_read - harvest->n_before;

	if (failed(harvest->stop)) {
		fprintf(stderr, "popgate uidl harvest: stopped: ");
		verb_print_text(stderr, harvest->stop.detail);
		fputc('\n', stderr);
	}
	printf("%zu users harvested", harvest->n_read);
	if (harvest->n_before)
		printf(", %zu before", harvest->n_before);
	printf(", %zu left\n", left);
	return left ? VERB_NO : VERB_DONE;
}

/* "host", "host:port", "[::1]:port"; *ret is the caller's to free. */
static bool parse_server(const char *text, char **ret, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);
	const char *close = *text == '[' ? strchr(text, ']') : NULL;
	unsigned long port;
	char *rest;

	if (*text == '[' && (!close || (close[1] != '\0' && close[1] != ':')))
		return false;
	if (close)
		colon = close[1] ? close + 1 : NULL;
	else if (colon && strchr(text, ':') != colon)
		colon = NULL; /* an address of IPv6 */
	if (colon) {
		port = strtoul(colon + 1, &rest, 10);
		if (colon[1] < '0' || colon[1] > '9' || *rest || port < 1 || port > UINT16_MAX)
			return false;
		*ret_port = (uint16_t)port;
		end = colon;
	}
	if (close) {
		text++;
		end = close;
	}
	if (end == text)
		return false;
	*ret = mem_printf("%.*s", (int)(end - text), text);
	return true;
}

static bool parse_tls(const char *text, enum tls_mode *ret)
{
	static const char *const names[] = {
		[TLS_NONE] = "none",
		[TLS_STARTTLS] = "starttls",
		[TLS_IMPLICIT] = "implicit",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], text) == 0) {
			*ret = (enum tls_mode)i;
			return true;
		}
	}
	return false;
}

static bool parse_jobs(const char *text, unsigned *ret)
{
	unsigned long n;
	char *end;

	n = strtoul(text, &end, 10);
	*ret = (unsigned)n;
	return *text >= '0' && *text <= '9' && !*end && n >= 1 && n <= JOBS_MAX;
}

/* What the options say. VERB_DONE: all is well. */
static enum verb_status prepare(const struct uidl_options *o, struct harvesting *h)
{
	if (!o->server)
		return uidl_usage("harvest", "name the old server: --server HOST");
	if (!o->output)
		return uidl_usage("harvest", "name the file to write: --output FILE");
	if ((o->users != NULL) == (o->argument != NULL))
		return uidl_usage("harvest", "expected --users FILE, or one login");
	h->server.tls = TLS_IMPLICIT;
	if (o->tls && !parse_tls(o->tls, &h->server.tls))
		return uidl_usage("harvest", "--tls must be implicit, starttls or none");
	h->server.port = h->server.tls == TLS_IMPLICIT ? POP3S_PORT : POP3_PORT;
	if (!parse_server(o->server, &h->host, &h->server.port))
		return uidl_usage("harvest", "'%s' is no server", o->server);
	h->harvest.jobs = JOBS_DEFAULT;
	if (o->jobs && !parse_jobs(o->jobs, &h->harvest.jobs))
		return uidl_usage("harvest", "--jobs must be from 1 to %d", JOBS_MAX);
	h->server.host = h->host;
	h->server.timeout = TIMEOUT;
	if (h->server.tls == TLS_NONE && !host_is_loopback(h->host))
		fprintf(stderr, "popgate uidl harvest: warning: passwords travel in clear to %s\n",
			h->host);
	return VERB_DONE;
}

static struct err read_users(const struct uidl_options *o, struct harvest_users **ret)
{
	struct secret *password = NULL;
	struct err e;

	if (o->users)
		return harvest_users_read(o->users, ret);
	e = password_input("Password", false, &password);
	if (!failed(e))
		*ret = harvest_users_one(o->argument, password);
	return e;
}

static struct err open_all(const struct uidl_options *o, struct harvesting *h)
{
	struct err e = ok();

	if (h->server.tls != TLS_NONE)
		e = tls_client_new(o->ca_file, true, NULL, NULL, &h->server.context);
	if (!failed(e))
		e = read_users(o, &h->harvest.users);
	if (!failed(e))
		e = harvest_file_open(o->output, h->harvest.users, &h->harvest.file);
	return e;
}

static enum verb_status harvest(const struct uidl_options *o, struct harvesting *h)
{
	enum verb_status status = VERB_USAGE;
	struct err e = open_all(o, h);

	if (failed(e)) {
		fprintf(stderr, "popgate uidl harvest: %s\n", e.detail);
	} else {
		h->harvest.server = &h->server;
		h->harvest.report = report_user;
		h->terminal = isatty(STDERR_FILENO) == 1;
		runtime_init();
		harvest_with_progress(h);
		runtime_close();
		status = summarize(h);
	}
	harvest_file_close(h->harvest.file);
	harvest_users_free(h->harvest.users);
	tls_context_free(h->server.context);
	return status;
}

int uidl_harvest(int argc, char **argv)
{
	struct harvesting h = { 0 };
	struct uidl_options options;
	enum verb_status status;

	if (!uidl_parse(argc, argv, "StCuOJ", help, &options, &status))
		return status;
	status = prepare(&options, &h);
	if (status == VERB_DONE)
		status = harvest(&options, &h);
	free(h.host);
	return status;
}
