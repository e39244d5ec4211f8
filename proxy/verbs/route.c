#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "proxy/routing/routing.h"
#include "proxy/verbs/common.h"
#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate route [-c FILE] [--listener NAME] [--server-name NAME]\n"
	"                     [--address IP] LOGIN\n"
	"\n"
	"Says which tenant and mail store would serve that login, and why the tenants before\n"
	"it would not. Nothing is connected to and no password is asked for.\n"
	"\n"
	"What a connection would show can be given, for tenants that look at it:\n"
	"  -l, --listener NAME     the listener it came to\n"
	"  -s, --server-name NAME  the name that the client asked for in TLS (SNI)\n"
	"  -a, --address IP        the client's address\n"
	"\n" VERB_CONFIG_HELP "  -h, --help              this text\n"
	"\n"
	"Exit status: 0 somebody serves it; 1 nobody does; 2 wrong usage or configuration.\n"
	"\n"
	"Example: popgate route --listener pop3s anna@acme.example\n";

static const struct option options[] = {
	{"config",           required_argument, NULL, 'c' },
	{ "listener",              required_argument, NULL, 'l' },
	{ "server-name",                 required_argument, NULL, 's' },
	{ "address",required_argument, NULL, 'a' },
	{ "help",               no_argument, NULL, 'h' },
	{ 0    },
};

static const char *mode_name(enum tls_mode mode)
{
	return mode == TLS_NONE ? "in clear" : mode == TLS_STARTTLS ? "STARTTLS" : "TLS";
}

static void print_line(const char *name, const char *value)
{
	printf("%-9s %s\n", name, value);
}

static void print_imap(const struct account *account, const char *login)
{
	const struct imap_settings *imap = &account->tenant->imap;

	printf("%-9s imap:", "store");
	for (size_t i = 0; i < imap->servers.n; i++) {
		const char *host = imap->servers.items[i];
		bool brackets = strchr(host, ':') != NULL;

		printf("%s%s%s%s:%u", i > 0 ? ", then " : " ", brackets ? "[" : "", host,
			brackets ? "]" : "", imap->port);
	}
	printf(" (%s)\n", mode_name(imap->tls));
	print_line("user", login);
	if (*imap->master_user)
		print_line("master", imap->master_user);
}

static void print_maildir(const struct account *account, const char *path)
{
	bool fs = account->tenant->maildir.folder_layout == LAYOUT_FS;

	printf("%-9s maildir: %s (%s)\n", "store", path, fs ? "fs" : "maildir++");
}

static void print_account(const struct account *account, struct arena *arena)
{
	const struct tenant *tenant = account->tenant;
	const char *const pairs[] = { "login", account->login, "user", account->user, "domain",
		account->domain, NULL };

	print_line("login", account->login);
	printf("%-9s %s (%s:%u)\n", "tenant", tenant->name, tenant->file, tenant->line);
	if (tenant->store == STORE_IMAP)
		print_imap(account, template_fill(arena, tenant->imap.login, pairs));
	else
		print_maildir(account, template_fill(arena, tenant->maildir.path, pairs));
	print_line("folder", account->folder);
	for (size_t i = 0; i < tenant->maildrop.also.n; i++)
		print_line("also", tenant->maildrop.also.items[i]);
	print_line("password", *tenant->auth.users_file    ? tenant->auth.users_file
			       : *tenant->auth.pam_service ? "PAM"
							   : "checked by the IMAP server");
}

static void print_reason(const struct tenant *tenant, const char *reason, void *arg)
{
	(void)arg;
	printf("%-9s %s: %s\n", "not", tenant ? tenant->name : "any tenant", reason);
}

static bool is_listener(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_listeners; i++) {
		if (strcmp(config->listeners[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool is_address(const char *text)
{
	struct in6_addr any;

	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static int run(const char *file, const struct route_query *query)
{
	struct config *config = verb_load(verb_config_file(file), false);
	struct arena *arena;
	struct account *account;

	if (!config)
		return VERB_USAGE;
	if (*query->listener && !is_listener(config, query->listener)) {
		config_free(config);
		return verb_usage("route", "there is no listener '%s'", query->listener);
	}
	arena = arena_new();
	account = route(config, query, arena, print_reason, NULL);
	if (account)
		print_account(account, arena);
	else
		printf("nobody serves %s\n", query->login);
	arena_free(arena);
	config_free(config);
	return account ? VERB_DONE : VERB_NO;
}

int verb_route(int argc, char **argv)
{
	struct route_query query = {
		.login = "", .listener = "", .server_name = "", .address = ""
	};
	const char *file = NULL;
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "c:l:s:a:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'l':
			query.listener = optarg;
			break;
		case 's':
			query.server_name = optarg;
			break;
		case 'a':
			query.address = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return VERB_USAGE;
		}
	}
	if (argc - optind != 1)
		return verb_usage("route", "expected one login");
	if (*query.address && !is_address(query.address))
		return verb_usage("route", "'%s' is no address", query.address);
	query.login = argv[optind];
	return run(file, &query);
}
