/* Only builds with fault points have this file; whoever looks at it by itself is to see it whole.
 */
#ifndef POPGATE_FAULT_POINTS
#define POPGATE_FAULT_POINTS
#endif
#include "proxy/runtime/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_ulong reached;

void fault_point(const char *name)
{
	const char *wanted = getenv("POPGATE_FAULT");
	size_t length = wanted ? strcspn(wanted, ":") : 0;
	unsigned long times = 1;

	if (!wanted)
		return;
	if (strncmp(wanted, "*", length) != 0 &&
		(strncmp(wanted, name, length) != 0 || name[length]))
		return;
	if (wanted[length])
		times = strtoul(wanted + length + 1, NULL, 10);
	if (atomic_fetch_add(&reached, 1) + 1 == times)
		(void)raise(SIGKILL);
}
