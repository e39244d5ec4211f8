#include "proxy/runtime/clock.h"

#include <stdbool.h>
#include <stdlib.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

static struct {
	uv_loop_t *loop;
	uv_timer_t uv;
	uint64_t uv_at; /* what uv is started for; CLOCK_NEVER: stopped */
	uint64_t offset;
	void (*on_due)(struct timer *timer);
	struct timer **heap; /* [1] to [count]; the earliest first */
	size_t count, size;
} clock_state = { .uv_at = CLOCK_NEVER };

uint64_t runtime_now(void)
{
	return (clock_state.loop ? uv_now(clock_state.loop) : 0) + clock_state.offset;
}

static void place(size_t slot, struct timer *timer)
{
	clock_state.heap[slot] = timer;
	timer->slot = slot;
}

/* Moves the timer from its slot towards the root until the order holds. */
static void sift_up(struct timer *timer)
{
	size_t slot = timer->slot;

	while (slot > 1 && clock_state.heap[slot / 2]->at > timer->at) {
		place(slot, clock_state.heap[slot / 2]);
		slot /= 2;
	}
	place(slot, timer);
}

static void sift_down(struct timer *timer)
{
	size_t slot = timer->slot;

	for (size_t child; (child = slot * 2) <= clock_state.count; slot = child) {
		if (child < clock_state.count &&
			clock_state.heap[child + 1]->at < clock_state.heap[child]->at)
			child++;
		if (clock_state.heap[child]->at >= timer->at)
			break;
		place(slot, clock_state.heap[child]);
	}
	place(slot, timer);
}

static void on_uv_timer(uv_timer_t *uv);

/* Starts uv when the earliest timer needs it sooner than it is started for. */
static void uv_timer_follow(void)
{
	uint64_t now = runtime_now(), at;

	if (clock_state.count == 0) {
		if (clock_state.uv_at != CLOCK_NEVER)
			(void)uv_timer_stop(&clock_state.uv);
		clock_state.uv_at = CLOCK_NEVER;
		return;
	}
	at = clock_state.heap[1]->at;
	if (clock_state.uv_at <= at)
		return;
	clock_state.uv_at = at;
	(void)uv_timer_start(&clock_state.uv, on_uv_timer, at > now ? at - now : 0, 0);
}

void timer_disarm(struct timer *timer)
{
	struct timer *last;
	size_t slot = timer->slot;

	if (slot == 0)
		return;
	timer->slot = 0;
	last = clock_state.heap[clock_state.count--];
	if (last != timer) {
		place(slot, last);
		sift_up(last);
		sift_down(last);
	}
	if (clock_state.count == 0)
		uv_timer_follow();
}

void timer_arm(struct timer *timer, uint64_t at)
{
	if (timer->slot != 0 && timer->at <= at)
		return;
	timer->at = at;
	if (timer->slot == 0) {
		if (clock_state.count + 1 >= clock_state.size) {
			clock_state.size = clock_state.size ? clock_state.size * 2 : 64;
			clock_state.heap = mem_resize(
				clock_state.heap, clock_state.size, sizeof(struct timer *));
		}
		timer->slot = ++clock_state.count;
	}
	sift_up(timer);
	uv_timer_follow();
}

static void fire_due(void)
{
	uint64_t now = runtime_now();

	while (clock_state.count > 0 && clock_state.heap[1]->at <= now) {
		struct timer *timer = clock_state.heap[1];

		timer_disarm(timer);
		clock_state.on_due(timer);
	}
	uv_timer_follow();
}

static void on_uv_timer(uv_timer_t *uv)
{
	(void)uv;
	clock_state.uv_at = CLOCK_NEVER;
	fire_due();
}

void clock_advance(uint64_t milliseconds)
{
	clock_state.offset += milliseconds;
	/* uv goes by the real clock, so in ours it fires that much later. */
	if (clock_state.uv_at != CLOCK_NEVER)
		clock_state.uv_at += milliseconds;
	fire_due();
}

void clock_open(uv_loop_t *loop, void (*on_due)(struct timer *timer))
{
	clock_state.loop = loop;
	clock_state.on_due = on_due;
	(void)uv_timer_init(loop, &clock_state.uv);
}

void clock_close(void)
{
	if (clock_state.count > 0)
		fatal("clock_close: %zu timers are armed", clock_state.count);
	uv_close((uv_handle_t *)&clock_state.uv, NULL);
	free(clock_state.heap);
	clock_state.heap = NULL;
	clock_state.size = 0;
}
