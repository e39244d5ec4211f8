/*
 * wait - what a fiber can wait for: time, a descriptor, a worker thread, a turn.
 *
 * Clock: milliseconds of a monotonic clock (runtime_now). Tests move it by clock_advance.
 * Errors: ERR_TIMEOUT when a deadline in force passed, ERR_CANCELED when the fiber was canceled.
 */
#ifndef POPGATE_RUNTIME_WAIT_H
#define POPGATE_RUNTIME_WAIT_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"

/* Milliseconds since some start; the time of this turn of the loop. */
uint64_t runtime_now(void);

/* For tests: moves the clock and fires what became due. From the loop's stack or a fiber. */
void clock_advance(uint64_t milliseconds);

/*
 * A deadline is a scope: in force from its declaration to the end of the block, for every wait of
 * this fiber inside it; nested ones only tighten.
 *
 *	deadline(settings->connect_timeout);
 */
struct deadline {
	uint64_t at;
	struct deadline *outer;
};
struct deadline deadline_push(struct deadline *self, uint64_t milliseconds); /* via the macro */
void deadline_pop(struct deadline *self);                                    /* via the macro */
/* Milliseconds to the deadline in force for the running fiber; UINT64_MAX: there is none. */
uint64_t deadline_remaining(void);
#define DEADLINE_CAT_(a, b)  a##b
#define DEADLINE_NAME_(line) DEADLINE_CAT_(deadline_, line)
#define deadline(milliseconds)                                                                     \
	__attribute__((__cleanup__(deadline_pop))) struct deadline DEADLINE_NAME_(__LINE__) =      \
		deadline_push(&DEADLINE_NAME_(__LINE__), (milliseconds))

/* ok, or the error with which a wait would fail now. For loops that may never have to wait. */
struct err wait_check(void);

/* The same, and a turn for the others after many calls without a wait (fiber_share). */
fiber_fn struct err wait_share(void);

/* For those who build on fiber_suspend: its result as an error. */
struct err wait_result(enum wake wake);

/* Sleeps; ok when the time is over. */
fiber_fn struct err wait_sleep(uint64_t milliseconds);

/* Lets the other ready fibers run once (for long loops without I/O). */
fiber_fn struct err wait_turn(void);

/* A waiter for one non-blocking descriptor. It keeps the poll registered between waits, so
 * that a request-answer session costs no epoll_ctl per wait. Only a wait keeps the loop running. */
struct fd_wait;
struct fd_wait *fd_wait_new(int fd); /* does not own fd */
/* Suspends until fd is readable (UV_READABLE), writable (UV_WRITABLE) or any of both. ERR_TEMP: fd
 * cannot be polled. */
fiber_fn struct err fd_wait_for(struct fd_wait *wait, int events);
/* NULL-safe; may be called from any fiber but while another waits on it. fd may be closed by the
 * caller right after. The handle is kept for the next descriptor of this number. */
void fd_wait_free(struct fd_wait *wait);

/* Runs job(arg) in libuv's thread pool and waits until it is done, whatever happens: arg may lie on
 * this stack. job must not touch fibers, the loop, or the log. Not interruptible; a deadline or a
 * cancel shows at the next wait. */
fiber_fn void offload(void (*job)(void *arg), void *arg);

/* The same in a thread that is the job's alone: for what waits on a network, perhaps for long, and
 * must not keep the pool from those who read mail. How many run at a time is the caller's to bound.
 * *stop is set when a deadline passes or the fiber is canceled meanwhile: the job has to look at
 * it, and end. ERR_TEMP: there is no thread, and the job was not run. */
fiber_fn struct err offload_alone(void (*job)(void *arg), void *arg, atomic_bool *stop);

/* A first-come first-served gate for at most `places` fibers at a time. Zero-initialise, then
 * gate_init. gate_enter suspends; each success needs one gate_leave. */
struct gate {
	unsigned free;
	struct gate_waiter *head, **tail;
};
void gate_init(struct gate *gate, unsigned places);
fiber_fn struct err gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);

#endif
