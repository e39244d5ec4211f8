#include <inttypes.h>
#include <string.h>

#include "backends/imap/imap.h"

/* How much of a body TOP asks for: what so many lines of usual length take, then twice as much. */
#define LINE_OCTETS 80
#define CHUNK_MIN   4096
#define CHUNK_MAX   262144

struct delivery {
	struct imap_consumer consumer; /* first */
	struct sink *out;
	uint32_t uid;
	uint64_t octets;  /* delivered */
	char tail[4];     /* the last of them */
	bool complete;    /* the answer for uid ended with a body in it */
	bool nil;         /* and the body was NIL */
	bool wrong;       /* a body came that was not asked for */
	struct err error; /* the sink's */
};

static void remember_tail(struct delivery *d, const char *data, size_t n)
{
	size_t take = n < sizeof(d->tail) ? n : sizeof(d->tail);

	memmove(d->tail, d->tail + take, sizeof(d->tail) - take);
	memcpy(d->tail + sizeof(d->tail) - take, data + n - take, take);
}

fiber_fn static bool on_piece(struct imap_consumer *consumer, const char *data, size_t n)
{
	struct delivery *d = (struct delivery *)consumer;

	d->wrong |= d->complete;
	if (failed(d->error) || d->wrong)
		return false;
	d->octets += n;
	remember_tail(d, data, n);
	d->error = d->out->write(d->out, data, n);
	return !failed(d->error);
}

/* The body that the answer was about, and the UID it was for. */
static void on_delivered(struct imap_consumer *consumer, const struct mailimap_msg_att *att)
{
	struct delivery *d = (struct delivery *)consumer;
	const struct mailimap_msg_att_body_section *body = NULL;
	uint32_t uid = 0;

	for (clistiter *i = clist_begin(att->att_list); i; i = clist_next(i)) {
		const struct mailimap_msg_att_item *item = clist_content(i);
		const struct mailimap_msg_att_static *fixed = item->att_data.att_static;

		if (item->att_type != MAILIMAP_MSG_ATT_ITEM_STATIC || !fixed)
			continue;
		if (fixed->att_type == MAILIMAP_MSG_ATT_UID)
			uid = fixed->att_data.att_uid;
		else if (fixed->att_type == MAILIMAP_MSG_ATT_BODY_SECTION)
			body = fixed->att_data.att_body_section;
	}
	if (!body)
		return;
	d->wrong |= uid != d->uid || d->complete;
	d->complete = true;
	d->nil = !body->sec_body_part && d->octets == 0;
}

/* Gives the connection up in the middle of an answer. */
static struct err give_up(struct imap *imap, struct err e)
{
	imap_stream_fail(imap->stream, err_make(ERR_TEMP, "given up in the middle of a message"));
	return e;
}

static void expect(struct delivery *d)
{
	d->consumer = (struct imap_consumer){
		.body = on_piece, .bodies = IMAP_BODIES_ONE, .attributes = on_delivered
	};
	d->octets = 0;
	d->complete = d->nil = d->wrong = false;
	d->error = ok();
}

/* What came of an answer; ok means that all of the section was written. */
static struct err judge(struct imap *imap, struct delivery *d, struct err e)
{
	const struct imap_stream *s = imap->stream;

	/* Then libetpan stopped in the middle of the body, and the connection is dead. */
	if (failed(d->error))
		return d->error;
	if (d->wrong)
		return give_up(imap, err_make(ERR_TEMP, "%s: UID %u: a body nobody asked for",
					     imap->server, d->uid));
	if (failed(e))
		return e;
	if (!d->complete || d->nil)
		return err_make(ERR_GONE, "%s: UID %u is gone", imap->server, d->uid);
	if (s->bodies > 0 && d->octets != s->body_octets)
		return give_up(imap, err_make(ERR_TEMP, "%s: UID %u: a body of another length",
					     imap->server, d->uid));
	return ok();
}

/* Fetches a part of the body into the sink. */
fiber_fn static struct err deliver(struct imap *imap, struct delivery *d, const char *section)
{
	char command[96];

	expect(d);
	(void)snprintf(command, sizeof(command), "UID FETCH %u BODY.PEEK[%s", d->uid, section);
	return judge(imap, d, imap_fetch_into(imap, &d->consumer, IMAP_TEXT_MAX, command));
}

/* The same of what clients ask for in a row: all of a message, or its headers. */
fiber_fn static struct err deliver_in_turn(struct imap *imap, struct delivery *d,
	const struct backend_message *message, enum fetch_part part)
{
	struct err e = imap_ahead_ask(imap, message, part);

	if (failed(e))
		return e;
	expect(d);
	return judge(imap, d, imap_ahead_answer(imap, &d->consumer));
}

static bool ends_in_blank_line(const struct delivery *d)
{
	const char *end = d->tail + sizeof(d->tail);

	if (d->octets < 1 || end[-1] != '\n')
		return false;
	if (d->octets == 1 || (d->octets == 2 && end[-2] == '\r'))
		return true;
	return end[-2] == '\n' || (end[-2] == '\r' && end[-3] == '\n');
}

/* The headers, and the blank line where the server leaves it out. */
fiber_fn static struct err deliver_headers(
	struct imap *imap, struct delivery *d, const struct backend_message *message, bool alone)
{
	struct err e =
		alone ? deliver_in_turn(imap, d, message, FETCH_TOP) : deliver(imap, d, "HEADER]");
	bool open;

	if (failed(e) || ends_in_blank_line(d))
		return e;
	open = d->octets > 0 && d->tail[sizeof(d->tail) - 1] != '\n';
	if (open)
		e = d->out->write(d->out, "\r\n", 2);
	return failed(e) ? e : d->out->write(d->out, "\r\n", 2);
}

fiber_fn static struct err deliver_lines(struct imap *imap, struct delivery *d, uint64_t lines)
{
	uint64_t chunk = lines > CHUNK_MAX / LINE_OCTETS ? CHUNK_MAX : lines * LINE_OCTETS;
	uint64_t offset = 0;
	char section[64];
	struct err e;

	if (chunk < CHUNK_MIN)
		chunk = CHUNK_MIN;
	while (!d->out->full && offset <= UINT32_MAX) {
		(void)snprintf(
			section, sizeof(section), "TEXT]<%" PRIu64 ".%" PRIu64 ">", offset, chunk);
		e = deliver(imap, d, section);
		if (failed(e))
			return e;
		if (d->octets > chunk)
			return err_make(ERR_TEMP, "%s: more than was asked for", imap->server);
		if (d->octets < chunk)
			break;
		offset += chunk;
		chunk = chunk * 2 < CHUNK_MAX ? chunk * 2 : CHUNK_MAX;
	}
	return ok();
}

fiber_fn struct err imap_fetch(struct backend *backend, const struct backend_message *message,
	enum fetch_part part, uint64_t lines, struct sink *out)
{
	struct imap *imap = (struct imap *)backend;
	struct delivery d = { .out = out, .uid = message->uid };
	struct err e = imap_select(imap, message->folder);

	if (failed(e))
		return e;
	if (imap->uidvalidity != message->uidvalidity)
		return err_make(ERR_GONE, "%s: the folder of UID %u was renumbered", imap->server,
			message->uid);
	if (part == FETCH_ALL)
		return deliver_in_turn(imap, &d, message, FETCH_ALL);
	/* What was asked for ahead would stand in the way of the lines. */
	e = deliver_headers(imap, &d, message, lines == 0);
	return failed(e) || lines == 0 ? e : deliver_lines(imap, &d, lines);
}
