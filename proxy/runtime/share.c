#include "proxy/runtime/share.h"

#include <stdbool.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/pool.h"
#include "proxy/runtime/wait.h"

/* On the stack of the fiber that waits. */
struct waiter {
	struct fiber *fiber;
	struct waiter *next;
	bool admitted;
};

struct share {
	unsigned running;
	struct waiter *first, **last;
	struct share *next; /* among those for whom somebody waits */
};

static struct {
	unsigned running; /* of all shares */
	struct share *first, **last;
} shares = { .last = &shares.first };

struct share *share_new(void)
{
	struct share *share = mem_zalloc(1, sizeof(*share));

	share->last = &share->first;
	return share;
}

void share_free(struct share *share)
{
	if (share && (share->running || share->first))
		fatal("share_free: it is in use");
	free(share);
}

static bool has_place(const struct share *share)
{
	unsigned places = pool_threads() - pool_threads() / 4, left = places - shares.running;

	return shares.running < places && share->running < 1 + left / 2;
}

static void take_place(struct share *share)
{
	share->running++;
	shares.running++;
}

static void put_last(struct share *share)
{
	share->next = NULL;
	*shares.last = share;
	shares.last = &share->next;
}

/* Takes the share out of the row, of which *at is it. */
static void take_out(struct share **at)
{
	struct share *share = *at;

	*at = share->next;
	if (!*at)
		shares.last = at;
}

static void admit_one(struct share *share)
{
	struct waiter *waiter = share->first;

	share->first = waiter->next;
	if (!share->first)
		share->last = &share->first;
	take_place(share);
	waiter->admitted = true;
	fiber_wake(waiter->fiber);
}

/* Whoever has a place is admitted, one of each share at a time. */
static void admit(void)
{
	struct share **at = &shares.first;

	while (*at) {
		struct share *share = *at;

		if (!has_place(share)) {
			at = &share->next;
			continue;
		}
		take_out(at);
		admit_one(share);
		if (share->first)
			put_last(share);
		at = &shares.first;
	}
}

fiber_fn static void wait_for_place(struct share *share)
{
	struct waiter self = { .fiber = fiber_current() };

	if (!share->first)
		put_last(share);
	*share->last = &self;
	share->last = &self.next;
	while (!self.admitted)
		fiber_suspend_hard();
}

fiber_fn void share_offload(struct share *share, void (*job)(void *arg), void *arg)
{
	if (!share->first && has_place(share))
		take_place(share);
	else
		wait_for_place(share);
	offload(job, arg);
	share->running--;
	shares.running--;
	admit();
}
