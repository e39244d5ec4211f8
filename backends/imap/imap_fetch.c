#include <inttypes.h>
#include <string.h>

#include "backends/imap/imap.h"
#include "backends/imap/imap_park.h"

/* How much of a body TOP asks for: what so many lines of usual length take, then twice as much. */
#define LINE_OCTETS 80
#define CHUNK_MIN   4096
#define CHUNK_MAX   262144

struct delivery {
	struct imap_consumer consumer; /* first */
	struct imap *imap;
	struct sink *out;
	uint32_t uid;
	uint64_t octets;  /* delivered */
	uint64_t told;    /* how many there are, where the server told */
	char tail[4];     /* the last of them */
	bool complete;    /* the answer for uid ended with a body in it */
	bool nil;         /* and the body was NIL */
	bool wrong;       /* a body came that was not asked for */
	struct err error; /* the sink's */
};

static void remember_tail(struct delivery *d, const char *data, size_t n)
{
	size_t take = n < sizeof(d->tail) ? n : sizeof(d->tail);

	if (n == 0) /* then data may be NULL */
		return;
	memmove(d->tail, d->tail + take, sizeof(d->tail) - take);
	memcpy(d->tail + sizeof(d->tail) - take, data + n - take, take);
}

fiber_fn static bool on_piece(struct imap_consumer *consumer, const char *data, size_t n)
{
	struct delivery *d = (struct delivery *)consumer;

	d->wrong |= d->complete;
	if (failed(d->error) || d->wrong)
		return false;
	d->told = d->imap->stream->body_octets;
	d->octets += n;
	remember_tail(d, data, n);
	d->error = d->out->write(d->out, data, n);
	return !failed(d->error);
}

/* The body that an answer is about, NULL: none, and the UID that it is for. */
static uint32_t body_of(
	const struct mailimap_msg_att *att, const struct mailimap_msg_att_body_section **ret)
{
	uint32_t uid = 0;

	*ret = NULL;
	for (clistiter *i = clist_begin(att->att_list); i; i = clist_next(i)) {
		const struct mailimap_msg_att_item *item = clist_content(i);
		const struct mailimap_msg_att_static *fixed = item->att_data.att_static;

		if (item->att_type != MAILIMAP_MSG_ATT_ITEM_STATIC || !fixed)
			continue;
		if (fixed->att_type == MAILIMAP_MSG_ATT_UID)
			uid = fixed->att_data.att_uid;
		else if (fixed->att_type == MAILIMAP_MSG_ATT_BODY_SECTION)
			*ret = fixed->att_data.att_body_section;
	}
	return uid;
}

static void on_delivered(struct imap_consumer *consumer, const struct mailimap_msg_att *att)
{
	struct delivery *d = (struct delivery *)consumer;
	const struct mailimap_msg_att_body_section *body;
	uint32_t uid = body_of(att, &body);

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
	d->octets = d->told = 0;
	d->complete = d->nil = d->wrong = false;
	d->error = ok();
}

/* What came of an answer; ok means that all of the section was written. */
static struct err judge(struct imap *imap, struct delivery *d, struct err e)
{
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
	if (d->told && d->told != d->octets)
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

/* A message and those that come along with it. */
struct run {
	struct imap_consumer consumer; /* first */
	struct imap *imap;
	struct delivery *own;
	bool astray; /* the own body, or what may be it, went elsewhere */
};

fiber_fn static bool on_run_piece(struct imap_consumer *consumer, const char *data, size_t n)
{
	struct run *run = (struct run *)consumer;

	if (run->imap->stream->body_uid == run->own->uid)
		return on_piece(&run->own->consumer, data, n);
	imap_ahead_piece(run->imap, data, n);
	return true;
}

static void on_run_attributes(struct imap_consumer *consumer, const struct mailimap_msg_att *att)
{
	struct run *run = (struct run *)consumer;
	const struct mailimap_msg_att_body_section *body;
	uint32_t uid = body_of(att, &body);

	if (!body)
		return;
	/* The body came before its UID was told. */
	run->astray |= uid == run->own->uid && run->imap->stream->body_uid != uid;
	if (uid == run->own->uid || run->imap->stream->body_uid == run->own->uid)
		on_delivered(&run->own->consumer, att);
	imap_ahead_end(run->imap, uid, body->sec_body_part != NULL || uid != run->own->uid);
}

/* Fetches the set, of which d's message is one. */
fiber_fn static struct err deliver_run(struct imap *imap, struct delivery *d,
	const struct buffer *set, enum fetch_part part, bool *ret_alone)
{
	struct run run = { .consumer = { .body = on_run_piece,
				   .bodies = IMAP_BODIES_RUN,
				   .attributes = on_run_attributes },
		.imap = imap,
		.own = d };
	cleanup(buffer_done) struct buffer command = { 0 };
	struct err e;

	expect(d);
	buffer_printf(&command, "UID FETCH %.*s BODY.PEEK[%s]", (int)buffer_used(set),
		buffer_data(set), part == FETCH_ALL ? "" : "HEADER");
	buffer_append(&command, "", 1);
	e = imap_fetch_into(imap, &run.consumer, IMAP_TEXT_MAX, buffer_data(&command));
	*ret_alone = imap_alive(imap) && d->octets == 0 && (run.astray || !d->complete);
	/* That another message could not be had is told when the client asks for that one. */
	if (failed(e) && imap_alive(imap) && d->complete)
		e = ok();
	return judge(imap, d, e);
}

/* What clients ask for in a row: all of a message, or its headers. */
fiber_fn static struct err deliver_in_turn(struct imap *imap, struct delivery *d,
	const struct backend_message *message, enum fetch_part part)
{
	cleanup(buffer_done) struct buffer kept = { 0 };
	cleanup(buffer_done) struct buffer set = { 0 };
	bool alone = false;
	struct err e;

	if (imap_ahead_take(imap, message, part, &kept)) {
		expect(d);
		(void)on_piece(&d->consumer, buffer_data(&kept), buffer_used(&kept));
		return d->error;
	}
	if (imap_ahead_choose(imap, &set) > 1) {
		e = deliver_run(imap, d, &set, part, &alone);
		if (!alone)
			return e;
		imap_ahead_stop(imap);
	}
	return deliver(imap, d, part == FETCH_ALL ? "]" : "HEADER]");
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

/* A connection, and the message's folder selected, its UIDs meaning what they did. */
fiber_fn static struct err reach(struct imap *imap, const struct backend_message *message)
{
	struct err e = imap_awake(imap);

	if (failed(e) || failed(e = imap_select(imap, message->folder)))
		return e;
	if (imap->uidvalidity != message->uidvalidity)
		return err_make(ERR_GONE, "%s: the folder of UID %u was renumbered", imap->server,
			message->uid);
	return ok();
}

fiber_fn struct err imap_fetch(struct backend *backend, const struct backend_message *message,
	enum fetch_part part, uint64_t lines, struct sink *out)
{
	struct imap *imap = (struct imap *)backend;
	struct delivery d = { .imap = imap, .out = out, .uid = message->uid };
	bool in_turn = part == FETCH_ALL || lines == 0;
	struct err e = ok();

	if (!in_turn || !imap_ahead_has(imap, message, part))
		e = reach(imap, message);
	if (failed(e))
		return e;
	if (part == FETCH_ALL)
		return deliver_in_turn(imap, &d, message, FETCH_ALL);
	/* What was asked for ahead would stand in the way of the lines. */
	e = deliver_headers(imap, &d, message, in_turn);
	return failed(e) || in_turn ? e : deliver_lines(imap, &d, lines);
}
