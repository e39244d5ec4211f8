#include "proxy/runtime/wait.h"

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/fiber_deadline.h"

struct deadline deadline_push(struct deadline *self, uint64_t milliseconds)
{
	struct deadline *outer = fiber_deadline();
	uint64_t at;

	if (__builtin_add_overflow(runtime_now(), milliseconds, &at))
		at = UINT64_MAX;
	if (outer && outer->at < at)
		at = outer->at;
	fiber_set_deadline(self);
	return (struct deadline){ .at = at, .outer = outer };
}

void deadline_pop(struct deadline *self)
{
	if (fiber_deadline() != self)
		fatal("deadlines are not nested");
	fiber_set_deadline(self->outer);
}

uint64_t deadline_remaining(void)
{
	const struct deadline *innermost = fiber_deadline();
	uint64_t now = runtime_now();

	if (!innermost || innermost->at == UINT64_MAX)
		return UINT64_MAX;
	return innermost->at > now ? innermost->at - now : 0;
}

struct err wait_result(enum wake wake)
{
	switch (wake) {
	case WAKE_READY:
		break;
	case WAKE_TIMEOUT:
		return err_make(ERR_TIMEOUT, "timed out");
	case WAKE_CANCELED:
		return err_make(ERR_CANCELED, "canceled");
	}
	return ok();
}

struct err wait_check(void)
{
	return wait_result(fiber_pending());
}

fiber_fn struct err wait_share(void)
{
	return wait_result(fiber_share());
}

fiber_fn struct err wait_sleep(uint64_t milliseconds)
{
	{
		deadline(milliseconds);
		while (fiber_suspend() == WAKE_READY)
			;
	}
	/* Outside the scope: what ended the sleep was its own time, or something that is still in
	 * force. */
	return wait_check();
}

fiber_fn struct err wait_turn(void)
{
	return wait_result(fiber_yield());
}

/* On the stack of the fiber that waits. */
struct gate_waiter {
	struct fiber *fiber;
	struct gate_waiter *next;
	bool admitted;
};

void gate_init(struct gate *gate, unsigned places)
{
	*gate = (struct gate){ .free = places, .tail = &gate->head };
}

static void gate_remove(struct gate *gate, const struct gate_waiter *waiter)
{
	struct gate_waiter **at = &gate->head;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	if (!*at)
		gate->tail = at;
}

fiber_fn struct err gate_enter(struct gate *gate)
{
	struct gate_waiter self = { .fiber = fiber_current() };
	struct err e = wait_check();

	if (failed(e))
		return e;
	if (gate->free > 0) {
		gate->free--;
		return ok();
	}
	*gate->tail = &self;
	gate->tail = &self.next;
	do {
		e = wait_result(fiber_suspend());
	} while (!failed(e) && !self.admitted);
	if (!failed(e))
		return ok();
	if (self.admitted)
		gate_leave(gate);
	else
		gate_remove(gate, &self);
	return e;
}

void gate_leave(struct gate *gate)
{
	struct gate_waiter *first = gate->head;

	if (!first) {
		gate->free++;
		return;
	}
	/* The place is handed over, so that nobody who comes now can overtake. */
	gate->head = first->next;
	if (!gate->head)
		gate->tail = &gate->head;
	first->admitted = true;
	fiber_wake(first->fiber);
}
