#include "proxy/runtime/pool.h"

#include <stdlib.h>

#include <uv.h>

#define POOL_DEFAULT 4 /* libuv's, when UV_THREADPOOL_SIZE does not say otherwise */
#define POOL_MAX     1024

static unsigned read_threads(void)
{
	const char *text = getenv("UV_THREADPOOL_SIZE");
	unsigned long threads = text ? strtoul(text, NULL, 10) : POOL_DEFAULT;

	if (threads == 0 || threads > POOL_MAX)
		threads = threads == 0 ? 1 : POOL_MAX;
	return (unsigned)threads;
}

unsigned pool_threads(void)
{
	static unsigned threads;

	/* It is asked for at every job, and the pool keeps the size that it began with. */
	if (!threads)
		threads = read_threads();
	return threads;
}

unsigned pool_places(unsigned share)
{
	unsigned cores = uv_available_parallelism();
	unsigned places = pool_threads() / share;

	if (places > cores)
		places = cores;
	return places > 0 ? places : 1;
}
