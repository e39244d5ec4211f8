#include <getopt.h>
#include <stdio.h>

#include "proxy/master.h"
#include "proxy/verbs/common.h"
#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate serve [-c FILE]\n"
	"\n"
	"Runs the gateway in the foreground. The log goes to standard error, or to log.file; the\n"
	"line \"ready\" says that it serves. Metrics, health and a status page are at "
	"admin.listen.\n"
	"\n"
	"  SIGHUP           loads the configuration and the certificates anew; sessions go on.\n"
	"                   A file with mistakes changes nothing, the log says why\n"
	"  SIGTERM, SIGINT  is not ready any more; after shutdown_delay accepts no more, lets\n"
	"                   sessions go on for shutdown_grace, ends; a second one ends at once\n"
	"  SIGUSR1          opens log.file anew\n"
	"\n" VERB_CONFIG_HELP "  -h, --help              this text\n"
	"\n"
	"Exit status: 0 ended as asked; 1 sessions had to be cut off by force; 2 it could not\n"
	"start: mistakes in the configuration, an address that cannot be listened on, or\n"
	"wrong usage.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

int verb_serve(int argc, char **argv)
{
	const char *file = NULL;
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return verb_wrong_option("serve", argv);
		}
	}
	if (optind < argc)
		return verb_usage("serve", "unexpected argument '%s'", argv[optind]);
	file = verb_config_file(file);
	return verb_config_there(file) ? master_run(file) : VERB_USAGE;
}
