/*
 * query - the command line of the verbs that speak of one login as a connection would bring it:
 * [-c FILE] [--json] [--listener NAME] [--server-name NAME] [--address IP] LOGIN.
 */
#ifndef POPGATE_VERBS_QUERY_H
#define POPGATE_VERBS_QUERY_H

#include "proxy/routing/routing.h"
#include "proxy/verbs/common.h"

#define VERB_QUERY_HELP                                                                            \
	"What a connection would show can be given, for tenants that look at it:\n"                \
	"  -l, --listener NAME     the listener it came to\n"                                      \
	"  -s, --server-name NAME  the name that the client asked for in TLS (SNI)\n"              \
	"  -a, --address IP        the client's address\n"                                         \
	"\n"                                                                                       \
	"  -j, --json              the answer as one JSON object\n" VERB_CONFIG_HELP               \
	"  -h, --help              this text\n"

struct verb_query {
	struct config *config; /* owned by the caller: config_free */
	struct route_query route;
	bool json;
};

/* Parses argv and loads the configuration. VERB_DONE with ret->config set: go on. VERB_DONE without
 * it: the help was printed. Else the mistake was. */
enum verb_status verb_query_parse(int argc, char **argv, const char *help, struct verb_query *ret);

#endif
