#include "backends/imap/imap_removal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum removal_plan removal_plan(unsigned capabilities, enum on_delete how)
{
	bool move = capabilities & IMAP_MOVE, uidplus = capabilities & IMAP_UIDPLUS;

	if (how == DELETE_TRASH) {
		if (move)
			return PLAN_MOVE;
		return uidplus ? PLAN_COPY_EXPUNGE : PLAN_COPY_FLAG;
	}
	if (uidplus)
		return PLAN_EXPUNGE;
	return move ? PLAN_MOVE : PLAN_FLAG;
}

enum removal_plan removal_plan_in(const struct imap *imap, size_t folder, enum on_delete how)
{
	const char *name = imap_folder_name(imap, folder);
	const char *trash = imap->account->tenant->maildrop.trash;
	bool inbox = strcasecmp(name, "INBOX") == 0 && strcasecmp(trash, "INBOX") == 0;

	/* Moved to where it is, a message would come back as a new one. */
	if (inbox || strcmp(name, trash) == 0)
		return removal_plan(imap->capabilities & ~(unsigned)IMAP_MOVE, DELETE_EXPUNGE);
	return removal_plan(imap->capabilities, how);
}

fiber_fn struct err imap_set_command(
	struct imap *imap, const char *before, const char *set, const char *after)
{
	cleanup(buffer_done) struct buffer text = { 0 };

	buffer_printf(&text, "%s %s%s", before, set, after);
	buffer_append(&text, "", 1);
	return imap_command(imap, IMAP_STEP_OTHER, text.data + text.start);
}

/* COPY or MOVE of a set to the trash, which is made when it is missing. */
fiber_fn static struct err to_trash(struct removal *r, const char *verb, const char *set)
{
	cleanup(buffer_done) struct buffer name = { 0 };
	struct err e;

	buffer_append(&name, " ", 1);
	e = imap_mailbox_name(&name, r->imap->account->tenant->maildrop.trash);
	if (failed(e))
		return e;
	buffer_append(&name, "", 1);
	e = imap_set_command(r->imap, verb, set, name.data + name.start);
	if (!failed(e) || !imap_alive(r->imap) || r->trash_made ||
		!imap_answer_has(r->imap, "TRYCREATE"))
		return e;
	r->trash_made = true;
	e = imap_set_command(r->imap, "CREATE", name.data + name.start + 1, "");
	return failed(e) ? e : imap_set_command(r->imap, verb, set, name.data + name.start);
}

fiber_fn static struct err flag_deleted(struct removal *r, const char *set)
{
	return imap_set_command(r->imap, "UID STORE", set, " +FLAGS.SILENT (\\Deleted)");
}

/* Finds out which messages of a batch are still there. */
struct census {
	struct imap_consumer consumer; /* first */
	const struct batch *batch;
};

static int by_uid(const void *key, const void *element)
{
	uint32_t uid = *(const uint32_t *)key, other = *(const uint32_t *)element;

	return (uid > other) - (uid < other);
}

static void on_counted(struct imap_consumer *consumer, const struct mailimap_msg_att *att)
{
	const struct batch *b = ((struct census *)consumer)->batch;

	for (clistiter *i = clist_begin(att->att_list); i; i = clist_next(i)) {
		const struct mailimap_msg_att_item *item = clist_content(i);
		const struct mailimap_msg_att_static *fixed = item->att_data.att_static;
		const uint32_t *found;

		if (item->att_type != MAILIMAP_MSG_ATT_ITEM_STATIC || !fixed ||
			fixed->att_type != MAILIMAP_MSG_ATT_UID)
			continue;
		found = bsearch(&fixed->att_data.att_uid, b->uids, b->n, sizeof(*b->uids), by_uid);
		if (found)
			b->outcomes[found - b->uids] = REMOVAL_FAILED;
	}
}

/* Asks by FETCH: every server answers it alike, while SEARCH has several forms of answer. */
fiber_fn static struct err verify(struct removal *r, const struct batch *batch, const char *set)
{
	struct census census = { .consumer.attributes = on_counted, .batch = batch };
	cleanup(buffer_done) struct buffer text = { 0 };
	struct err e;

	buffer_printf(&text, "UID FETCH %s (UID)", set);
	buffer_append(&text, "", 1);
	for (size_t i = 0; i < batch->n; i++)
		batch->outcomes[i] = REMOVAL_DONE;
	e = imap_fetch_into(r->imap, &census.consumer, IMAP_TEXT_MAX, text.data + text.start);
	if (e.scope == ERR_MESSAGE)
		e.scope = ERR_TEMP;
	for (size_t i = 0; failed(e) && i < batch->n; i++)
		batch->outcomes[i] = REMOVAL_FAILED;
	return e;
}

fiber_fn static struct err flag_only(struct removal *r, const struct batch *batch, const char *set)
{
	struct err e = flag_deleted(r, set);

	for (size_t i = 0; !failed(e) && i < batch->n; i++)
		batch->outcomes[i] = REMOVAL_FLAGGED;
	return e;
}

/* The steps of the plan up to where the messages should be gone. */
fiber_fn static struct err carry_out(struct removal *r, const char *set)
{
	struct err e = ok();

	if (r->plan == PLAN_MOVE)
		return to_trash(r, "UID MOVE", set);
	if (r->plan == PLAN_COPY_EXPUNGE)
		e = to_trash(r, "UID COPY", set);
	if (!failed(e))
		e = flag_deleted(r, set);
	return failed(e) ? e : imap_set_command(r->imap, "UID EXPUNGE", set, "");
}

fiber_fn struct err removal_run(struct removal *r, const struct batch *batch, const char *set)
{
	struct err e = ok(), checked;

	if (r->plan == PLAN_COPY_FLAG)
		e = to_trash(r, "UID COPY", set);
	if (failed(e))
		return e;
	if (r->plan == PLAN_FLAG || r->plan == PLAN_COPY_FLAG)
		return flag_only(r, batch, set);
	e = carry_out(r, set);
	if (!imap_alive(r->imap))
		return e;
	checked = verify(r, batch, set);
	return failed(e) ? e : checked;
}
