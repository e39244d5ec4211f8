#include <stdio.h>
#include <string.h>

#include "proxy/routing/delegate.h"
#include "proxy/verbs/color.h"
#include "proxy/verbs/json.h"
#include "proxy/verbs/query.h"
#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate route [-c FILE] [--json] [--listener NAME]\n"
	"                     [--server-name NAME] [--address IP] LOGIN\n"
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

static void print_route(const struct config *config, struct route_query *query,
	const struct delegate *delegate, struct arena *arena, bool *ret_served)
{
	struct account *account;

	if (delegate)
		printf("%-9s %s, for the mailbox of %s\n", "delegate", delegate->actor,
			delegate->owner);
	account = route(config, query, arena, print_reason, NULL);
	if (account)
		print_account(account, arena);
	else
		printf("%snobody serves %s%s\n", color_on(stdout, COLOR_BAD), query->login,
			color_off(stdout));
	*ret_served = account != NULL;
}

static void imap_json(struct verb_json *json, const struct imap_settings *imap)
{
	static const char *const modes[] = {
		[TLS_NONE] = "none",
		[TLS_STARTTLS] = "starttls",
		[TLS_IMPLICIT] = "implicit",
	};

	verb_json_begin(json, "servers", '[');
	for (size_t i = 0; i < imap->servers.n; i++)
		verb_json_text(json, NULL, imap->servers.items[i]);
	verb_json_end(json, ']');
	verb_json_uint(json, "port", imap->port);
	verb_json_text(json, "tls", modes[imap->tls]);
	if (*imap->master_user)
		verb_json_text(json, "master_user", imap->master_user);
}

static void account_json(struct verb_json *json, const struct account *account, struct arena *arena)
{
	const struct tenant *tenant = account->tenant;
	const char *const pairs[] = { "login", account->login, "user", account->user, "domain",
		account->domain, NULL };

	verb_json_text(json, "login", account->login);
	verb_json_text(json, "tenant", tenant->name);
	verb_json_text(json, "file", tenant->file);
	verb_json_uint(json, "line", tenant->line);
	verb_json_text(json, "store", tenant->store == STORE_IMAP ? "imap" : "maildir");
	if (tenant->store == STORE_IMAP) {
		verb_json_text(json, "user", template_fill(arena, tenant->imap.login, pairs));
		imap_json(json, &tenant->imap);
	} else {
		verb_json_text(json, "path", template_fill(arena, tenant->maildir.path, pairs));
	}
	verb_json_begin(json, "folders", '[');
	verb_json_text(json, NULL, account->folder);
	for (size_t i = 0; i < tenant->maildrop.also.n; i++)
		verb_json_text(json, NULL, tenant->maildrop.also.items[i]);
	verb_json_end(json, ']');
	verb_json_text(json, "password",
		*tenant->auth.users_file    ? "users_file"
		: *tenant->auth.pam_service ? "pam"
					    : "imap");
}

static void reason_json(const struct tenant *tenant, const char *reason, void *arg)
{
	struct verb_json *json = arg;

	verb_json_begin(json, NULL, '{');
	verb_json_text(json, "tenant", tenant ? tenant->name : NULL);
	verb_json_text(json, "reason", reason);
	verb_json_end(json, '}');
}

static void route_json(const struct config *config, struct route_query *query,
	const struct delegate *delegate, struct arena *arena, bool *ret_served)
{
	struct verb_json json = { 0 };
	struct account *account;

	verb_json_begin(&json, NULL, '{');
	if (delegate)
		verb_json_text(&json, "delegate", delegate->actor);
	verb_json_begin(&json, "not", '[');
	account = route(config, query, arena, reason_json, &json);
	verb_json_end(&json, ']');
	verb_json_bool(&json, "served", account != NULL);
	if (account)
		account_json(&json, account, arena);
	else
		verb_json_text(&json, "login", query->login);
	verb_json_end(&json, '}');
	verb_json_done(&json);
	*ret_served = account != NULL;
}

int verb_route(int argc, char **argv)
{
	struct verb_query query;
	enum verb_status status = verb_query_parse(argc, argv, help, &query);
	struct delegate delegate;
	struct arena *arena;
	bool delegated, served;

	if (!query.config)
		return status;
	arena = arena_new();
	delegated = delegate_parse(&query.config->login_name, query.route.login, arena, &delegate);
	if (delegated)
		query.route.login = delegate.owner;
	(query.json ? route_json : print_route)(
		query.config, &query.route, delegated ? &delegate : NULL, arena, &served);
	arena_free(arena);
	config_free(query.config);
	return served ? VERB_DONE : VERB_NO;
}
