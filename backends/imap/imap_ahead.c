#include "backends/imap/imap_ahead.h"

#include <stdlib.h>

#include "backends/ahead.h"
#include "backends/imap/imap.h"
#include "backends/imap/imap_set.h"

/* What headers are taken to be at most, since no listing tells; and how far any message may be off.
 */
#define HEADER_OCTETS 4096
#define SLACK_OCTETS  65536

struct imap_ahead {
	struct ahead run;
	struct buffer incoming; /* the body that comes at the moment */
	bool too_long;          /* it is dropped */
	bool stopped;
};

static struct imap_ahead *ahead_of(struct imap *imap)
{
	if (!imap->ahead) {
		imap->ahead = mem_zalloc(1, sizeof(*imap->ahead));
		ahead_init(&imap->ahead->run);
	}
	return imap->ahead;
}

void imap_ahead_free(struct imap *imap)
{
	if (!imap->ahead)
		return;
	ahead_drop(&imap->ahead->run);
	buffer_done(&imap->ahead->incoming);
	free(steal(imap->ahead));
}

void imap_ahead_stop(struct imap *imap)
{
	ahead_drop(&imap->ahead->run);
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

bool imap_ahead_has(
	const struct imap *imap, const struct backend_message *message, enum fetch_part part)
{
	return imap->ahead && ahead_has(&imap->ahead->run, index_of(imap, message), part);
}

bool imap_ahead_take(struct imap *imap, const struct backend_message *message, enum fetch_part part,
	struct buffer *ret)
{
	struct ahead *run = &ahead_of(imap)->run;
	bool there = ahead_take(run, index_of(imap, message), part, ret);

	/* The command that asks for this one may as well ask for all behind it. */
	if (!there)
		ahead_drop(run);
	return there;
}

size_t imap_ahead_choose(struct imap *imap, struct buffer *ret)
{
	struct ahead *run = &imap->ahead->run;
	const struct ahead_limits limits = {
		.session = imap->settings->read_ahead,
		.part = run->part == FETCH_ALL ? UINT64_MAX : HEADER_OCTETS,
		.message = UINT64_MAX,
	};
	uint32_t uids[AHEAD_MAX + 1];
	size_t n, own;

	if (!imap->ahead->stopped)
		ahead_choose(run, imap->messages, imap->n_messages, &limits);
	n = run->n + 1;
	if (n == 1)
		return 1;
	own = run->step > 0 ? 0 : n - 1;
	uids[own] = imap->messages[run->last].uid;
	for (size_t i = 0; i < run->n; i++)
		uids[run->step > 0 ? i + 1 : n - 2 - i] = imap->messages[run->kept[i].index].uid;
	if (imap_set(ret, uids, n) == n)
		return n;
	/* Gaps everywhere: too long for a line. */
	ahead_drop(run);
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

	for (size_t i = 0; found && !ahead->too_long && i < ahead->run.n; i++) {
		struct ahead_message *kept = &ahead->run.kept[i];

		if (imap->messages[kept->index].uid != uid || kept->there)
			continue;
		kept->body = ahead->incoming;
		kept->there = true;
		ahead->incoming = (struct buffer){ 0 };
		break;
	}
	buffer_done(&ahead->incoming);
	ahead->too_long = false;
}
