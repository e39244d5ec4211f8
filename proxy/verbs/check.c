#include <getopt.h>
#include <stdio.h>

#include "proxy/verbs/common.h"
#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate check [-c FILE] [-q]\n"
	"\n"
	"Loads the configuration as serve would, with the files that it names, and reports\n"
	"every mistake at once on standard error:\n"
	"\n"
	"  popgate.yaml:LINE:COLUMN: KEY: what is wrong, what is expected\n"
	"\n"
	"Warnings, and notes about keys that have no effect in this version, are no mistakes.\n"
	"Without a mistake, the effective configuration goes to standard output: every key of\n"
	"every tenant, defaults and what it inherits filled in. Secrets are not part of it.\n"
	"\n" VERB_CONFIG_HELP
	"  -q, --quiet             does not print the effective configuration\n"
	"  -h, --help              this text\n"
	"\n"
	"Exit status: 0 no mistake; 2 mistakes, or wrong usage.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

int verb_check(int argc, char **argv)
{
	const char *file = NULL;
	struct config *config;
	bool quiet = false;
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "c:qh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return VERB_USAGE;
		}
	}
	if (optind < argc)
		return verb_usage("check", "unexpected argument '%s'", argv[optind]);
	config = verb_load(verb_config_file(file), true);
	if (!config)
		return VERB_USAGE;
	if (!quiet)
		config_print(config, stdout);
	config_free(config);
	return VERB_DONE;
}
