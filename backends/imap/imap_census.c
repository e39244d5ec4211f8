#include "backends/imap/imap_census.h"

#include <inttypes.h>
#include <stdlib.h>

/* A UID and a space, in the long form. */
#define SEARCH_OCTETS 12
#define FIRST_UNKNOWN 64

void imap_census_init(struct imap_census *census, struct lister *lister)
{
	*census = (struct imap_census){ .lister = lister, .n = lister_count(lister) };
	census->steps = mem_zalloc(census->n + 1, sizeof(*census->steps));
}

void imap_census_done(struct imap_census *census)
{
	free(census->steps);
	free(census->unknown);
}

/* The first message from UID on. */
static size_t place_of(const struct imap_census *census, uint64_t uid)
{
	const struct backend_message *messages = lister_messages(census->lister);
	size_t low = 0, high = census->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (messages[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_unknown(struct imap_census *census, uint32_t uid)
{
	if (census->n_unknown == census->lister->imap->exists) {
		census->lie = true;
		return;
	}
	if (census->n_unknown == census->room) {
		census->room = census->room ? 2 * census->room : FIRST_UNKNOWN;
		census->unknown =
			mem_resize(census->unknown, census->room, sizeof(*census->unknown));
	}
	census->unknown[census->n_unknown++] = uid;
}

static void mark_range(struct imap_census *census, size_t low, size_t high)
{
	census->steps[low]++;
	census->steps[high]--;
}

static void on_gone(void *arg, uint32_t from, uint32_t to)
{
	struct imap_census *census = arg;

	mark_range(census, place_of(census, from), place_of(census, (uint64_t)to + 1));
}

/* Those of from…to that are not the messages low…high - 1. */
static void add_others(
	struct imap_census *census, uint32_t from, uint32_t to, size_t low, size_t high)
{
	const struct backend_message *messages = lister_messages(census->lister);

	for (uint64_t uid = from; uid <= to; uid++) {
		if (low < high && messages[low].uid == uid)
			low++;
		else
			add_unknown(census, (uint32_t)uid);
	}
}

static void on_found(void *arg, uint32_t from, uint32_t to)
{
	struct imap_census *census = arg;
	const struct imap *imap = census->lister->imap;
	size_t low, high;

	if (from >= imap->uidnext) /* came since the SELECT */
		return;
	to = to < imap->uidnext ? to : imap->uidnext - 1;
	census->named += (uint64_t)to - from + 1;
	if (census->named > imap->exists)
		census->lie = true;
	if (census->lie)
		return;
	low = place_of(census, from);
	high = place_of(census, (uint64_t)to + 1);
	mark_range(census, low, high);
	if (high - low != (size_t)(to - from) + 1)
		add_others(census, from, to, low, high);
}

/* A message that changed, in the eyes of QRESYNC: one that we should know. */
static void on_changed(struct imap_consumer *consumer, const struct mailimap_msg_att *att)
{
	struct imap_census *census = (struct imap_census *)consumer;
	const struct backend_message *messages = lister_messages(census->lister);

	for (clistiter *i = clist_begin(att->att_list); i; i = clist_next(i)) {
		const struct mailimap_msg_att_item *item = clist_content(i);
		const struct mailimap_msg_att_static *fixed = item->att_data.att_static;
		size_t place;
		uint32_t uid;

		if (item->att_type != MAILIMAP_MSG_ATT_ITEM_STATIC || !fixed ||
			fixed->att_type != MAILIMAP_MSG_ATT_UID)
			continue;
		uid = fixed->att_data.att_uid;
		place = place_of(census, uid);
		if (uid == 0 || uid >= census->lister->imap->uidnext)
			continue;
		if (place == census->n || messages[place].uid != uid)
			add_unknown(census, uid);
	}
}

/* Runs a command whose sets of this kind, and FETCH answers, are for the census. */
fiber_fn static struct err ask(struct imap_census *census, enum imap_news_set wanted,
	uint64_t text_max, const char *command)
{
	struct imap *imap = census->lister->imap;
	struct imap_news *news = &imap->stream->news;
	struct err e;

	census->consumer.attributes = on_changed;
	news->wanted = wanted;
	news->on_range = wanted == IMAP_SET_FOUND ? on_found : on_gone;
	news->arg = census;
	e = imap_fetch_into(imap, &census->consumer, text_max, command);
	news->wanted = IMAP_SET_NONE;
	news->on_range = NULL;
	return e;
}

fiber_fn struct err imap_census_resync(struct imap_census *census, const struct imap_mark *mark)
{
	const struct backend_message *messages = lister_messages(census->lister);
	uint32_t from = 1, to;
	char command[96];
	struct err e;

	census->vanished = true;
	for (size_t end = IMAP_PART_MESSAGES;; end += IMAP_PART_MESSAGES) {
		bool last = end >= census->n || messages[end].uid >= mark->uidnext;

		to = last ? mark->uidnext - 1 : messages[end].uid;
		(void)snprintf(command, sizeof(command),
			"UID FETCH %u:%u (UID) (CHANGEDSINCE %" PRIu64 " VANISHED)", from, to,
			mark->modseq);
		e = ask(census, IMAP_SET_EARLIER, IMAP_PART_TEXT_MAX, command);
		if (failed(e) || last)
			return e;
		from = to + 1;
	}
}

fiber_fn struct err imap_census_search(struct imap_census *census, const struct imap_mark *mark)
{
	const struct imap *imap = census->lister->imap;
	uint64_t text_max = IMAP_PART_TEXT_MAX + (uint64_t)imap->exists * SEARCH_OCTETS;
	struct err e;

	(void)mark;
	if (imap->capabilities & IMAP_ESEARCH) {
		e = ask(census, IMAP_SET_FOUND, text_max, "UID SEARCH RETURN (ALL) ALL");
		if (!failed(e) || !imap_alive(imap))
			return e;
	}
	return ask(census, IMAP_SET_FOUND, text_max, "UID SEARCH ALL");
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Sorts the unknown, none twice. */
static void settle_unknown(struct imap_census *census)
{
	size_t n = 0;

	if (census->n_unknown == 0)
		return;
	qsort(census->unknown, census->n_unknown, sizeof(*census->unknown), by_number);
	for (size_t i = 0; i < census->n_unknown; i++)
		if (n == 0 || census->unknown[i] != census->unknown[n - 1])
			census->unknown[n++] = census->unknown[i];
	census->n_unknown = n;
}

bool imap_census_apply(struct imap_census *census)
{
	struct backend_message *messages = lister_messages(census->lister);
	int32_t ranges = 0;
	size_t n = 0;

	if (census->lie)
		return false;
	for (size_t i = 0; i < census->n; i++) {
		ranges += census->steps[i];
		if ((ranges > 0) != census->vanished)
			messages[n++] = messages[i];
	}
	census->lister->n = census->lister->first + n;
	settle_unknown(census);
	return true;
}
