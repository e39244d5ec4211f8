#include "proxy/runtime/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "proxy/runtime/fatal.h"

void *shared_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fatal("shared memory of %zu octets: %s", size, strerror(errno));
	return p;
}
