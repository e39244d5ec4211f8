#include "proxy/runtime/fiber.h"

#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/runtime/clock.h"
#include "proxy/runtime/context.h"
#include "proxy/runtime/fatal.h"
#include "proxy/runtime/fd_wait.h"
#include "proxy/runtime/fiber_deadline.h"
#include "proxy/runtime/sanitize.h"
#include "proxy/runtime/stack.h"
#include "proxy/runtime/wait.h"

#define NAME_MAX_ 31

/* Threads for blocking work. libuv's default of four would let as many slow disks or password
 * hashes stop everything else; they cost little while idle. */
#define POOL_THREADS "16"

/* Operations without a wait before another fiber has its turn. */
#define SHARES_MAX 64

enum fiber_state { STATE_READY, STATE_RUNNING, STATE_SUSPENDED, STATE_SUSPENDED_HARD, STATE_ENDED };

/* Lies at the top of its own stack: nothing to allocate, and the struct of an ended fiber stays
 * readable as long as its stack is pooled, so that a late wake is found. */
struct fiber {
	struct context context;
	void *fake_stack; /* AddressSanitizer's */
	char *stack;
	void (*fn)(void *arg);
	void *arg;
	const char *tag;
	struct deadline *deadline; /* the innermost scope */
	struct timer timer;
	struct fiber *ready_next;
	struct fiber *prev, *next; /* among all that live */
	enum fiber_state state;
	bool canceled;
	char name[NAME_MAX_ + 1];
};

static struct {
	uv_loop_t loop;
	uv_prepare_t prepare; /* runs the ready fibers, between the loop's events */
	uv_idle_t idle;       /* active while fibers are ready, so that the loop does not block */
	bool open;
	struct fiber *current;
	struct fiber *ready, **ready_end;
	struct fiber *all;
	size_t count;
	unsigned shares;        /* fiber_share calls since the running fiber was resumed */
	struct context context; /* the loop's own stack, while a fiber runs */
	void *fake_stack;
	const void *stack_bottom;
	size_t stack_size;
} runtime;

static void on_idle(uv_idle_t *idle)
{
	(void)idle;
}

static void enqueue(struct fiber *fiber)
{
	fiber->state = STATE_READY;
	fiber->ready_next = NULL;
	*runtime.ready_end = fiber;
	runtime.ready_end = &fiber->ready_next;
	(void)uv_idle_start(&runtime.idle, on_idle);
}

/* The stack that the calling fiber leaves for the loop's. Returns when it is resumed. */
static fiber_fn void switch_to_loop(struct fiber *self)
{
	bool ended = self->state == STATE_ENDED;

	sanitize_leave(ended ? NULL : &self->fake_stack, runtime.stack_bottom, runtime.stack_size);
	context_switch(&self->context, &runtime.context);
	sanitize_arrive(self->fake_stack, &runtime.stack_bottom, &runtime.stack_size);
}

static void fiber_main(void)
{
	struct fiber *self = runtime.current;

	sanitize_arrive(NULL, &runtime.stack_bottom, &runtime.stack_size);
	self->fn(self->arg);
	if (self->deadline)
		fatal("the fiber ended inside a deadline");
	self->state = STATE_ENDED;
	switch_to_loop(self);
	fatal("an ended fiber was resumed");
}

static void reap(struct fiber *fiber)
{
	timer_disarm(&fiber->timer);
	if (fiber->prev)
		fiber->prev->next = fiber->next;
	else
		runtime.all = fiber->next;
	if (fiber->next)
		fiber->next->prev = fiber->prev;
	runtime.count--;
	stack_put(fiber->stack);
}

static void resume(struct fiber *fiber)
{
	fiber->state = STATE_RUNNING;
	runtime.current = fiber;
	runtime.shares = 0;
	sanitize_leave(&runtime.fake_stack, fiber->stack, STACK_SIZE);
	context_switch(&runtime.context, &fiber->context);
	sanitize_arrive(runtime.fake_stack, NULL, NULL);
	runtime.current = NULL;
	if (fiber->state == STATE_ENDED)
		reap(fiber);
}

