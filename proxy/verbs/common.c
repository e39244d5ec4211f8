#include "proxy/verbs/common.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/run_as.h"
#include "proxy/runtime/utf8.h"
#include "proxy/verbs/color.h"

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

enum verb_status verb_wrong_option(const char *verb, char *const *argv)
{
	const char *word = argv[optind - 1];

	if (strncmp(word, "--", 2) == 0)
		return verb_usage(
			verb, "there is no option '%s', or its value is missing or too much", word);
	return verb_usage(verb, "there is no option '-%c', or its value is missing", optopt);
}

const char *verb_config_file(const char *option)
{
	if (option)
		return option;
	return access(LOCAL_FILE, F_OK) == 0 ? LOCAL_FILE : SYSTEM_FILE;
}

static void print_report(enum config_severity severity, const char *text, void *arg)
{
	static const struct {
		const char *word;
		enum color color;
	} looks[] = {
		[CONFIG_ERROR] = { "", COLOR_BAD },
		[CONFIG_WARNING] = { "warning: ", COLOR_DOUBT },
		[CONFIG_NOT_YET] = { "note: ", COLOR_PALE },
	};
	const bool *notices = arg;

	if (severity == CONFIG_ERROR || *notices)
		fprintf(stderr, "%s%s%s%s\n", color_on(stderr, looks[severity].color),
			looks[severity].word, text, color_off(stderr));
}

bool verb_config_there(const char *file)
{
	if (access(file, F_OK) == 0 || errno != ENOENT)
		return true;
	fprintf(stderr, "popgate: there is no file %s: name the configuration by -c FILE\n", file);
	return false;
}

struct config *verb_load(const char *file, bool notices)
{
	struct config *config = NULL;
	struct err e;

	if (!verb_config_there(file))
		return NULL;
	e = config_load(file, print_report, &notices, &config);
	if (failed(e)) {
		fprintf(stderr, "popgate: %s\n", e.detail);
		return NULL;
	}
	return config;
}

struct err verb_become_worker(const struct config *config)
{
	struct run_as account;
	struct err e;

	if (geteuid() != 0)
		return ok();
	e = run_as_lookup(config->run_as, &account);
	return failed(e) ? e : run_as_apply(&account);
}

/* The character at the start of text, 0 at its end; UINT32_MAX for an octet that is none. *n: its
 * length. */
static uint32_t next_character(const char *text, size_t *n)
{
	uint32_t c = 0;

	if (!*text)
		return 0;
	*n = utf8_decode(text, strlen(text), &c);
	if (*n)
		return c;
	*n = 1;
	return UINT32_MAX;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

void verb_print_text(FILE *out, const char *text)
{
	uint32_t c;
	size_t n;

	for (; (c = next_character(text, &n)); text += n) {
		if (c != UINT32_MAX && !is_control(c))
			fwrite(text, 1, n, out);
		else
			for (size_t i = 0; i < n; i++)
				fprintf(out, "\\x%02x", (unsigned char)text[i]);
	}
}

void verb_print_json(FILE *out, const char *text)
{
	uint32_t c;
	size_t n;

	putc('"', out);
	for (; (c = next_character(text, &n)); text += n) {
		if (c == UINT32_MAX)
			fputs("\\ufffd", out);
		else if (is_control(c))
			fprintf(out, "\\u%04x", (unsigned)c);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (char)c);
		else
			fwrite(text, 1, n, out);
	}
	putc('"', out);
}
