/*
 * mem - allocation that cannot fail, arenas, growable buffers, cleanup attributes.
 *
 * Out of memory ends the process in one place (mem_oom): the master forks a new worker. What input
 * can make large is bounded by its reader, not here.
 */
#ifndef POPGATE_RUNTIME_MEM_H
#define POPGATE_RUNTIME_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* malloc, calloc, realloc, strdup that abort instead of returning NULL. Overflow-checked. */
__attribute__((malloc)) void *mem_alloc(size_t size);
__attribute__((malloc)) void *mem_zalloc(size_t count, size_t size);
void *mem_resize(void *old, size_t count, size_t size);
__attribute__((malloc)) char *mem_strdup(const char *s);
__attribute__((malloc, format(printf, 1, 2))) char *mem_printf(const char *format, ...);

#define cleanup(fn) __attribute__((__cleanup__(fn)))
/* Returns a pointer and clears it, so that its cleanup does nothing. */
#define steal(p)                                                                                   \
	({                                                                                         \
		__typeof__(p) steal_ = (p);                                                        \
		(p) = NULL;                                                                        \
		steal_;                                                                            \
	})
/* void type_cleanup(type **): calls free_fn when not NULL. */
#define DEFINE_CLEANUP(type, free_fn)                                                              \
	static inline void type##_cleanup(struct type **p)                                         \
	{                                                                                          \
		if (*p)                                                                            \
			free_fn(*p);                                                               \
	}
/* For char * and other malloc'ed memory: cleanup(free_cleanup) char *s = …; */
static inline void free_cleanup(void *p)
{
	free(*(void **)p);
}

/* An arena: everything allocated from it dies with it. Not for secrets. */
struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *arena);                /* NULL-safe */
void arena_reset(struct arena *arena);               /* keeps one block */
void *arena_alloc(struct arena *arena, size_t size); /* aligned for any type; not zeroed */
void *arena_zalloc(struct arena *arena, size_t count, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_strndup(struct arena *arena, const char *s, size_t n);
__attribute__((format(printf, 2, 3))) char *arena_printf(
	struct arena *arena, const char *format, ...);
DEFINE_CLEANUP(arena, arena_free)

/* Octets [start, end) of data are in use. Zero-initialise. */
struct buffer {
	char *data;
	size_t size, start, end;
};
static inline size_t buffer_used(const struct buffer *b)
{
	return b->end - b->start;
}
/* The first octet in use; NULL while nothing was ever in it. */
static inline char *buffer_data(const struct buffer *b)
{
	return b->data ? b->data + b->start : NULL;
}
/* Makes room for n more octets behind end and returns where they go; moves or grows as needed. */
char *buffer_reserve(struct buffer *b, size_t n);
void buffer_append(struct buffer *b, const void *data, size_t n);
__attribute__((format(printf, 2, 3))) void buffer_printf(struct buffer *b, const char *format, ...);
/* Drops n octets from the start. */
void buffer_consume(struct buffer *b, size_t n);
/* Frees the memory and zeroes the struct. buffer_wipe overwrites the octets first. */
void buffer_done(struct buffer *b);
void buffer_wipe(struct buffer *b);

#endif