/* Those that become ready meanwhile wait for the next turn, so that they cannot keep the loop from
 * its descriptors and timers. */
static void run_ready(uv_prepare_t *prepare)
{
	struct fiber *batch = runtime.ready;

	(void)prepare;
	runtime.ready = NULL;
	runtime.ready_end = &runtime.ready;
	while (batch) {
		struct fiber *fiber = batch;

		batch = fiber->ready_next;
		resume(fiber);
	}
	if (!runtime.ready)
		(void)uv_idle_stop(&runtime.idle);
}

/* The deadline in force for the fiber: scopes only tighten, so it is that of the innermost. */
static uint64_t deadline_of(const struct fiber *fiber)
{
	return fiber->deadline ? fiber->deadline->at : CLOCK_NEVER;
}

static void on_timer(struct timer *timer)
{
	struct fiber *fiber =
		(struct fiber *)(void *)((char *)timer - offsetof(struct fiber, timer));
	uint64_t at = deadline_of(fiber);

	if (fiber->state != STATE_SUSPENDED)
		return;
	if (at <= runtime_now())
		enqueue(fiber);
	else if (at != CLOCK_NEVER)
		timer_arm(timer, at);
}

void runtime_init(void)
{
	int status;

	if (runtime.open)
		fatal("runtime_init was called twice");
	(void)setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	/* One heap for all: the threads of the pool fill it for a moment, and a heap of its own for
	 * each would keep what that moment took. */
	(void)mallopt(M_ARENA_MAX, 1);
	status = uv_loop_init(&runtime.loop);
	if (status != 0)
		fatal("uv_loop_init: %s", uv_strerror(status));
	runtime.open = true;
	runtime.ready_end = &runtime.ready;
	clock_open(&runtime.loop, on_timer);
	(void)uv_idle_init(&runtime.loop, &runtime.idle);
	(void)uv_prepare_init(&runtime.loop, &runtime.prepare);
	(void)uv_prepare_start(&runtime.prepare, run_ready);
	uv_unref((uv_handle_t *)&runtime.prepare);
}

uv_loop_t *runtime_loop(void)
{
	if (!runtime.open)
		fatal("runtime_loop before runtime_init");
	return &runtime.loop;
}

void runtime_run(void)
{
	if (runtime.current)
		fatal("runtime_run inside a fiber");
	(void)uv_run(runtime_loop(), UV_RUN_DEFAULT);
}

static void report_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	(void)dprintf(STDERR_FILENO, "popgate: open handle: %s\n",
		uv_handle_type_name(uv_handle_get_type(handle)));
}

void runtime_close(void)
{
	if (runtime.all)
		fatal("runtime_close: fiber %s and %zu more live", runtime.all->name,
			runtime.count - 1);
	clock_close();
	fd_wait_close_idle();
	uv_close((uv_handle_t *)&runtime.idle, NULL);
	uv_close((uv_handle_t *)&runtime.prepare, NULL);
	(void)uv_run(&runtime.loop, UV_RUN_NOWAIT);
	if (uv_loop_close(&runtime.loop) != 0) {
		uv_walk(&runtime.loop, report_handle, NULL);
		fatal("runtime_close: handles are open");
	}
	runtime.open = false;
	stack_drop_pool();
}

struct fiber *fiber_spawn(const char *name, void (*fn)(void *arg), void *arg)
{
	char *stack = stack_get();
	size_t size = (STACK_SIZE - sizeof(struct fiber)) & ~(size_t)63;
	struct fiber *fiber = (struct fiber *)(void *)(stack + size);

