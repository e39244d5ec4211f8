#include "proxy/runtime/rest.h"

#include <malloc.h>

#include "proxy/runtime/wait.h"

void runtime_rest(void)
{
	static uint64_t trimmed;
	uint64_t now = runtime_now();

	fiber_release_stack();
	if (now - trimmed < REST_TRIM_PAUSE)
		return;
	trimmed = now;
	(void)malloc_trim(0);
}
