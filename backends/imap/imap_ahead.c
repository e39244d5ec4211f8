#include "backends/imap/imap_ahead.h"

#include <stdlib.h>

#include "backends/imap/imap.h"
#include "backends/imap/imap_set.h"

/* What headers are taken to be, since no listing tells; and how far any message may be off. */
#define HEADER_OCTETS 4096
#define SLACK_OCTETS  65536

/* A message chosen; there once its body is. */
struct kept {
	uint32_t uid;
	bool there;
	uint64_t octets; /* reserved for it */
	struct buffer body;
};

struct imap_ahead {
	struct kept kept[AHEAD_MAX]; /* in the order in which they will be asked for */
	size_t first, n;
	uint64_t octets;        /* reserved for those */
	struct buffer incoming; /* the body that comes at the moment */
	bool too_long;          /* it is dropped */
	struct buffer given;    /* what was taken last */
	size_t last; /* the message asked for last: index into the listing; SIZE_MAX: none */
	int step;    /* from one to the next: 1, -1; 0: there is no order in it */
	enum fetch_part part;
	size_t window; /* how many to fetch along */
	bool stopped;
};

/* Reserved in all sessions. */
static uint64_t all_octets;

static struct imap_ahead *ahead_of(struct imap *imap)
{
	if (!imap->ahead) {
		imap->ahead = mem_zalloc(1, sizeof(*imap->ahead));
		imap->ahead->last = SIZE_MAX;
	}
	return imap->ahead;
}

static void release(struct imap_ahead *ahead, struct kept *kept)
{
	buffer_done(&kept->body);
	ahead->octets -= kept->octets;
	all_octets -= kept->octets;
	*kept = (struct kept){ 0 };
}

static void drop_all(struct imap_ahead *ahead)
{
	for (size_t i = 0; i < ahead->n; i++)
		release(ahead, &ahead->kept[i]);
	ahead->first = ahead->n = 0;
}

void imap_ahead_free(struct imap *imap)
{
	if (!imap->ahead)
		return;
	drop_all(imap->ahead);
	buffer_done(&imap->ahead->incoming);
	buffer_done(&imap->ahead->given);
	free(steal(imap->ahead));
}

void imap_ahead_stop(struct imap *imap)
{
	drop_all(imap->ahead);
	imap->ahead->stopped = true;
}

/* The listing goes by folder and UID. SIZE_MAX: the message is not in it. */
static size_t index_of(const struct imap *imap, const struct backend_message *message)
{
	size_t low = 0, high = imap->n_messages;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct backend_message *m = &imap->messages[middle];

		if (m->folder == message->folder && m->uid == message->uid)
			return middle;
		if (m->folder < message->folder ||
			(m->folder == message->folder && m->uid < message->uid))
			low = middle + 1;
		else
			high = middle;
	}
	return SIZE_MAX;
}

/* Takes note of what is asked for now, and how far it makes sense to be ahead of it. */
static void follow(struct imap_ahead *ahead, size_t index, enum fetch_part part)
{
	int step = 0;

	if (index != SIZE_MAX && ahead->last != SIZE_MAX && part == ahead->part)
		step = index == ahead->last + 1 ? 1 : index + 1 == ahead->last ? -1 : 0;
	if (step == 0 || step != ahead->step)
		ahead->window = step ? 2 : 0;
	if (step != ahead->step || part != ahead->part)
		drop_all(ahead);
	ahead->step = step;
	ahead->part = part;
	ahead->last = index;
}

bool imap_ahead_has(
	const struct imap *imap, const struct backend_message *message, enum fetch_part part)
{
	const struct imap_ahead *ahead = imap->ahead;

	return ahead && part == ahead->part && ahead->first < ahead->n &&
	       ahead->kept[ahead->first].there && ahead->kept[ahead->first].uid == message->uid &&
	       index_of(imap, message) == ahead->last + (size_t)ahead->step;
}

const struct buffer *imap_ahead_take(
	struct imap *imap, const struct backend_message *message, enum fetch_part part)
{
	struct imap_ahead *ahead = ahead_of(imap);
	bool there = false;

	buffer_done(&ahead->given);
	follow(ahead, index_of(imap, message), part);
	if (ahead->first < ahead->n && ahead->kept[ahead->first].uid == message->uid) {
		struct kept *kept = &ahead->kept[ahead->first++];

		there = kept->there;
		ahead->given = kept->body;
		kept->body = (struct buffer){ 0 };
		release(ahead, kept);
	}
	if (!there)
		drop_all(ahead);
	return there ? &ahead->given : NULL;
}

static uint64_t octets_of(const struct backend_message *message, enum fetch_part part)
{
	return part == FETCH_ALL ? message->size : HEADER_OCTETS;
}

static bool has_room(const struct imap *imap, uint64_t octets)
{
	uint64_t left = imap->settings->read_ahead - imap->ahead->octets;

	return octets <= left && octets <= AHEAD_OCTETS_MAX - all_octets;
}

/* Chooses those that come after the last one asked for. */
static void choose(struct imap *imap)
{
	struct imap_ahead *ahead = imap->ahead;
	size_t at = ahead->last;

	while (ahead->n < ahead->window) {
		const struct backend_message *message;
		uint64_t octets;

		at += (size_t)ahead->step; /* below 0 it wraps */
		if (at >= imap->n_messages)
			break;
		message = &imap->messages[at];
		octets = octets_of(message, ahead->part);
		if (message->folder != imap->messages[ahead->last].folder ||
			!has_room(imap, octets))
			break;
		ahead->kept[ahead->n++] = (struct kept){ .uid = message->uid, .octets = octets };
		ahead->octets += octets;
		all_octets += octets;
	}
	if (ahead->window < AHEAD_MAX)
		ahead->window *= 2;
}

size_t imap_ahead_choose(struct imap *imap, struct buffer *ret)
{
	struct imap_ahead *ahead = imap->ahead;
	uint32_t uids[AHEAD_MAX + 1];
	size_t n, own;

	if (!ahead->stopped && ahead->window > 0)
		choose(imap);
	n = ahead->n + 1;
	if (n == 1)
		return 1;
	own = ahead->step > 0 ? 0 : n - 1;
	uids[own] = imap->messages[ahead->last].uid;
	for (size_t i = 0; i < ahead->n; i++)
		uids[ahead->step > 0 ? i + 1 : n - 2 - i] = ahead->kept[i].uid;
	if (imap_set(ret, uids, n) == n)
		return n;
	/* Gaps everywhere: too long for a line. */
	drop_all(ahead);
	return 1;
}

void imap_ahead_piece(struct imap *imap, const char *data, size_t n)
{
	struct imap_ahead *ahead = imap->ahead;

	ahead->too_long |=
		buffer_used(&ahead->incoming) + n > imap->settings->read_ahead + SLACK_OCTETS;
	if (!ahead->too_long)
		buffer_append(&ahead->incoming, data, n);
}

void imap_ahead_end(struct imap *imap, uint32_t uid, bool found)
{
	struct imap_ahead *ahead = imap->ahead;

	for (size_t i = 0; found && !ahead->too_long && i < ahead->n; i++) {
		struct kept *kept = &ahead->kept[i];

		if (kept->uid != uid || kept->there)
			continue;
		kept->body = ahead->incoming;
		kept->there = true;
		ahead->incoming = (struct buffer){ 0 };
		break;
	}
	buffer_done(&ahead->incoming);
	ahead->too_long = false;
}
