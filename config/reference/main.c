/* popgate_reference markdown|man [FILE] - writes the reference of the configuration. */
#include <string.h>

#include "config/reference/reference.h"

int main(int argc, char **argv)
{
	const struct reference_format *format = NULL;

	if (argc > 1 && strcmp(argv[1], "markdown") == 0)
		format = &reference_markdown;
	else if (argc > 1 && strcmp(argv[1], "man") == 0)
		format = &reference_man;
	if (!format || argc > 3) {
		fputs("Usage: popgate_reference markdown|man [FILE]\n", stderr);
		return 2;
	}
	if (argc == 3 && !freopen(argv[2], "w", stdout)) {
		perror(argv[2]);
		return 1;
	}
	reference_write(format, stdout);
	if (fflush(stdout) || ferror(stdout)) {
		perror("popgate_reference");
		return 1;
	}
	return 0;
}
