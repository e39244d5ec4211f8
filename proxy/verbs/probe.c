#include <stdio.h>
#include <string.h>

#include "proxy/entry/entry.h"
#include "proxy/login/password_input.h"
#include "proxy/verbs/advice.h"
#include "proxy/verbs/probe_view.h"
#include "proxy/verbs/query.h"
#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate probe [-c FILE] [--json] [--listener NAME]\n"
	"                     [--server-name NAME] [--address IP] LOGIN\n"
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
	const struct probe_view *view;
	enum verb_status status;
};

fiber_fn static bool list(struct probe *probe, const struct tenant *tenant, struct entry *entry)
{
	uint64_t start = uv_hrtime();
	struct err e = entry_list(entry, probe->registry);

	if (failed(e))
		probe->view->failed("list", uv_hrtime() - start, &e, advice_for(tenant, &e));
	else
		probe->view->listed(uv_hrtime() - start, entry->drop);
	return !failed(e);
}

fiber_fn static void run_probe(void *arg)
{
	struct probe *probe = arg;
	const struct probe_view *view = probe->view;
	struct entry entry = { 0 };
	const struct tenant *tenant = NULL;
	uint64_t start = uv_hrtime();
	struct err e = entry_authenticate(probe->config, &probe->request, &entry, &tenant);

	view->begin(probe->request.query.login);
	view->tenant(tenant ? tenant->name : NULL);
	if (failed(e)) {
		view->failed("log in", uv_hrtime() - start, &e, advice_for(tenant, &e));
	} else {
		view->opened(uv_hrtime() - start, entry.backend->ops == &imap_backend);
		if (list(probe, tenant, &entry))
			probe->status = VERB_DONE;
		entry_close(&entry);
	}
	view->end();
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
	probe.view = query.json ? &probe_json : &probe_text;
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
