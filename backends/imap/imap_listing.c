#include "backends/imap/imap_listing.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/fingerprint.h"
#include "backends/imap/imap_identity.h"
#include "backends/imap/imap_set.h"

/* A part spans more UIDs where they are sparse, but never more than this many messages. */
#define PART_SPAN_MAX  (8 * IMAP_PART_MESSAGES)
#define FIRST_MESSAGES 64
/* Header fields are asked for in logins that list so many messages at most. */
#define HEADERS_MESSAGES 10000
/* Of one message. Where there is more, a Message-ID may be behind it: no fingerprint then. */
#define HEADERS_OCTETS 8192

/* Seconds since 1970; 0 when the date cannot be one. */
static int64_t arrival_of(const struct mailimap_date_time *date)
{
	struct tm tm = { 0 };
	int zone;
	time_t t;

	if (!date || date->dt_year < 1970 || date->dt_year > 9999 || date->dt_month < 1 ||
		date->dt_month > 12 || abs(date->dt_zone) > 2400)
		return 0;
	tm.tm_year = date->dt_year - 1900;
	tm.tm_mon = date->dt_month - 1;
	tm.tm_mday = date->dt_day & 31;
	tm.tm_hour = date->dt_hour & 31;
	tm.tm_min = date->dt_min & 63;
	tm.tm_sec = date->dt_sec & 63;
	zone = date->dt_zone / 100 * 3600 + date->dt_zone % 100 * 60;
	t = timegm(&tm) - zone;
	return t > 0 ? t : 0;
}

static void take_flags(struct backend_message *m, const struct mailimap_msg_att_dynamic *dynamic)
{
	clistiter *i = dynamic->att_list ? clist_begin(dynamic->att_list) : NULL;

	for (; i; i = clist_next(i)) {
		const struct mailimap_flag_fetch *flag = clist_content(i);

		if (flag->fl_type != MAILIMAP_FLAG_FETCH_OTHER || !flag->fl_flag)
			continue;
		m->seen |= flag->fl_flag->fl_type == MAILIMAP_FLAG_SEEN;
	}
}

/* The attributes of one answer; true when it tells UID and size, so is not just news of flags. */
static bool take_attributes(
	struct backend_message *m, const struct mailimap_msg_att *att, struct arena *mem)
{
	bool has_uid = false, has_size = false;

	for (clistiter *i = clist_begin(att->att_list); i; i = clist_next(i)) {
		const struct mailimap_msg_att_item *item = clist_content(i);
		const struct mailimap_msg_att_static *fixed = item->att_data.att_static;

		if (item->att_type == MAILIMAP_MSG_ATT_ITEM_DYNAMIC && item->att_data.att_dyn)
			take_flags(m, item->att_data.att_dyn);
		if (item->att_type == MAILIMAP_MSG_ATT_ITEM_EXTENSION && !m->emailid)
			m->emailid = imap_identity_of(item, mem);
		if (item->att_type != MAILIMAP_MSG_ATT_ITEM_STATIC || !fixed)
			continue;
		if (fixed->att_type == MAILIMAP_MSG_ATT_UID) {
			m->uid = fixed->att_data.att_uid;
			has_uid = true;
		} else if (fixed->att_type == MAILIMAP_MSG_ATT_RFC822_SIZE) {
			m->size = fixed->att_data.att_rfc822_size;
			has_size = true;
		} else if (fixed->att_type == MAILIMAP_MSG_ATT_INTERNALDATE) {
			m->arrival = arrival_of(fixed->att_data.att_internal_date);
		}
	}
	return has_uid && has_size;
}

/* Header fields, which come before their answer is whole. */
fiber_fn static bool on_headers(struct imap_consumer *consumer, const char *data, size_t n)
{
	struct lister *l = (struct lister *)consumer;
	size_t room = HEADERS_OCTETS - buffer_used(&l->headers);

	if (l->identity != IDENTITY_HEADERS)
		return true;
	buffer_append(&l->headers, data, n < room ? n : room);
	return true;
}

static uint64_t take_fingerprint(struct lister *l)
{
	size_t n = buffer_used(&l->headers);
	uint64_t fingerprint = 0;

	if (n > 0 && n < HEADERS_OCTETS)
		fingerprint = fingerprint_of_headers(buffer_data(&l->headers), n);
	buffer_consume(&l->headers, n);
	return fingerprint;
}

void lister_append(struct lister *l, const struct backend_message *messages, size_t n)
{
	if (n == 0)
		return;
	if (l->room - l->n < n) {
		l->room = l->n + (n > l->n / 2 ? n : l->n / 2);
		l->room = l->room > FIRST_MESSAGES ? l->room : FIRST_MESSAGES;
		l->messages = mem_resize(l->messages, l->room, sizeof(*l->messages));
	}
	memcpy(l->messages + l->n, messages, n * sizeof(*messages));
	l->n += n;
}

static void on_listed(struct imap_consumer *consumer, const struct mailimap_msg_att *att)
{
	struct lister *l = (struct lister *)consumer;
	struct backend_message m = { .folder = l->folder,
		.uidvalidity = l->imap->uidvalidity,
		.fingerprint = take_fingerprint(l),
		.exact = true };

	if (failed(l->error) || !take_attributes(&m, att, l->mem))
		return;
	if (m.uid == 0)
		l->error = err_make(ERR_TEMP, "a message with UID 0");
	else if (lister_count(l) >= IMAP_MESSAGES_MAX)
		l->error = err_make(ERR_TEMP, "more than %u messages", IMAP_MESSAGES_MAX);
	if (!failed(l->error) && m.uid >= l->from && m.uid <= l->to)
		lister_append(l, &m, 1);
}

