/*
 * common - what the verbs share: exit statuses, usage errors, loading the configuration.
 */
#ifndef POPGATE_VERBS_COMMON_H
#define POPGATE_VERBS_COMMON_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"

enum verb_status { VERB_DONE = 0, VERB_NO = 1, VERB_USAGE = 2 };

/* A line of a verb's --help for the option that names the configuration. */
#define VERB_CONFIG_HELP                                                                           \
	"  -c, --config FILE       the configuration; without it popgate.yaml in this folder,\n"   \
	"                          else /etc/popgate/popgate.yaml\n"

/* Says on standard error what is wrong with the command line, and where help is; VERB_USAGE. */
__attribute__((format(printf, 2, 3))) enum verb_status verb_usage(
	const char *verb, const char *format, ...);

/* The same for the option that getopt_long refused in argv, opterr being 0. */
enum verb_status verb_wrong_option(const char *verb, char *const *argv);

/* The file that option -c names; NULL: popgate.yaml in this folder where it exists, else
 * /etc/popgate/popgate.yaml. Static or borrowed. */
const char *verb_config_file(const char *option);

/* Whether there is such a file; says on standard error when not. */
bool verb_config_there(const char *file);

/* Loads the file, and prints every mistake on standard error; with notices, warnings and what is
 * not yet in effect too. NULL when there was an error; the caller returns VERB_USAGE. */
struct config *verb_load(const char *file, bool notices);

/* Started as root: becomes the account that workers change to. What it may not read, a session
 * could not either, and a registry that root made would be closed to it. */
struct err verb_become_worker(const struct config *config);

/* Text from a store on a terminal: control octets and what is not UTF-8 as \xNN. */
void verb_print_text(FILE *out, const char *text);
/* The same as a JSON string, quoted; what is not UTF-8 as U+FFFD. */
void verb_print_json(FILE *out, const char *text);

#endif
