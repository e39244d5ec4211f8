#include "backends/ahead.h"

#include <assert.h>
#include <stdlib.h>

/* Reserved in all sessions. */
static uint64_t all_octets;

void ahead_init(struct ahead *ahead)
{
	*ahead = (struct ahead){ .last = SIZE_MAX };
}

static void release(struct ahead *ahead, struct ahead_message *message)
{
	buffer_done(&message->body);
	ahead->octets -= message->octets;
	all_octets -= message->octets;
	*message = (struct ahead_message){ 0 };
}

void ahead_drop(struct ahead *ahead)
{
	for (size_t i = ahead->first; i < ahead->n; i++)
		release(ahead, &ahead->kept[i]);
	free(steal(ahead->kept));
	ahead->first = ahead->n = 0;
}

void ahead_expire(struct ahead *ahead)
{
	ahead->window = ahead->first > 2 ? ahead->first : 2;
	ahead_drop(ahead);
}

/* Takes note of what is asked for now, and how far it makes sense to be ahead of it. */
static void follow(struct ahead *ahead, size_t index, enum fetch_part part)
{
	int step = 0;

	if (index != SIZE_MAX && ahead->last != SIZE_MAX && part == ahead->part)
		step = index == ahead->last + 1 ? 1 : index + 1 == ahead->last ? -1 : 0;
	/* Without a step, nothing is kept. */
	if (step == 0 || step != ahead->step)
		ahead->window = step ? 2 : 0;
	if (step != ahead->step)
		ahead_drop(ahead);
	ahead->step = step;
	ahead->part = part;
	ahead->last = index;
}

bool ahead_has(const struct ahead *ahead, size_t index, enum fetch_part part)
{
	return part == ahead->part && !ahead_is_empty(ahead) && ahead->kept[ahead->first].there &&
	       ahead->kept[ahead->first].index == index;
}

bool ahead_take(struct ahead *ahead, size_t index, enum fetch_part part, struct buffer *ret)
{
	struct ahead_message *message;
	bool there;

	follow(ahead, index, part);
	if (ahead_is_empty(ahead))
		return false;
	/* Whoever keeps to the order comes for them one by one. */
	message = &ahead->kept[ahead->first++];
	assert(message->index == index);
	there = message->there;
	if (there) {
		*ret = message->body;
		message->body = (struct buffer){ 0 };
	}
	release(ahead, message);
	if (ahead_is_empty(ahead))
		ahead_drop(ahead);
	return there;
}

/* Whether there was room for that message behind the others. */
static bool add(struct ahead *ahead, size_t index, uint64_t size, const struct ahead_limits *limits)
{
	uint64_t octets = size < limits->part ? size : limits->part;
	bool left_out = octets > limits->message;

	if (left_out)
		octets = 0;
	if (octets > limits->session - ahead->octets || octets > AHEAD_OCTETS_MAX - all_octets)
		return false;
	ahead->kept[ahead->n++] =
		(struct ahead_message){ .index = index, .octets = octets, .left_out = left_out };
	ahead->octets += octets;
	all_octets += octets;
	return true;
}

void ahead_choose(struct ahead *ahead, const struct backend_message *messages, size_t n,
	const struct ahead_limits *limits)
{
	size_t at = ahead->last;

	if (ahead->window == 0)
		return;
	ahead->kept = mem_zalloc(ahead->window, sizeof(*ahead->kept));
	while (ahead->n < ahead->window) {
		at += (size_t)ahead->step; /* below 0 it wraps */
		if (at >= n || messages[at].folder != messages[ahead->last].folder ||
			!add(ahead, at, messages[at].size, limits))
			break;
	}
	if (ahead->n == 0)
		ahead_drop(ahead);
	ahead->window = ahead->window < AHEAD_MAX / 2 ? ahead->window * 2 : AHEAD_MAX;
}
