#include "backends/imap/imap_ground.h"

#include <stdlib.h>
#include <string.h>

void imap_ground_done(struct imap_ground *ground)
{
	free(ground->own);
}

/* Whether the messages are as a listing of this folder gives them. */
static bool is_in_order(const struct lister *l, const struct imap_ground *ground)
{
	const struct backend_message *m = ground->messages;

	for (size_t i = 0; i < ground->n; i++)
		if (m[i].uid == 0 || (i > 0 && m[i - 1].uid >= m[i].uid) ||
			m[i].uidvalidity != ground->mark.uidvalidity || m[i].folder != l->folder)
			return false;
	return ground->n == 0 || m[ground->n - 1].uid < ground->mark.uidnext;
}

static void put_in_order(const struct lister *l, struct imap_ground *ground)
{
	ground->own = mem_zalloc(ground->n, sizeof(*ground->own));
	memcpy(ground->own, ground->messages, ground->n * sizeof(*ground->own));
	messages_sort(ground->own, ground->n);
	for (size_t i = 0; i < ground->n; i++) {
		ground->own[i].uidvalidity = ground->mark.uidvalidity;
		ground->own[i].folder = l->folder;
	}
	ground->messages = ground->own;
}

/* HIGHESTMODSEQ only grows (RFC 7162 section 3.1.2.1). One that is less than it was tells of a
 * mailbox that was restored from a copy, whose UIDs may have been given anew since, or of counters
 * that were made anew. */
static bool went_back(const struct imap_ground *ground, const struct imap *imap)
{
	return imap->highestmodseq > 0 && imap->highestmodseq < ground->mark.modseq;
}

bool imap_ground_lay(
	struct imap_ground *ground, const struct lister *l, const struct backend_known *known)
{
	*ground = (struct imap_ground){ 0 };
	if (!known || !imap_mark_read(&ground->mark, known->mark))
		return false;
	ground->messages = known->messages;
	ground->n = known->n;
	ground->firm = (known->stands && *known->stands) || is_in_order(l, ground);
	if (ground->firm && known->stands)
		*known->stands = true;
	if (!ground->firm) {
		put_in_order(l, ground);
		ground->firm = is_in_order(l, ground);
	}
	ground->firm = ground->firm && !went_back(ground, l->imap);
	return true;
}

static bool is_another(const struct backend_message *a, const struct backend_message *b)
{
	return a->size != b->size || (a->arrival && b->arrival && a->arrival != b->arrival);
}

static void hand_over(const struct backend_message *from, struct backend_message *to)
{
	if (!to->emailid)
		to->emailid = from->emailid;
	if (!to->fingerprint)
		to->fingerprint = from->fingerprint;
}

/* Walks through the messages that both have. hand: what tells them goes over; else false at the
 * first that is another message. */
static bool walk(struct lister *l, const struct imap_ground *ground, bool hand)
{
	struct backend_message *m = lister_messages(l);
	size_t n = lister_count(l), i = 0, j = 0;

	while (i < n && j < ground->n) {
		const struct backend_message *known = &ground->messages[j];

		if (m[i].uid == known->uid && hand)
			hand_over(known, &m[i]);
		else if (m[i].uid == known->uid && is_another(known, &m[i]))
			return false;
		if (m[i].uid <= known->uid)
			i++;
		else
			j++;
	}
	return true;
}

bool imap_ground_compare(const struct imap_ground *ground, struct lister *l)
{
	return walk(l, ground, false) && walk(l, ground, true);
}

bool imap_ground_is_renumbered(const struct imap_ground *ground, const struct imap *imap)
{
	return ground->mark.uidvalidity != imap->uidvalidity ||
	       (imap->uidnext > 0 && imap->uidnext < ground->mark.uidnext);
}

bool imap_ground_is_unchanged(const struct imap_ground *ground, const struct imap *imap)
{
	return ground->firm && ground->mark.uidnext == imap->uidnext &&
	       ground->mark.exists == imap->exists && ground->n == imap->exists;
}
