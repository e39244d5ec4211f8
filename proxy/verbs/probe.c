#include <stdio.h>
#include <string.h>

#include "proxy/entry/entry.h"
#include "proxy/login/password_input.h"
#include "proxy/pop3/reply.h"
#include "proxy/verbs/query.h"
#include "proxy/verbs/verbs.h"

/* A maildrop may hold a million messages; this many at each end tell enough. */
#define SHOWN 5

static const char help[] =
	"Usage: popgate probe [-c FILE] [--listener NAME] [--server-name NAME]\n"
	"                     [--address IP] LOGIN\n"
	"\n"
	"Logs in to the mail store as a session of that login would, lists the maildrop, and\n"
	"prints each step with its time. The password is read from standard input. Nothing is\n"
	"changed, and the running gateway is not asked.\n"
	"\n" VERB_QUERY_HELP "\n"
	"Exit status: 0 the maildrop opened; 1 it did not; 2 wrong usage or configuration.\n"
	"\n"
	"Example: popgate probe anna@acme.example <password.txt\n";

struct probe {
	const struct config *config;
	struct entry_request request;
	struct credentials credentials;
	struct registry *registry;
	enum verb_status status;
};

static void print_step(const char *step, uint64_t start, const char *text)
{
	printf("%-9s %-58s %9.1f ms\n", step, text, (double)(uv_hrtime() - start) / 1e6);
}

static void print_failure(const char *step, uint64_t start, struct err e)
{
	print_step(step, start, "failed");
	printf("%-9s %s: %s\n", "why", err_scope_name(e.scope), e.detail);
	printf("%-9s -ERR %s\n", "client", reply_text_for(e.scope));
}

static void print_messages(const struct maildrop *drop)
{
	size_t n = maildrop_count(drop);

	if (n)
		printf("\n%9s %14s  %s\n", "message", "octets", "unique-id");
	for (size_t i = 1; i <= n; i++) {
		if (n > 2 * SHOWN + 1 && i == SHOWN + 1) {
			printf("%9s %14s  (%zu more)\n", "…", "…", n - (size_t)2 * SHOWN);
			i = n - SHOWN + 1;
		}
		printf("%9zu %14llu  %s\n", i, (unsigned long long)maildrop_size(drop, i),
			maildrop_unique_id(drop, i));
	}
}

static void print_quota(const struct backend_quota *quota)
{
	printf("%-9s ", "quota");
	if (!quota_known(quota)) {
		puts("none that the store tells of");
		return;
	}
	printf("%llu%% used", (unsigned long long)quota_percent(quota));
	if (quota->limit_octets)
		printf(", %llu of %llu octets", (unsigned long long)quota->used_octets,
			(unsigned long long)quota->limit_octets);
	if (quota->limit_messages)
		printf(", %llu of %llu messages", (unsigned long long)quota->used_messages,
			(unsigned long long)quota->limit_messages);
	putchar('\n');
}

fiber_fn static bool list(struct probe *probe, struct entry *entry)
{
	uint64_t start = uv_hrtime();
	struct err e = entry_list(entry, probe->registry);
	char text[80];

	if (failed(e)) {
		print_failure("list", start, e);
		return false;
	}
	snprintf(text, sizeof(text), "%zu messages, %llu octets", maildrop_count(entry->drop),
		(unsigned long long)maildrop_visible_octets(entry->drop));
	print_step("list", start, text);
	print_quota(maildrop_quota(entry->drop));
	print_messages(entry->drop);
	return true;
}

fiber_fn static void run_probe(void *arg)
{
	struct probe *probe = arg;
	struct entry entry = { 0 };
	const struct tenant *tenant = NULL;
	uint64_t start = uv_hrtime();
	struct err e = entry_authenticate(probe->config, &probe->request, &entry, &tenant);

	printf("%-9s %s\n", "tenant", tenant ? tenant->name : "none");
	if (failed(e)) {
		print_failure("log in", start, e);
		return;
	}
	print_step("log in", start,
		entry.backend->ops == &imap_backend
			? "the IMAP server took the login, the mailbox is open"
			: "the password is right, the Maildir is open");
	if (list(probe, &entry))
		probe->status = VERB_DONE;
	entry_close(&entry);
}

static void probe_with(struct probe *probe)
{
	struct err e = verb_become_worker(probe->config);

	runtime_init();
	if (!failed(e))
		e = err_context(registry_open(probe->config, &probe->registry), "state");
	if (failed(e)) {
		fprintf(stderr, "popgate probe: %s\n", e.detail);
	} else {
		fiber_spawn("probe", run_probe, probe);
		runtime_run();
		registry_close(probe->registry);
	}
	runtime_close();
}

int verb_probe(int argc, char **argv)
{
	struct verb_query query;
	enum verb_status status = verb_query_parse(argc, argv, help, &query);
	struct probe probe = { .status = VERB_NO };
	struct secret *password = NULL;
	struct err e;

	if (!query.config)
		return status;
	e = password_input("Password", false, &password);
	if (failed(e)) {
		config_free(query.config);
		return verb_usage("probe", "%s", e.detail);
	}
	probe.config = query.config;
	/* Any mechanism that the tenant takes would lead to the same mailbox. */
	probe.credentials = credentials_of_password(~0U, query.route.login, password);
	probe.request = (struct entry_request){
		.query = query.route,
		.credentials = &probe.credentials,
		.ask_quota = true,
	};
	probe_with(&probe);
	credentials_done(&probe.credentials);
	config_free(query.config);
	return probe.status;
}