	if (!runtime.open)
		fatal("fiber_spawn before runtime_init");
	memset(fiber, 0, sizeof(*fiber));
	fiber->stack = stack;
	fiber->fn = fn;
	fiber->arg = arg;
	(void)snprintf(fiber->name, sizeof(fiber->name), "%s", name);
	context_make(&fiber->context, stack, size, fiber_main);
	fiber->next = runtime.all;
	if (fiber->next)
		fiber->next->prev = fiber;
	runtime.all = fiber;
	runtime.count++;
	enqueue(fiber);
	return fiber;
}

struct fiber *fiber_current(void)
{
	return runtime.current;
}

static struct fiber *must_be_fiber(const char *what)
{
	if (!runtime.current)
		fatal("%s outside a fiber", what);
	return runtime.current;
}

enum wake fiber_pending(void)
{
	struct fiber *self = must_be_fiber("fiber_pending");

	if (self->canceled)
		return WAKE_CANCELED;
	if (self->deadline && self->deadline->at <= runtime_now())
		return WAKE_TIMEOUT;
	return WAKE_READY;
}

/* What lies just below the frame is still in use: by this call, and by signal handlers. */
#define RELEASE_MARGIN 1024

void fiber_release_stack(void)
{
	struct fiber *self = must_be_fiber("fiber_release_stack");
	char *here = __builtin_frame_address(0);

	stack_release_below(self->stack, here - RELEASE_MARGIN);
}

fiber_fn enum wake fiber_suspend(void)
{
	struct fiber *self = must_be_fiber("fiber_suspend");
	enum wake wake = fiber_pending();

	if (wake != WAKE_READY)
		return wake;
	if (deadline_of(self) != CLOCK_NEVER)
		timer_arm(&self->timer, deadline_of(self));
	self->state = STATE_SUSPENDED;
	switch_to_loop(self);
	return fiber_pending();
}

fiber_fn void fiber_suspend_hard(void)
{
	struct fiber *self = must_be_fiber("fiber_suspend_hard");

	self->state = STATE_SUSPENDED_HARD;
	switch_to_loop(self);
}

fiber_fn enum wake fiber_yield(void)
{
	struct fiber *self = must_be_fiber("fiber_yield");
	enum wake wake = fiber_pending();

	if (wake != WAKE_READY)
		return wake;
	enqueue(self);
	switch_to_loop(self);
	return fiber_pending();
}

fiber_fn enum wake fiber_share(void)
{
	if (++runtime.shares > SHARES_MAX)
		return fiber_yield();
	return fiber_pending();
}

void fiber_wake(struct fiber *fiber)
{
	switch (fiber->state) {
	case STATE_READY:
		break;
	case STATE_SUSPENDED:
	case STATE_SUSPENDED_HARD:
		enqueue(fiber);
		break;
	case STATE_RUNNING:
		fatal("fiber_wake of the running fiber");
	case STATE_ENDED:
		fatal("fiber_wake of %s, which has ended", fiber->name);
	}
}

void fiber_cancel(struct fiber *fiber)
{
	if (fiber->state == STATE_ENDED)
		fatal("fiber_cancel of %s, which has ended", fiber->name);
	fiber->canceled = true;
	if (fiber->state == STATE_SUSPENDED)
		enqueue(fiber);
}

void fiber_cancel_all(void)
{
	for (struct fiber *fiber = runtime.all; fiber; fiber = fiber->next)
		fiber_cancel(fiber);
}

size_t fiber_count(void)
{
	return runtime.count;
}

const char *fiber_name(const struct fiber *fiber)
{
	return fiber ? fiber->name : "loop";
}

void fiber_set_tag(const char *tag)
{
	must_be_fiber("fiber_set_tag")->tag = tag;
}

const char *fiber_tag(void)
{
	return runtime.current ? runtime.current->tag : NULL;
}

size_t fiber_stack_high_water(void)
{
	return stack_high_water();
}

struct deadline *fiber_deadline(void)
{
	return must_be_fiber("deadline")->deadline;
}

void fiber_set_deadline(struct deadline *innermost)
{
	must_be_fiber("deadline")->deadline = innermost;
}
