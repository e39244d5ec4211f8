#include "proxy/runtime/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/sanitize.h"

/* An arena's blocks double from the first size to the last. */
#define ARENA_FIRST_BLOCK 2048
#define ARENA_LAST_BLOCK  65536
#define ARENA_ALIGN       (_Alignof(max_align_t))

#define BUFFER_FIRST_SIZE 256

static void *checked(void *p, size_t size)
{
	if (!p)
		fatal("out of memory: %zu octets", size);
	return p;
}

static size_t product(size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		fatal("out of memory: %zu times %zu octets", count, size);
	return total;
}

static size_t sum(size_t a, size_t b)
{
	size_t total;

	if (__builtin_add_overflow(a, b, &total))
		fatal("out of memory: %zu and %zu octets", a, b);
	return total;
}

void *mem_alloc(size_t size)
{
	return checked(malloc(size ? size : 1), size);
}

void *mem_zalloc(size_t count, size_t size)
{
	size_t total = product(count, size);

	return checked(calloc(1, total ? total : 1), total);
}

void *mem_resize(void *old, size_t count, size_t size)
{
	size_t total = product(count, size);

	return checked(realloc(old, total ? total : 1), total);
}

char *mem_strdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(mem_alloc(size), s, size);
}

char *mem_printf(const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		fatal("out of memory: a formatted text");
	return text;
}

struct arena_block {
	struct arena_block *next;
	size_t size, used; /* octets of data */
	_Alignas(max_align_t) char data[];
};

struct arena {
	struct arena_block *head; /* the one that small pieces come from */
	size_t next_size;
};

struct arena *arena_new(void)
{
	struct arena *arena = mem_zalloc(1, sizeof(*arena));

	arena->next_size = ARENA_FIRST_BLOCK;
	return arena;
}

static void free_blocks(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;

		sanitize_unpoison(block->data, block->size);
		free(block);
		block = next;
	}
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	free_blocks(arena->head);
	free(arena);
}

void arena_reset(struct arena *arena)
{
	struct arena_block *kept = arena->head;

	if (!kept)
		return;
	free_blocks(kept->next);
	kept->next = NULL;
	kept->used = 0;
	sanitize_poison(kept->data, kept->size);
	if (kept->size > ARENA_LAST_BLOCK) {
		free_blocks(kept);
		arena->head = NULL;
	}
}

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block = mem_alloc(sum(sizeof(*block), size));

	block->next = NULL;
	block->size = size;
	block->used = 0;
	sanitize_poison(block->data, block->size);
	return block;
}

/* A block with room for size octets. A large piece gets one of its own behind the head, so that the
 * rest of the head stays in use. */
static struct arena_block *arena_grow(struct arena *arena, size_t size)
{
	struct arena_block *block;

	if (size > arena->next_size / 4 && arena->head) {
		block = block_new(size);
		block->next = arena->head->next;
		arena->head->next = block;
		return block;
	}
	block = block_new(size > arena->next_size ? size : arena->next_size);
	block->next = arena->head;
	arena->head = block;
	if (arena->next_size < ARENA_LAST_BLOCK)
		arena->next_size *= 2;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t step = sum(size, ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	struct arena_block *block = arena->head;
	void *p;

	if (!block || block->size - block->used < step)
		block = arena_grow(arena, step);
	p = block->data + block->used;
	block->used += step;
	sanitize_unpoison(p, size);
	return p;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size)
{
	size_t total = product(count, size);

	return memset(arena_alloc(arena, total), 0, total);
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_strndup(arena, s, strlen(s));
}

char *arena_strndup(struct arena *arena, const char *s, size_t n)
{
	size_t length = strnlen(s, n);
	char *copy = arena_alloc(arena, sum(length, 1));

	memcpy(copy, s, length);
	copy[length] = '\0';
	return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	char *text, first[128]; /* most fit: they are made once */
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(first, sizeof(first), format, args);
	va_end(args);
	if (n < 0)
		fatal("arena_printf: format \"%s\"", format);
	text = arena_alloc(arena, (size_t)n + 1);
	if ((size_t)n < sizeof(first))
		memcpy(text, first, (size_t)n + 1);
	else
		(void)vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	return text;
}

/* Not realloc: the old place may have held a secret and must not stay readable. */
static void buffer_grow(struct buffer *b, size_t need)
{
	size_t size = b->size ? b->size : BUFFER_FIRST_SIZE;
	size_t used = buffer_used(b);
	char *data;

	while (size < need)
		size = product(size, 2);
	data = mem_alloc(size);
	if (b->data) {
		memcpy(data, b->data + b->start, used);
		explicit_bzero(b->data, b->size);
		free(b->data);
	}
	*b = (struct buffer){ .data = data, .size = size, .start = 0, .end = used };
}

char *buffer_reserve(struct buffer *b, size_t n)
{
	size_t used = buffer_used(b);

	if (b->data && b->size - b->end >= n)
		return b->data + b->end;
	/* Moving pays only while it moves less than it frees. */
	if (b->data && used <= b->start && b->size - used >= n) {
		memmove(b->data, b->data + b->start, used);
		b->start = 0;
		b->end = used;
	} else {
		buffer_grow(b, sum(used, n));
	}
	return b->data + b->end;
}

void buffer_append(struct buffer *b, const void *data, size_t n)
{
	if (n == 0)
		return;
	memcpy(buffer_reserve(b, n), data, n);
	b->end += n;
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	size_t room = b->size - b->end;
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(room > 0 ? b->data + b->end : NULL, room, format, args);
	va_end(args);
	if (n < 0)
		fatal("buffer_printf: format \"%s\"", format);
	if ((size_t)n >= room)
		(void)vsnprintf(buffer_reserve(b, (size_t)n + 1), (size_t)n + 1, format, again);
	va_end(again);
	b->end += (size_t)n;
}

void buffer_consume(struct buffer *b, size_t n)
{
	if (n > buffer_used(b))
		fatal("buffer_consume: %zu of %zu octets", n, buffer_used(b));
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void buffer_done(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ 0 };
}

void buffer_wipe(struct buffer *b)
{
	if (b->data)
		explicit_bzero(b->data, b->size);
	buffer_done(b);
}
