/* options - the command lines of the uidl verbs. */
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "proxy/verbs/uidl/uidl.h"

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "listener", required_argument, NULL, 'l' },
	{ "server-name", required_argument, NULL, 's' },
	{ "address", required_argument, NULL, 'a' },
	{ "all", no_argument, NULL, 'A' },
	{ "json", no_argument, NULL, 'j' },
	{ "replace", no_argument, NULL, 'r' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "accept", no_argument, NULL, 'y' },
	{ "old", required_argument, NULL, 'o' },
	{ "server", required_argument, NULL, 'S' },
	{ "tls", required_argument, NULL, 't' },
	{ "ca-file", required_argument, NULL, 'C' },
	{ "users", required_argument, NULL, 'u' },
	{ "output", required_argument, NULL, 'O' },
	{ "jobs", required_argument, NULL, 'J' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

enum verb_status uidl_usage(const char *word, const char *format, ...)
{
	cleanup(free_cleanup) char *verb = mem_printf("uidl %s", word);
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return verb_usage(verb, "%s", text);
}

static const char **text_member(struct uidl_options *o, int letter)
{
	switch (letter) {
	case 'c':
		return &o->config_file;
	case 'l':
		return &o->route.listener;
	case 's':
		return &o->route.server_name;
	case 'a':
		return &o->route.address;
	case 'o':
		return &o->old;
	case 'S':
		return &o->server;
	case 't':
		return &o->tls;
	case 'C':
		return &o->ca_file;
	case 'u':
		return &o->users;
	case 'O':
		return &o->output;
	case 'J':
		return &o->jobs;
	default:
		return NULL;
	}
}

static bool *flag_member(struct uidl_options *o, int letter)
{
	switch (letter) {
	case 'A':
		return &o->all;
	case 'j':
		return &o->json;
	case 'r':
		return &o->replace;
	case 'n':
		return &o->dry_run;
	case 'y':
		return &o->accept;
	default:
		return NULL;
	}
}

static bool take(struct uidl_options *o, const char *letters, int letter)
{
	if (letter == '?' || !strchr(letters, letter))
		return false;
	if (text_member(o, letter))
		*text_member(o, letter) = optarg;
	else
		*flag_member(o, letter) = true;
	return true;
}

bool uidl_parse(int argc, char **argv, const char *letters, const char *help,
	struct uidl_options *ret, enum verb_status *ret_status)
{
	int letter;

	*ret = (struct uidl_options){ .route = { "", "", "", "" } };
	*ret_status = VERB_USAGE;
	optind = 0; /* the program has looked at its own arguments before */
	opterr = 0;
	while ((letter = getopt_long(argc, argv, "c:l:s:a:Ajrnyo:S:t:C:u:O:J:h", options, NULL)) !=
		-1) {
		if (letter == 'h') {
			fputs(help, stdout);
			*ret_status = VERB_DONE;
			return false;
		}
		if (!take(ret, letters, letter)) {
			(void)uidl_usage(argv[0], "wrong options");
			return false;
		}
	}
	ret->argument = argv[optind];
	if (optind + 1 < argc)
		(void)uidl_usage(argv[0], "unexpected argument '%s'", argv[optind + 1]);
	return optind + 1 >= argc;
}
