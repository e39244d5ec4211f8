#include "proxy/verbs/common.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LOCAL_FILE  "popgate.yaml"
#define SYSTEM_FILE "/etc/popgate/popgate.yaml"

enum verb_status verb_usage(const char *verb, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "popgate %s: ", verb);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'popgate %s --help'.\n", verb);
	return VERB_USAGE;
}

const char *verb_config_file(const char *option)
{
	if (option)
		return option;
	return access(LOCAL_FILE, F_OK) == 0 ? LOCAL_FILE : SYSTEM_FILE;
}

static void print_report(enum config_severity severity, const char *text, void *arg)
{
	const bool *notices = arg;

	if (severity == CONFIG_ERROR)
		fprintf(stderr, "%s\n", text);
	else if (*notices)
		fprintf(stderr, "%s%s\n",
			severity == CONFIG_WARNING ? "warning: " : "note: ", text);
}

struct config *verb_load(const char *file, bool notices)
{
	struct config *config = NULL;
	struct err e = config_load(file, print_report, &notices, &config);

	if (failed(e)) {
		fprintf(stderr, "popgate: %s\n", e.detail);
		return NULL;
	}
	return config;
}
