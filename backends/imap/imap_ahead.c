#include "backends/imap/imap_ahead.h"

#include <stdlib.h>

#include "backends/imap/imap.h"

/* What headers are taken to be, since no listing tells. */
#define HEADER_OCTETS 4096

struct ask {
	uint32_t uid;
	enum fetch_part part;
	int tag;
	uint64_t octets;
};

struct imap_ahead {
	struct ask asks[AHEAD_MAX + 1]; /* a ring; the client's own and those ahead of it */
	size_t first, n;
	uint64_t octets; /* of all of them */
	size_t last;     /* the message that was asked for last: index into the listing */
	int step;        /* from one to the next: 1, -1; 0: there is no order in it */
	enum fetch_part part;
	size_t window; /* how many to be ahead */
};

static struct ask *ask_at(struct imap_ahead *ahead, size_t i)
{
	return &ahead->asks[(ahead->first + i) % (AHEAD_MAX + 1)];
}

static struct imap_ahead *ahead_of(struct imap *imap)
{
	if (!imap->ahead) {
		imap->ahead = mem_zalloc(1, sizeof(*imap->ahead));
		imap->ahead->last = SIZE_MAX;
	}
	return imap->ahead;
}

bool imap_ahead_pending(const struct imap *imap)
{
	return imap->ahead && imap->ahead->n > 0;
}

void imap_ahead_free(struct imap *imap)
{
	free(steal(imap->ahead));
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

/* Takes note of what is asked for now, and how far it makes sense to be ahead. */
static void follow(struct imap_ahead *ahead, size_t index, enum fetch_part part)
{
	int step = 0;

	if (index != SIZE_MAX && ahead->last != SIZE_MAX && part == ahead->part)
		step = index == ahead->last + 1 ? 1 : index + 1 == ahead->last ? -1 : 0;
	if (step == 0)
		ahead->window = 0;
	else if (ahead->window == 0 || step != ahead->step)
		ahead->window = 2;
	else if (ahead->window < AHEAD_MAX)
		ahead->window *= 2;
	ahead->step = step;
	ahead->part = part;
	ahead->last = index;
}

static uint64_t octets_of(const struct backend_message *message, enum fetch_part part)
{
	return part == FETCH_ALL || message->size < HEADER_OCTETS ? message->size : HEADER_OCTETS;
}

fiber_fn static struct err send_ask(
	struct imap *imap, const struct backend_message *message, enum fetch_part part)
{
	struct imap_ahead *ahead = imap->ahead;
	struct ask *ask = ask_at(ahead, ahead->n);
	char command[64];
	int n = snprintf(command, sizeof(command), "UID FETCH %u BODY.PEEK[%s]\r\n", message->uid,
		part == FETCH_ALL ? "" : "HEADER");
	struct err e = imap_tag(imap);

	if (!failed(e))
		e = imap_send(imap, command, (size_t)n);
	if (failed(e))
		return e;
	*ask = (struct ask){ .uid = message->uid,
		.part = part,
		.tag = imap->session->imap_tag,
		.octets = octets_of(message, part) };
	ahead->octets += ask->octets;
	ahead->n++;
	return ok();
}

static struct ask pop(struct imap_ahead *ahead)
{
	struct ask ask = *ask_at(ahead, 0);

	ahead->first = (ahead->first + 1) % (AHEAD_MAX + 1);
	ahead->n--;
	ahead->octets -= ask.octets;
	return ask;
}

fiber_fn struct err imap_ahead_answer(struct imap *imap, struct imap_consumer *consumer)
{
	struct ask ask = pop(imap->ahead);
	int newest = imap->session->imap_tag;
	struct err e;

	imap->session->imap_tag = ask.tag;
	e = imap_take_answer(imap, consumer, IMAP_TEXT_MAX);
	imap->session->imap_tag = newest;
	return e;
}

fiber_fn static bool drop_piece(struct imap_consumer *consumer, const char *data, size_t n)
{
	(void)consumer;
	(void)data;
	(void)n;
	return true;
}

static void drop_attributes(struct imap_consumer *consumer, const struct mailimap_msg_att *att)
{
	(void)consumer;
	(void)att;
}

/* Reads and drops answers until at most `left` are to come. What the server says of a message that
 * nobody wants any more does not matter, as long as the connection lives. */
fiber_fn static struct err drop_to(struct imap *imap, size_t left)
{
	struct imap_consumer nobody = {
		.body = drop_piece, .bodies = IMAP_BODIES_ONE, .attributes = drop_attributes
	};

	while (imap->ahead->n > left) {
		struct err e = imap_ahead_answer(imap, &nobody);

		if (!imap_alive(imap))
			return e;
	}
	return ok();
}

fiber_fn struct err imap_ahead_drain(struct imap *imap)
{
	return imap_ahead_pending(imap) ? drop_to(imap, 0) : ok();
}

/* How many answers come before that of the message; all of them when it is not on its way. */
static size_t answers_before(struct imap_ahead *ahead, uint32_t uid, enum fetch_part part)
{
	size_t i = 0;

	while (i < ahead->n && !(ask_at(ahead, i)->uid == uid && ask_at(ahead, i)->part == part))
		i++;
	return i;
}

/* Sends for those behind the one asked for, as far as the window and the limit of octets go. */
fiber_fn static struct err send_ahead(struct imap *imap, size_t index)
{
	struct imap_ahead *ahead = imap->ahead;
	const struct backend_message *here = &imap->messages[index];

	while (ahead->n <= ahead->window && ahead->n <= AHEAD_MAX) {
		size_t next = ahead->step > 0 ? index + ahead->n : index - ahead->n;
		const struct backend_message *message = &imap->messages[next];
		struct err e;

		/* Below 0 it wraps. */
		if (next >= imap->n_messages || message->folder != here->folder ||
			octets_of(message, ahead->part) >
				imap->settings->read_ahead - ahead->octets)
			break;
		if (failed(e = send_ask(imap, message, ahead->part)))
			return e;
	}
	return ok();
}

fiber_fn struct err imap_ahead_ask(
	struct imap *imap, const struct backend_message *message, enum fetch_part part)
{
	struct imap_ahead *ahead = ahead_of(imap);
	size_t index = index_of(imap, message);
	size_t before = answers_before(ahead, message->uid, part);
	struct err e;

	follow(ahead, index, part);
	if (failed(e = drop_to(imap, ahead->n - before)))
		return e;
	if (ahead->n == 0 && failed(e = send_ask(imap, message, part)))
		return e;
	if (ahead->window == 0 || ahead->octets > imap->settings->read_ahead)
		return ok();
	return send_ahead(imap, index);
}
