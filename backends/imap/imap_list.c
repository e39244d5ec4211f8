#include <string.h>

#include "backends/imap/imap_delta.h"
#include "backends/imap/imap_ground.h"

/* Drops what came since the SELECT. false: there are messages from UIDNEXT on that were there
 * then, so that UIDNEXT is nothing to build on. */
static bool drop_late(struct lister *l)
{
	const struct imap *imap = l->imap;
	const struct backend_message *m = lister_messages(l);
	size_t n = lister_count(l);

	while (n > 0 && m[n - 1].uid >= imap->uidnext)
		n--;
	if (n < lister_count(l) && n + imap->stream->news.expunged < imap->exists)
		return false;
	l->n = l->first + n;
	return true;
}

/* *ret_sound: a later listing can build on this one. */
fiber_fn static struct err list_from_scratch(struct lister *l, bool *ret_sound)
{
	const struct imap *imap = l->imap;
	struct err e;

	*ret_sound = imap->uidnext > 0;
	if (imap->exists == 0)
		return ok();
	e = lister_fetch(l, 1, UINT32_MAX, imap->exists);
	if (failed(e) || failed(e = lister_sort(l)))
		return e;
	if (*ret_sound)
		*ret_sound = drop_late(l);
	return ok();
}

/* Lists the folder by what changed, where that can be told; else from scratch. */
fiber_fn static struct err list_on_ground(struct lister *l, const struct imap_ground *ground,
	struct backend_folder *ret, bool *ret_sound)
{
	bool done = false;
	struct err e = ok();

	if (ground->firm && l->imap->uidnext > 0) {
		lister_append(l, ground->messages, ground->n);
		e = imap_delta(l, &ground->mark, &done);
	}
	*ret_sound = done;
	/* A server may say NO where no message has the UIDs. */
	if (failed(e) ? !imap_alive(l->imap) : done)
		return e;
	l->n = l->first;
	if (failed(e = list_from_scratch(l, ret_sound)))
		return e;
	ret->renumbered = !imap_ground_compare(ground, l);
	return ok();
}

/* What the lister has of the folder is its listing. */
static void conclude(const struct lister *l, bool sound, struct backend_folder *ret)
{
	const struct imap *imap = l->imap;
	struct imap_mark mark = { .uidvalidity = imap->uidvalidity,
		.uidnext = imap->uidnext,
		.exists = lister_count(l),
		.modseq = imap->highestmodseq };

	ret->n = lister_count(l);
	ret->uidvalidity = imap->uidvalidity;
	ret->uidnext = sound ? imap->uidnext : 0;
	if (sound)
		ret->mark = imap_mark_write(&mark, l->mem);
}

/* What was known is its listing. */
static void keep(struct lister *l, const struct imap_ground *ground, struct backend_folder *ret)
{
	*ret = (struct backend_folder){ .mark = imap_mark_write(&ground->mark, l->mem),
		.first = l->first,
		.n = ground->n,
		.uidvalidity = ground->mark.uidvalidity,
		.uidnext = ground->mark.uidnext,
		.unchanged = true };
	if (imap_folder_count(l->imap) == 1 && !ground->own)
		l->whole = ground->messages;
	else
		lister_append(l, ground->messages, ground->n);
}

/* Lists the folder that is selected. */
fiber_fn static struct err list_folder(
	struct lister *l, const struct backend_known *known, struct backend_folder *ret)
{
	cleanup(imap_ground_done) struct imap_ground ground;
	bool sound = true, based = imap_ground_lay(&ground, l, known);
	struct err e;

	ret->renumbered = based && imap_ground_is_renumbered(&ground, l->imap);
	if (based && !ret->renumbered && imap_ground_is_unchanged(&ground, l->imap)) {
		keep(l, &ground, ret);
		return ok();
	}
	if (based && !ret->renumbered)
		e = list_on_ground(l, &ground, ret, &sound);
	else
		e = list_from_scratch(l, &sound);
	if (!failed(e))
		conclude(l, sound, ret);
	return e;
}

/* Whether a folder of maildrop.also does not exist for this user, which is no reason to refuse. */
static bool is_missing(const struct imap *imap, size_t folder, struct err e)
{
	return folder > 0 && e.scope == ERR_PERM && imap_alive(imap) &&
	       imap_answer_has(imap, "NONEXISTENT");
}

fiber_fn static struct err list_folders(
	struct lister *l, const struct backend_known *known, struct backend_folder *folders)
{
	for (size_t folder = 0; folder < imap_folder_count(l->imap); folder++) {
		struct err e = imap_select(l->imap, folder);

		lister_begin(l, folder);
		folders[folder] = (struct backend_folder){ .mark = "", .first = l->n };
		if (is_missing(l->imap, folder, e)) {
			folders[folder].absent = true;
			continue;
		}
		if (!failed(e))
			e = list_folder(l, known ? &known[folder] : NULL, &folders[folder]);
		if (failed(e))
			return e;
	}
	return ok();
}

static bool wants_quota(const struct account *account)
{
	return account->ask_quota || account->tenant->maildrop.quota_warning > 0;
}

/* The messages of all folders, in mem or the request's own. */
static const struct backend_message *hand_out(const struct lister *l)
{
	struct backend_message *messages;

	if (l->whole)
		return l->whole;
	messages = arena_zalloc(l->mem, l->n, sizeof(*messages));
	if (l->n > 0)
		memcpy(messages, l->messages, l->n * sizeof(*messages));
	return messages;
}

fiber_fn struct err imap_list(struct backend *backend, struct arena *mem,
	const struct backend_list_request *request, struct backend_listing *ret)
{
	struct imap *imap = (struct imap *)backend;
	size_t n_folders = imap_folder_count(imap);
	cleanup(lister_done) struct lister l = { 0 };
	struct backend_quota quota = { 0 };
	struct backend_folder *folders = arena_zalloc(mem, n_folders, sizeof(*folders));
	struct err e;

	lister_init(&l, imap, mem, request);
	e = list_folders(&l, request->known, folders);
	if (!failed(e) && wants_quota(imap->account))
		e = imap_quota(imap, &quota);
	if (failed(e))
		return e;
	imap->messages = hand_out(&l);
	*ret = (struct backend_listing){ .messages = imap->messages,
		.n = l.whole ? folders[0].n : l.n,
		.folders = folders,
		.quota = quota };
	imap->n_messages = ret->n;
	return ok();
}
