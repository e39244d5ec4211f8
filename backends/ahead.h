/*
 * ahead - messages that a store has read before the client asks for them: who reads one after the
 * other will ask for the next.
 *
 * A message that follows the one asked for before, up or down the listing, is read together with
 * those behind it, a run: itself for the client, the others to be kept until the client comes for
 * them. When it does otherwise, they are dropped. Runs grow: two messages asked for in a row bring
 * two more, then four, and so on. Here is which messages, and their keeping; how they are read is
 * the store's.
 *
 * Owns:     the bodies that are kept.
 * Suspends: nothing. Where a thread of the pool fills in what is kept, its fiber waits for that.
 * Limits:   AHEAD_MAX messages in a run; octets in a session, as the store says, and
 *           AHEAD_OCTETS_MAX in the process, of all stores.
 */
#ifndef POPGATE_BACKENDS_AHEAD_H
#define POPGATE_BACKENDS_AHEAD_H

#include <stdbool.h>

#include "backends/backend.h"

/* Beyond so many, one more in a run saves next to nothing. */
#define AHEAD_MAX 256
/* What all sessions together may take of a worker's memory, whatever their number. */
#define AHEAD_OCTETS_MAX (64U << 20)

/* A message chosen. Which is next to be asked for, all of those kept tell together. */
struct ahead_message {
	size_t index;    /* into the listing */
	uint64_t octets; /* reserved for it */
	bool left_out;   /* too long, say: only its place in the run is kept */
	bool there;      /* so is its body: all that the client will want of it */
	struct buffer body;
};

struct ahead {
	struct ahead_message *kept; /* [first, n), in the order in which they will be asked for */
	size_t first, n;
	uint64_t octets; /* reserved for those */
	size_t last;     /* the message asked for last: index into the listing; SIZE_MAX: none */
	int step;        /* from one to the next: 1, -1; 0: there is no order in it */
	enum fetch_part part;
	size_t window; /* how many to read along */
};

/* What ahead_choose keeps to. */
struct ahead_limits {
	uint64_t session; /* octets reserved in this session at a time; a run ends before more */
	uint64_t part;    /* no more octets of a message are wanted */
	uint64_t message; /* one of which more are wanted is left out */
};

void ahead_init(struct ahead *ahead);
/* Drops what is kept; the client may still go on in its order. */
void ahead_drop(struct ahead *ahead);
/* The same because it is too old: the client is slower than was thought, and the next run is as
 * long as what it took of this one. */
void ahead_expire(struct ahead *ahead);
static inline bool ahead_is_empty(const struct ahead *ahead)
{
	return ahead->first == ahead->n;
}

/* Whether ahead_take would give that message. */
bool ahead_has(const struct ahead *ahead, size_t index, enum fetch_part part);

/* Takes note that the client asks for a message now (SIZE_MAX: one of no listing), and drops what
 * it will not ask for. True: *ret is the body, the caller's. */
bool ahead_take(struct ahead *ahead, size_t index, enum fetch_part part, struct buffer *ret);

/* While nothing is kept, after a take that gave nothing: chooses what is to be read along with that
 * message, in its folder. Nothing, where there is no order in what the client asks for. */
void ahead_choose(struct ahead *ahead, const struct backend_message *messages, size_t n,
	const struct ahead_limits *limits);

#endif
