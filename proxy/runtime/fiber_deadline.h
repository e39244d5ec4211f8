/*
 * fiber_deadline - the chain of deadline scopes of the running fiber. For fiber.c and wait.c only.
 */
#ifndef POPGATE_RUNTIME_FIBER_DEADLINE_H
#define POPGATE_RUNTIME_FIBER_DEADLINE_H

struct deadline;

/* The innermost scope, or NULL. Its time is the least of the chain's. */
struct deadline *fiber_deadline(void);
void fiber_set_deadline(struct deadline *innermost);

#endif
