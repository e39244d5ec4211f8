/*
 * uidl - what the uidl verbs share: their options, the registry, and whose maildrops are meant.
 */
#ifndef POPGATE_VERBS_UIDL_UIDL_H
#define POPGATE_VERBS_UIDL_UIDL_H

#include "proxy/adoption/transfer.h"
#include "proxy/routing/routing.h"
#include "proxy/verbs/common.h"

/* What the command line may say; NULL and false where it does not. */
struct uidl_options {
	const char *config_file;
	struct route_query route; /* but its login */
	bool all, json, replace, dry_run, accept;
	const char *old;
	const char *server, *tls, *ca_file, *users, *output, *jobs;
	const char *argument; /* a LOGIN or FILE; NULL: there is none */
};

/* How a login comes, for tenants that look at it: the options, and their lines of a --help. */
#define UIDL_ROUTE_OPTIONS "lsa"
#define UIDL_ROUTE_HELP                                                                            \
	"  -l, --listener NAME     the listener that a login comes to, for tenants that ask for\n" \
	"                          one\n"                                                          \
	"  -s, --server-name NAME  likewise the name that the client asks for in TLS (SNI)\n"      \
	"  -a, --address IP        likewise the client's address\n"

/* argv[0] is the verb's second word. letters: the short options that it takes, besides -h. false:
 * that was all, and *ret_status is what to end with. */
bool uidl_parse(int argc, char **argv, const char *letters, const char *help,
	struct uidl_options *ret, enum verb_status *ret_status);

/* As verb_usage, of `uidl WORD`. */
__attribute__((format(printf, 2, 3))) enum verb_status uidl_usage(
	const char *word, const char *format, ...);

/* A verb at work: with the registry of its configuration, in a fiber. */
struct uidl_work {
	struct uidl_options options;
	struct config *config;
	struct registry *registry;
	enum verb_status status; /* VERB_NO unless run changes it */
};

/* Loads the configuration, opens the registry (create: even where there is none yet), and runs
 * run(work). What cannot be done is said on standard error. */
enum verb_status uidl_run(
	const char *word, struct uidl_work *work, bool create, fiber_fn void (*run)(void *work));

/* The account of a login as the options say that it comes; NULL: nobody serves it. */
const struct account *uidl_account(
	const struct uidl_work *work, const char *login, struct arena *arena);

/* The folder whose computed unique-ids have no folder in them. */
const char *uidl_main_folder(const struct account *account);

/* Calls visit for the record of the argument's login, or with --all of each maildrop, one at a time
 * in memory. *ret_n: of how many. Suspends. */
typedef void uidl_visit(const struct registry_maildrop *maildrop,
	const struct registry_record *record, const char *main_folder, void *arg);
fiber_fn struct err uidl_each(
	const struct uidl_work *work, uidl_visit *visit, void *arg, size_t *ret_n);
/* The same with what there is to say around it: nothing known of the login, errors. Sets the
 * status. */
fiber_fn void uidl_show(
	const char *word, struct uidl_work *work, uidl_visit *visit, void *arg, size_t *ret_n);

int uidl_list(int argc, char **argv);
int uidl_export(int argc, char **argv);
int uidl_import(int argc, char **argv);
int uidl_harvest(int argc, char **argv);
int uidl_verify(int argc, char **argv);

#endif
