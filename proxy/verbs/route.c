#include <stdio.h>
#include <string.h>

#include "proxy/routing/delegate.h"
#include "proxy/verbs/query.h"
#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate route [-c FILE] [--listener NAME] [--server-name NAME]\n"
	"                     [--address IP] LOGIN\n"
	"\n"
	"Says which tenant and mail store would serve that login, and why the tenants before\n"
	"it would not. Nothing is connected to and no password is asked for.\n"
	"\n" VERB_QUERY_HELP "\n"
	"Exit status: 0 somebody serves it; 1 nobody does; 2 wrong usage or configuration.\n"
	"\n"
	"Example: popgate route --listener pop3s anna@acme.example\n";

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

int verb_route(int argc, char **argv)
{
	struct verb_query query;
	enum verb_status status = verb_query_parse(argc, argv, help, &query);
	struct delegate delegate;
	struct arena *arena;
	struct account *account;

	if (!query.config)
		return status;
	arena = arena_new();
	if (delegate_parse(&query.config->login_name, query.route.login, arena, &delegate)) {
		printf("%-9s %s, for the mailbox of %s\n", "delegate", delegate.actor,
			delegate.owner);
		query.route.login = delegate.owner;
	}
	account = route(query.config, &query.route, arena, print_reason, NULL);
	if (account)
		print_account(account, arena);
	else
		printf("nobody serves %s\n", query.route.login);
	arena_free(arena);
	config_free(query.config);
	return account ? VERB_DONE : VERB_NO;
}
