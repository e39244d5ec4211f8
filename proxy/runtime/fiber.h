/*
 * fiber - stackful coroutines on the loop of this thread.
 *
 * One thread, one loop, no locks. Every connection is a fiber: straight-line code that suspends
 * where it would block. Stacks are switched in context.c only.
 *
 * Rules, asserted where they can be:
 *  1. fiber_fn marks every function that may suspend, on declaration and definition.
 *  2. Everything that waits is built of fiber_spawn, fiber_suspend and fiber_wake (see wait.h).
 *  3. fiber_wake queues; it never switches from inside another fiber.
 *  4. Cancel is sticky: cancel > timeout > ordinary wake, and it fails even a ready read.
 *  5. A suspended fiber is never freed: it is woken with an error and unwinds its own stack.
 *  6. Deadlines are scopes (wait.h).
 *  7. libuv handles live in heap objects, never on a fiber's stack.
 *  8. One owner fiber per connection. Shared things are touched only between suspends.
 *  9. errno and the OpenSSL error queue belong to the thread: turn them into a struct err before
 *     anything that can suspend.
 * 10. Stacks are 256 KiB (1 MiB under ASan) behind a guard page, because libetpan needs 66 KiB.
 *     No buffer over 1 KiB of ours lies on one.
 */
#ifndef POPGATE_RUNTIME_FIBER_H
#define POPGATE_RUNTIME_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#define fiber_fn /* may suspend the calling fiber */

struct fiber;

enum wake {
	WAKE_READY = 0, /* what was waited for happened */
	WAKE_TIMEOUT,   /* the deadline in force passed */
	WAKE_CANCELED,  /* fiber_cancel() was called, now or earlier */
};

/* Sets up the loop of this thread and ignores SIGPIPE. Once per process, before anything else here.
 * Call it after fork, not before: a loop does not survive one. */
void runtime_init(void);

/* The loop of this thread. Borrowed. */
uv_loop_t *runtime_loop(void);

/* Runs the loop until nothing is left to do: no fiber, no active handle. A fiber that nothing can
 * wake any more stays suspended; fiber_count tells. */
void runtime_run(void);

/* Closes the loop and frees pooled stacks. Every fiber must have ended. For tests under
 * LeakSanitizer and for an orderly end. */
void runtime_close(void);

/* Starts fn(arg) in a fiber of its own at the next turn of the loop. name is for logs and crash
 * reports; it is copied (cut to 31 octets). Aborts when memory runs out. */
struct fiber *fiber_spawn(const char *name, void (*fn)(void *arg), void *arg);

/* The running fiber, or NULL on the loop's own stack. */
struct fiber *fiber_current(void);

/* Suspends the running fiber until fiber_wake, the deadline in force, or fiber_cancel. Returns at
 * once with WAKE_CANCELED or WAKE_TIMEOUT when that is already so. The caller must make sure that
 * nobody wakes it later for this wait (clear the pointer that the callback uses). */
fiber_fn enum wake fiber_suspend(void);

/* As fiber_suspend, but only fiber_wake ends it: neither deadline nor cancel. For waits on
 * something that holds pointers to this stack (a thread of the pool, a closing handle). */
fiber_fn void fiber_suspend_hard(void);

/* What fiber_suspend would return without suspending: WAKE_READY when it would suspend. */
enum wake fiber_pending(void);

/* Queues the running fiber behind the others that are ready. Fails as fiber_suspend does. */
fiber_fn enum wake fiber_yield(void);

/* For an operation that may succeed without a wait: fiber_pending, but after many calls in a row
 * without a suspension it yields, so that a peer who is always ready cannot hold the loop. */
fiber_fn enum wake fiber_share(void);

/* Gives back the memory of the running fiber's stack that lies below here, for one that is about to
 * wait for long: what a deep call once touched stays in memory else. Costs a system call, and a
 * page fault for each page that is touched again. */
void fiber_release_stack(void);

/* Queues a suspended fiber to run. Waking one that is queued already is a no-op. */
void fiber_wake(struct fiber *fiber);

/* Makes every present and later suspension of the fiber fail with WAKE_CANCELED, until it ends. */
void fiber_cancel(struct fiber *fiber);

/* Cancels every fiber that lives. */
void fiber_cancel_all(void);

/* How many fibers live. */
size_t fiber_count(void);

/* The name given at the spawn; "loop" for NULL. */
const char *fiber_name(const struct fiber *fiber);

/* One pointer that travels with the fiber (the log's session id). NULL at first. Borrowed. */
void fiber_set_tag(const char *tag);
const char *fiber_tag(void);

/* The most stack any finished fiber has used, in octets; 0 unless built with POPGATE_PAINT_STACKS.
 */
size_t fiber_stack_high_water(void);

#endif
