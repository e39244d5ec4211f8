#include "proxy/verbs/color.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_colors(FILE *out)
{
	const char *terminal = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(fileno(out)) == 1 && terminal && *terminal && strcmp(terminal, "dumb") != 0 &&
	       !(no && *no);
}

const char *color_on(FILE *out, enum color color)
{
	static const char *const codes[] = {
		[COLOR_BAD] = "\033[31m",
		[COLOR_GOOD] = "\033[32m",
		[COLOR_DOUBT] = "\033[33m",
		[COLOR_PALE] = "\033[2m",
	};

	return has_colors(out) ? codes[color] : "";
}

const char *color_off(FILE *out)
{
	return has_colors(out) ? "\033[0m" : "";
}
