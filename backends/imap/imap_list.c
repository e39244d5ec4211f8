#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/imap/imap.h"

/* libetpan keeps the text of an answer until its end, some 110 octets a message, so a large mailbox
 * is listed in parts. */
#define PART_MESSAGES 50000
/* A part spans more UIDs where they are sparse, but never more than this many messages. */
#define PART_SPAN_MAX  (8 * PART_MESSAGES)
#define PART_TEXT_MAX  (128U << 20)
#define MESSAGES_MAX   20000000U /* of one folder: more is no mailbox but an attack */
#define FIRST_MESSAGES 64

struct lister {
	struct imap_consumer consumer; /* first */
	struct backend_message *messages;
	size_t n, room;
	size_t first; /* where the folder starts that is being listed */
	uint16_t folder;
	uint32_t uidvalidity;
	uint32_t from, to; /* UIDs asked for */
	struct err error;
};

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
static bool take_attributes(struct backend_message *m, const struct mailimap_msg_att *att)
{
	bool has_uid = false, has_size = false;

	for (clistiter *i = clist_begin(att->att_list); i; i = clist_next(i)) {
		const struct mailimap_msg_att_item *item = clist_content(i);
		const struct mailimap_msg_att_static *fixed = item->att_data.att_static;

		if (item->att_type == MAILIMAP_MSG_ATT_ITEM_DYNAMIC && item->att_data.att_dyn)
			take_flags(m, item->att_data.att_dyn);
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

static void on_listed(struct imap_consumer *consumer, const struct mailimap_msg_att *att)
{
	struct lister *l = (struct lister *)consumer;
	struct backend_message m = {
		.folder = l->folder, .uidvalidity = l->uidvalidity, .exact = true
	};

	if (failed(l->error) || !take_attributes(&m, att))
		return;
	if (m.uid == 0)
		l->error = err_make(ERR_TEMP, "a message with UID 0");
	else if (l->n - l->first >= MESSAGES_MAX)
		l->error = err_make(ERR_TEMP, "more than %u messages", MESSAGES_MAX);
	if (failed(l->error) || m.uid < l->from || m.uid > l->to)
		return;
	if (l->n == l->room) {
		l->room = l->room ? l->room + l->room / 2 : FIRST_MESSAGES;
		l->messages = mem_resize(l->messages, l->room, sizeof(*l->messages));
	}
	l->messages[l->n++] = m;
}

static int by_uid(const void *a, const void *b)
{
	const struct backend_message *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* Brings the folder just listed into the order of its UIDs, which servers need not keep. */
static struct err settle(struct lister *l)
{
	struct backend_message *m;
	size_t n = l->n - l->first, i = 1;

	if (n < 2)
		return ok();
	m = l->messages + l->first;
	while (i < n && m[i - 1].uid < m[i].uid)
		i++;
	if (i >= n)
		return ok();
	qsort(m, n, sizeof(*m), by_uid);
	for (i = 1; i < n; i++)
		if (m[i - 1].uid == m[i].uid)
			return err_make(ERR_TEMP, "two messages with UID %u", m[i].uid);
	return ok();
}

fiber_fn static struct err list_part(struct imap *imap, struct lister *l)
{
	char to[16] = "*";
	char command[96];
	struct err e;

	if (l->to != UINT32_MAX)
		(void)snprintf(to, sizeof(to), "%u", l->to);
	(void)snprintf(command, sizeof(command),
		"UID FETCH %u:%s (UID RFC822.SIZE INTERNALDATE FLAGS)", l->from, to);
	e = imap_fetch_into(imap, &l->consumer, PART_TEXT_MAX, command);
	if (e.scope == ERR_MESSAGE)
		e.scope = ERR_TEMP;
	return failed(e) ? e : err_context(l->error, "%s", imap->server);
}

/* How many UIDs one part spans, from how densely they lie. */
static uint32_t part_span(const struct imap *imap)
{
	uint64_t span = (uint64_t)imap->uidnext * PART_MESSAGES / imap->exists;

	if (span < PART_MESSAGES)
		return PART_MESSAGES;
	return span > PART_SPAN_MAX ? PART_SPAN_MAX : (uint32_t)span;
}

/* Lists from l->from to the last UID that there was at the SELECT. */
fiber_fn static struct err list_in_parts(struct imap *imap, struct lister *l)
{
	uint32_t span = part_span(imap), last = imap->uidnext - 1;
	struct err e;

	for (;;) {
		l->to = last - l->from >= span ? l->from + span - 1 : last;
		e = list_part(imap, l);
		if (failed(e) || l->to == last)
			return e;
		l->from = l->to + 1;
	}
}

fiber_fn static struct err list_folder(struct imap *imap, struct lister *l)
{
	struct err e;

	l->first = l->n;
	l->uidvalidity = imap->uidvalidity;
	l->from = 1;
	l->to = UINT32_MAX;
	if (imap->exists == 0)
		return ok();
	if (imap->exists <= PART_MESSAGES || imap->uidnext <= 1)
		e = list_part(imap, l);
	else
		e = list_in_parts(imap, l);
	return failed(e) ? e : settle(l);
}

/* Whether a folder of maildrop.also does not exist for this user, which is no reason to refuse. */
static bool is_missing(const struct imap *imap, size_t folder, struct err e)
{
	return folder > 0 && e.scope == ERR_PERM && imap_alive(imap) &&
	       imap_answer_has(imap, "NONEXISTENT");
}

fiber_fn static struct err list_folders(
	struct imap *imap, struct lister *l, struct backend_folder *folders)
{
	for (size_t folder = 0; folder < imap_folder_count(imap); folder++) {
		struct err e = imap_select(imap, folder);

		folders[folder] = (struct backend_folder){ .mark = "", .first = l->n };
		if (is_missing(imap, folder, e)) {
			folders[folder].absent = true;
			continue;
		}
		l->folder = (uint16_t)folder;
		if (failed(e) || failed(e = list_folder(imap, l)))
			return e;
		folders[folder].n = l->n - l->first;
		folders[folder].uidvalidity = imap->uidvalidity;
		folders[folder].uidnext = imap->uidnext;
	}
	return ok();
}

static bool wants_quota(const struct account *account)
{
	return account->ask_quota || account->tenant->maildrop.quota_warning > 0;
}

fiber_fn struct err imap_list(struct backend *backend, struct arena *mem,
	const struct backend_list_request *request, struct backend_listing *ret)
{
	(void)request;
	struct imap *imap = (struct imap *)backend;
	struct lister l = { .consumer.attributes = on_listed, .error = ok() };
	struct backend_quota quota = { 0 };
	struct backend_folder *folders =
		arena_zalloc(mem, imap_folder_count(imap), sizeof(*folders));
	struct err e = list_folders(imap, &l, folders);
	struct backend_message *messages;

	if (!failed(e) && wants_quota(imap->account))
		e = imap_quota(imap, &quota);
	if (!failed(e)) {
		messages = arena_zalloc(mem, l.n, sizeof(*messages));
		if (l.n > 0)
			memcpy(messages, l.messages, l.n * sizeof(*messages));
		imap->messages = messages;
		*ret = (struct backend_listing){
			.messages = messages, .n = l.n, .folders = folders, .quota = quota
		};
	}
	free(l.messages);
	return e;
}
