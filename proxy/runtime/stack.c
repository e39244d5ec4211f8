#include "proxy/runtime/stack.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proxy/runtime/fatal.h"

#define GUARD_SIZE (64UL * 1024) /* a multiple of every page size in use */
#define POOL_MAX   64

static struct {
	char *free[POOL_MAX];
	size_t count;
	size_t high_water;
} pool;

static char *stack_map(void)
{
	char *base = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (base == MAP_FAILED)
		fatal("a fiber's stack: %s", strerror(errno));
	if (mprotect(base, GUARD_SIZE, PROT_NONE) != 0)
		fatal("a fiber's guard page: %s", strerror(errno));
	return base + GUARD_SIZE;
}

static void stack_unmap(char *stack)
{
	(void)munmap(stack - GUARD_SIZE, GUARD_SIZE + STACK_SIZE);
}

char *stack_get(void)
{
	char *stack = pool.count > 0 ? pool.free[--pool.count] : stack_map();

	sanitize_root_add(stack, STACK_SIZE);
	return stack;
}

/* The system maps zeroes, which serve as the paint: the first other word is the deepest use, of
 * this fiber or of an earlier one on the same stack. Reading costs no memory. */
static void measure(const char *stack)
{
#ifdef POPGATE_PAINT_STACKS
	const uint64_t *word = (const uint64_t *)(const void *)stack;
	const uint64_t *known = word + (STACK_SIZE - pool.high_water) / sizeof(*word);

	while (word < known && *word == 0)
		word++;
	pool.high_water = STACK_SIZE - (size_t)((const char *)word - stack);
#else
	(void)stack;
#endif
}

void stack_put(char *stack)
{
	sanitize_root_remove(stack, STACK_SIZE);
	/* The frames that the fiber never returned from left their redzones. */
	sanitize_unpoison(stack, STACK_SIZE);
	measure(stack);
	if (pool.count < POOL_MAX)
		pool.free[pool.count++] = stack;
	else
		stack_unmap(stack);
}

void stack_release_below(char *stack, const char *address)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t length = (size_t)(address - stack) / page * page;

	measure(stack); /* the trace of the deepest use goes with the pages */
	if (length > 0)
		(void)madvise(stack, length, MADV_DONTNEED);
}

void stack_drop_pool(void)
{
	while (pool.count > 0)
		stack_unmap(pool.free[--pool.count]);
}

size_t stack_high_water(void)
{
	return pool.high_water;
}
