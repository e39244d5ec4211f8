#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "proxy/admin/client.h"
#include "proxy/verbs/common.h"
#include "proxy/verbs/verbs.h"

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

static int ask(const struct config *config, const char *path)
{
	struct client_answer answer = { 0 };
	struct err e = client_ask(config, CLIENT_ADDRESS, "GET", path, &answer);
	bool well;

	if (failed(e)) {
		fprintf(stderr, "popgate: %s\n", e.detail);
		return e.scope == ERR_INVALID ? VERB_USAGE : VERB_NO;
	}
	well = answer.status == 200;
	fprintf(well ? stdout : stderr, "%.*s\n", (int)strcspn(answer.body, "\r\n"), answer.body);
	free(answer.body);
	return well ? VERB_DONE : VERB_NO;
}

int verb_health(int argc, char **argv)
{
	const char *file = NULL, *path = "/healthz";
	struct config *config;
	int option, status;

	opterr = 0;
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
			return verb_wrong_option("health", argv);
		}
	}
	if (optind < argc)
		return verb_usage("health", "unexpected argument '%s'", argv[optind]);
	config = verb_load(verb_config_file(file), false);
	if (!config)
		return VERB_USAGE;
	status = ask(config, path);
	config_free(config);
	return status;
}
