/*
 * remember - a login: what is known, what is listed now, and what is written of it before anything
 * is shown.
 *
 * Nothing is written where nothing has changed. Between reading and writing nobody is locked out:
 * who finds that another has written since joins his listing once more, with what the other wrote.
 */
#include <string.h>

#include "proxy/maildrop/cache.h"
#include "proxy/maildrop/known.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_message(const struct backend_message *a, const struct backend_message *b)
{
	return a->uid == b->uid && a->uidvalidity == b->uidvalidity && a->folder == b->folder &&
	       a->size == b->size && a->exact == b->exact && a->arrival == b->arrival &&
	       a->fingerprint == b->fingerprint && same_text(a->key, b->key) &&
	       same_text(a->emailid, b->emailid);
}

/* Index by index, since the backend will be told indices of its own listing. */
static bool same_messages(const struct snapshot *base, const struct backend_listing *listing)
{
	if (listing->n != base->n)
		return false;
	for (size_t i = 0; listing->messages != base->messages && i < base->n; i++)
		if (!same_message(&listing->messages[i], &base->messages[i]))
			return false;
	return true;
}

static bool folder_stands(const struct login *login, size_t index)
{
	const struct snapshot_folder *known = &login->drop->base->folders[index];
	const struct backend_folder *listed = &login->listing.folders[index];

	if (login->drop->folders->repeated[index])
		return true;
	if (known->absent || listed->absent)
		return listed->absent && known->n == 0;
	return listed->unchanged && !listed->renumbered &&
	       strcmp(listed->mark, mark_parse(known->mark).store) == 0;
}

static bool notice_is_due(const struct maildrop *drop)
{
	struct registry_entry last =
		notice_last(drop->base->apart, drop->base->n_apart, drop->folders);

	return maildrop_quota_warns(drop) && !notice_is_current(&last, drop->opened);
}

/* Whether nothing is to be written and the snapshot of before can be shared. */
static bool stands(const struct login *login)
{
	const struct maildrop *drop = login->drop;

	for (size_t i = 0; i < drop->folders->n_store; i++)
		if (!folder_stands(login, i))
			return false;
	return same_messages(drop->base, &login->listing) && !notice_is_due(drop) &&
	       drop->base->revision && !(drop->base->flags & REGISTRY_ACCEPTED) &&
	       drop->opened - drop->base->seen < SEEN_PERIOD;
}

/* Too many at once are rather a mistake (another's mail, an empty store, a broken restore) than the
 * wish to download everything again. Judged by the first join: a stale one counts other things. */
static struct err judge_changes(
	const struct login *login, const struct join *join, struct maildrop_opening *opening)
{
	const struct account *account = login->drop->account;

	if (login->stale || (login->record.flags & REGISTRY_ACCEPTED) || !join_changes_much(join))
		return ok();
	opening->refused_changes = true;
	return err_make(ERR_TEMP,
		"%zu of %zu messages would show another unique-id (uidl.max_changed: %u %%); to "
		"accept: popgate uidl verify --accept %s",
		join->changed, join->known, account->tenant->uidl.max_changed, account->login);
}

/* The revision is that which the record has now. */
static void take_snapshot(struct login *login, struct join *join, uint64_t revision, bool written)
{
	struct maildrop *drop = login->drop;
	struct snapshot *snapshot = steal(join->snapshot);

	snapshot->revision = revision;
	snapshot->next = written ? join->change.next : login->record.next;
	snapshot->flags = written ? join->change.flags : login->record.flags;
	snapshot->seen = written ? join->change.seen : login->record.seen;
	drop->snapshot = snapshot;
	if (snapshot->complete)
		cache_put(drop->account, snapshot);
}

/* ok and *again: somebody else has written. */
fiber_fn static struct err write_join(
	struct login *login, struct join *join, struct maildrop_opening *opening, bool *again)
{
	struct maildrop *drop = login->drop;
	uint64_t revision = login->record.revision;
	struct err e;

	*again = false;
	if (!join->wanted) {
		take_snapshot(login, join, revision, false);
		return ok();
	}
	e = registry_change(drop->registry, &login->name, &join->change, &revision);
	if (!failed(e) && revision == 0) {
		*again = true;
		return ok();
	}
	if (!failed(e)) {
		take_snapshot(login, join, revision, true);
		return ok();
	}
	if (join->vital || (e.scope != ERR_TEMP && e.scope != ERR_PERM))
		return e;
	/* All that is shown is computed or was written before. */
	opening->note = e;
	join->snapshot->complete = false;
	login->unwritten = true;
	take_snapshot(login, join, login->record.revision, false);
	return ok();
}

fiber_fn static struct err join_once(
	struct login *login, struct maildrop_opening *opening, bool *again)
{
	struct join *join;
	struct err e = login_join(login, &join);

	if (!failed(e))
		e = judge_changes(login, join, opening);
	if (!failed(e))
		e = write_join(login, join, opening, again);
	join_done(join);
	return e;
}

fiber_fn static struct err join_and_write(struct login *login, struct maildrop_opening *opening)
{
	bool again = true;
	struct err e = login_begin_join(login);

	for (unsigned losses = 0; !failed(e);) {
		e = join_once(login, opening, &again);
		if (failed(e) || !again)
			return e;
		e = registry_step_back(++losses);
		if (!failed(e))
			e = login_read_again(login);
	}
	return e;
}

/* The notice, as far as it is on disk. */
static void show_notice(const struct login *login)
{
	struct maildrop *drop = login->drop;
	const struct snapshot *snapshot = drop->snapshot;
	struct registry_entry last =
		login->unwritten
			? notice_last(login->record.entries, login->record.n_entries, drop->folders)
			: notice_last(snapshot->apart, snapshot->n_apart, drop->folders);

	if (maildrop_quota_warns(drop) && notice_is_current(&last, drop->opened) && !last.hidden)
		drop->notice = notice_new(drop->account, &last, drop->arena);
}

fiber_fn struct err drop_remember(struct maildrop *drop, struct maildrop_opening *opening)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	struct login login = {
		.drop = drop,
		.name = folders_maildrop(drop->folders, drop->account),
		.scratch = scratch,
	};
	struct err e;

	if (failed(e = login_read(&login)) || failed(e = login_list(&login)))
		return e;
	if (stands(&login)) {
		drop->snapshot = snapshot_ref(drop->base);
		cache_put(drop->account, drop->snapshot);
	} else if (failed(e = join_and_write(&login, opening))) {
		return e;
	}
	show_notice(&login);
	return ok();
}