void lister_init(struct lister *l, struct imap *imap, struct arena *mem,
	const struct backend_list_request *request)
{
	imap_identity_init();
	*l = (struct lister){ .consumer = { .body = on_headers, .attributes = on_listed },
		.imap = imap,
		.mem = mem,
		.request = request,
		.headers_left = HEADERS_MESSAGES,
		.error = ok() };
}

void lister_done(struct lister *l)
{
	free(l->messages);
	buffer_done(&l->headers);
}

void lister_begin(struct lister *l, size_t folder)
{
	l->folder = (uint16_t)folder;
	l->first = l->n;
}

static int by_uid(const void *a, const void *b)
{
	const struct backend_message *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

void messages_sort(struct backend_message *messages, size_t n)
{
	size_t i = 1;

	while (i < n && messages[i - 1].uid < messages[i].uid)
		i++;
	if (i < n)
		qsort(messages, n, sizeof(*messages), by_uid);
}

struct err lister_sort(struct lister *l)
{
	struct backend_message *m = lister_messages(l);
	size_t n = lister_count(l);

	messages_sort(m, n);
	for (size_t i = 1; i < n; i++)
		if (m[i - 1].uid == m[i].uid)
			return err_make(ERR_TEMP, "%s: two messages with UID %u", l->imap->server,
				m[i].uid);
	return ok();
}

/* What the server itself names a message by. */
static enum imap_identity own_identity(const struct lister *l)
{
	if (l->imap->capabilities & IMAP_OBJECTID)
		return IDENTITY_EMAILID;
	if (l->imap->capabilities & IMAP_X_GM_EXT_1)
		return IDENTITY_GMAIL;
	return IDENTITY_NONE;
}

/* What a FETCH of so many messages asks besides. */
static enum imap_identity choose_identity(struct lister *l, uint64_t expected)
{
	if (!l->request->identify)
		return IDENTITY_NONE;
	if (l->request->fingerprints)
		return IDENTITY_HEADERS;
	if (own_identity(l) != IDENTITY_NONE)
		return own_identity(l);
	if (expected > l->headers_left)
		return IDENTITY_NONE;
	l->headers_left -= expected;
	return IDENTITY_HEADERS;
}

static const char *const identity_items[] = {
	[IDENTITY_NONE] = "",
	[IDENTITY_EMAILID] = " EMAILID",
	[IDENTITY_GMAIL] = " X-GM-MSGID",
	[IDENTITY_HEADERS] = " BODY.PEEK[HEADER.FIELDS (" FINGERPRINT_FIELDS ")]<0.8192>",
};
_Static_assert(HEADERS_OCTETS == 8192, "as the command says");

/* Fetches what set names; answers about other UIDs than l->from to l->to are none. */
fiber_fn static struct err fetch_set(struct lister *l, const char *set)
{
	cleanup(buffer_done) struct buffer command = { 0 };
	bool headers = l->identity == IDENTITY_HEADERS;
	struct err e;

	buffer_printf(&command, "UID FETCH %s (UID RFC822.SIZE INTERNALDATE FLAGS%s%s)", set,
		headers ? identity_items[own_identity(l)] : "", identity_items[l->identity]);
	buffer_append(&command, "", 1);
	buffer_consume(&l->headers, buffer_used(&l->headers));
	l->consumer.bodies = headers ? IMAP_BODIES_MANY : IMAP_BODIES_NONE;
	e = imap_fetch_into(l->imap, &l->consumer, IMAP_PART_TEXT_MAX, buffer_data(&command));
	if (e.scope == ERR_MESSAGE)
		e.scope = ERR_TEMP;
	return failed(e) ? e : err_context(l->error, "%s", l->imap->server);
}

fiber_fn static struct err fetch_part(struct lister *l)
{
	char set[32];

	if (l->to == UINT32_MAX)
		(void)snprintf(set, sizeof(set), "%u:*", l->from);
	else
		(void)snprintf(set, sizeof(set), "%u:%u", l->from, l->to);
	return fetch_set(l, set);
}

/* How many UIDs one part spans, from how densely they lie. */
static uint32_t part_span(const struct lister *l, uint64_t expected)
{
	uint64_t uids = (uint64_t)l->imap->uidnext - l->from;
	uint64_t span = uids * IMAP_PART_MESSAGES / expected;

	if (span < IMAP_PART_MESSAGES)
		return IMAP_PART_MESSAGES;
	return span > PART_SPAN_MAX ? PART_SPAN_MAX : (uint32_t)span;
}

/* Lists from l->from to the last UID that there was at the SELECT. */
fiber_fn static struct err fetch_in_parts(struct lister *l, uint64_t expected)
{
	uint32_t span = part_span(l, expected), last = l->imap->uidnext - 1;
	struct err e;

	for (;;) {
		l->to = last - l->from >= span ? l->from + span - 1 : last;
		e = fetch_part(l);
		if (failed(e) || l->to == last)
			return e;
		l->from = l->to + 1;
	}
}

fiber_fn struct err lister_fetch(struct lister *l, uint32_t first, uint32_t last, uint64_t expected)
{
	l->from = first;
	l->to = last;
	l->identity = choose_identity(l, expected);
	if (expected <= IMAP_PART_MESSAGES || l->imap->uidnext <= first)
		return fetch_part(l);
	return fetch_in_parts(l, expected);
}

fiber_fn struct err lister_fetch_uids(struct lister *l, const uint32_t *uids, size_t n)
{
	struct err e = ok();

	l->identity = choose_identity(l, n);
	l->from = 1;
	l->to = UINT32_MAX;
	for (size_t done = 0; !failed(e) && done < n;) {
		cleanup(buffer_done) struct buffer set = { 0 };

		done += imap_set(&set, uids + done, n - done);
		buffer_append(&set, "", 1);
		e = fetch_set(l, buffer_data(&set));
	}
	return e;
}
