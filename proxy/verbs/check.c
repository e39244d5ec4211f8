#include <getopt.h>
#include <stdio.h>

#include "proxy/verbs/common.h"
#include "proxy/verbs/json.h"
#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate check [-c FILE] [--json | --quiet]\n"
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
	"  -j, --json              one JSON object instead: whether the configuration is good,\n"
	"                          and every mistake, warning and note\n"
	"  -q, --quiet             does not print the effective configuration\n"
	"  -h, --help              this text\n"
	"\n"
	"Exit status: 0 no mistake; 2 mistakes, or wrong usage.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void report_json(enum config_severity severity, const char *text, void *arg)
{
	static const char *const names[] = {
		[CONFIG_ERROR] = "mistake",
		[CONFIG_WARNING] = "warning",
		[CONFIG_NOT_YET] = "note",
	};
	struct verb_json *json = arg;

	verb_json_begin(json, NULL, '{');
	verb_json_text(json, "severity", names[severity]);
	verb_json_text(json, "text", text);
	verb_json_end(json, '}');
}

static enum verb_status check_json(const char *file)
{
	struct verb_json json = { 0 };
	struct config *config = NULL;
	struct err e;

	verb_json_begin(&json, NULL, '{');
	verb_json_text(&json, "file", file);
	verb_json_begin(&json, "reports", '[');
	e = config_load(file, report_json, &json, &config);
	verb_json_end(&json, ']');
	verb_json_bool(&json, "good", !failed(e));
	verb_json_end(&json, '}');
	verb_json_done(&json);
	config_free(config);
	return failed(e) ? VERB_USAGE : VERB_DONE;
}

int verb_check(int argc, char **argv)
{
	const char *file = NULL;
	struct config *config;
	bool quiet = false, json = false;
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:jqh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return verb_wrong_option("check", argv);
		}
	}
	if (optind < argc)
		return verb_usage("check", "unexpected argument '%s'", argv[optind]);
	if (json)
		return check_json(verb_config_file(file));
	config = verb_load(verb_config_file(file), true);
	if (!config)
		return VERB_USAGE;
	if (!quiet)
		config_print(config, stdout);
	config_free(config);
	return VERB_DONE;
}
