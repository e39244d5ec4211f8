/*
 * clock - the loop's time and the fibers' timers. For fiber.c; everyone else has wait.h.
 *
 * A binary heap and one uv_timer_t for all: arming costs no system call, and a timer armed for an
 * earlier time than is needed by now is left alone until it fires.
 */
#ifndef POPGATE_RUNTIME_CLOCK_H
#define POPGATE_RUNTIME_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#define CLOCK_NEVER UINT64_MAX

/* Part of what waits. Zero-initialise. Must not move while armed. */
struct timer {
	uint64_t at; /* by runtime_now() */
	size_t slot; /* its place in the heap, from 1; 0: not armed */
};

/* on_due is called for each timer whose time has come, disarmed before. */
void clock_open(uv_loop_t *loop, void (*on_due)(struct timer *timer));
/* Starts to close the uv_timer_t. No timer may be armed. */
void clock_close(void);

/* Makes sure that on_due is called for the timer at that time or before it. */
void timer_arm(struct timer *timer, uint64_t at);
void timer_disarm(struct timer *timer);

#endif
