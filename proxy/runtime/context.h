/*
 * context - leaving one stack for another. For fiber.c only.
 *
 * On x86-64 it is a dozen instructions; elsewhere, and where stacks have shadows (CET), it is
 * swapcontext, which asks the kernel twice about a signal mask that is the same for all fibers.
 */
#ifndef POPGATE_RUNTIME_CONTEXT_H
#define POPGATE_RUNTIME_CONTEXT_H

#include <stddef.h>

#if defined(__x86_64__) && defined(__LP64__) && !(defined(__CET__) && (__CET__ & 2))
#define CONTEXT_BY_HAND 1
#else
#include <ucontext.h>
#endif

/* What is needed to go on where one left off; it does not move. */
struct context {
#ifdef CONTEXT_BY_HAND
	void *top; /* of the stack, where the registers lie */
#else
	ucontext_t ucontext;
#endif
};

/* The context in which fn() begins, which must not return, on a stack of size octets; both are
 * multiples of 16. */
void context_make(struct context *context, char *stack, size_t size, void (*fn)(void));

/* Leaves `from` and goes on in `to`. Returns when somebody goes on in `from`. */
void context_switch(struct context *from, struct context *to);

#endif
