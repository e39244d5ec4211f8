#include "backends/maildir/measure.h"

#include <string.h>

void measure_add(struct measure *measure, const char *data, size_t n)
{
	const char *end = data + n, *p = data;

	if (n == 0)
		return;
	for (; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		measure->bare += (p > data ? p[-1] : measure->last) != '\r';
	measure->octets += n;
	measure->last = end[-1];
}

uint64_t measure_end(const struct measure *measure)
{
	uint64_t terminator = measure->octets > 0 && measure->last != '\n' ? 2 : 0;

	return measure->octets + measure->bare + terminator;
}
