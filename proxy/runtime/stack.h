/*
 * stack - memory for fibers: mapped, behind a guard page, reused. For fiber.c only.
 *
 * An overflow hits the guard page and ends the process instead of another session's data. A few
 * stacks are kept for the next fibers; the others go back to the system, since one that a deep
 * parser has touched keeps its pages.
 */
#ifndef POPGATE_RUNTIME_STACK_H
#define POPGATE_RUNTIME_STACK_H

#include <stddef.h>

#include "proxy/runtime/sanitize.h"

#ifdef RUNTIME_ASAN
#define STACK_SIZE (1024UL * 1024) /* redzones make frames several times larger */
#else
#define STACK_SIZE (256UL * 1024)
#endif

/* The lowest octet of STACK_SIZE octets, aligned to a page. What it holds is undefined. */
char *stack_get(void);
/* Gives a stack back; used to be a fiber's. */
void stack_put(char *stack);
/* Gives the pages of a stack in use that lie wholly below an address back to the system. */
void stack_release_below(char *stack, const char *address);
/* Unmaps the stacks kept. */
void stack_drop_pool(void);
/* The deepest use of any stack given back; 0 unless built with POPGATE_PAINT_STACKS. */
size_t stack_high_water(void);

#endif
