#include "proxy/verbs/query.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "listener", required_argument, NULL, 'l' },
	{ "server-name", required_argument, NULL, 's' },
	{ "address", required_argument, NULL, 'a' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

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

static enum verb_status load(const char *verb, const char *file, struct verb_query *query)
{
	const char *listener = query->route.listener, *address = query->route.address;

	if (*address && !is_address(address))
		return verb_usage(verb, "'%s' is no address", address);
	query->config = verb_load(verb_config_file(file), false);
	if (!query->config)
		return VERB_USAGE;
	if (!*listener || is_listener(query->config, listener))
		return VERB_DONE;
	config_free(steal(query->config));
	return verb_usage(verb, "there is no listener '%s'", listener);
}

enum verb_status verb_query_parse(int argc, char **argv, const char *help, struct verb_query *ret)
{
	const char *file = NULL;
	int option;

	*ret = (struct verb_query){
		.route = { .login = "", .listener = "", .server_name = "", .address = "" },
	};
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:l:s:a:jh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'l':
			ret->route.listener = optarg;
			break;
		case 's':
			ret->route.server_name = optarg;
			break;
		case 'a':
			ret->route.address = optarg;
			break;
		case 'j':
			ret->json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return verb_wrong_option(argv[0], argv);
		}
	}
	if (argc - optind != 1)
		return verb_usage(argv[0], "expected one login");
	ret->route.login = argv[optind];
	return load(argv[0], file, ret);
}
