/* main - popgate VERB …: finds the verb. */
#include <stdio.h>
#include <string.h>

#include "config/keys.h"
#include "proxy/verbs/common.h"
#include "proxy/verbs/verbs.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{ "serve", verb_serve, "runs the gateway" },
	{ "check", verb_check, "checks the configuration and shows what is in effect" },
	{ "route", verb_route, "says which tenant would serve a login" },
	{ "probe", verb_probe, "tries a login against its mail store, step by step" },
	{ "health", verb_health, "asks whether the running gateway is well" },
	{ "users", verb_users, "sets, removes and lists the passwords of a users file" },
	{ "uidl", verb_uidl, "lists, takes over and moves unique-ids" },
	{ "state", verb_state, "checks the memory of unique-ids" },
	{ "who", verb_who, "lists the live sessions of the running gateway, or closes one" },
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_usage(FILE *out)
{
	fprintf(out, "Usage: popgate VERB [OPTION]...\n"
		     "\n"
		     "popgate serves POP3 clients from IMAP servers and Maildirs.\n"
		     "\n");
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
	fprintf(out, "\n"
		     "popgate VERB --help says more; popgate --version, which version this is.\n");
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int unknown_verb(const char *name)
{
	const struct verb *nearest = &verbs[0];

	for (size_t i = 1; i < N_VERBS; i++)
		if (edit_distance(name, verbs[i].name) < edit_distance(name, nearest->name))
			nearest = &verbs[i];
	fprintf(stderr, "popgate: there is no verb '%s'", name);
	if (edit_is_near(edit_distance(name, nearest->name), strlen(name)))
		fprintf(stderr, "; is '%s' meant?", nearest->name);
	fprintf(stderr, "\nTry 'popgate --help'.\n");
	return VERB_USAGE;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct verb *verb;

	if (!name) {
		print_usage(stderr);
		return VERB_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_usage(stdout);
		return VERB_DONE;
	}
	if (strcmp(name, "--version") == 0) {
		puts("popgate " POPGATE_VERSION);
		return VERB_DONE;
	}
	verb = find_verb(name);
	return verb ? verb->run(argc - 1, argv + 1) : unknown_verb(name);
}
