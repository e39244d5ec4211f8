/*
 * remember - a login: what is known, what is listed now, and what is written of it before anything
 * is shown.
 *
 * Nothing is written where nothing has changed. Between reading and writing nobody is locked out:
 * who finds that another has written since joins his listing once more, with what the other wrote.
 */
#include <string.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/cache.h"
#include "proxy/maildrop/remember.h"
#include "proxy/maildrop/template_id.h"

#define ROUNDS 8 /* of writing; who loses so often has a storm of logins around him */

#define CHANGED_LEAST 50 /* messages; fewer never refuse a login */

fiber_fn static struct err load_base(struct login *login)
{
	struct maildrop *drop = login->drop;
	struct registry_record record;
	struct err e;

	e = registry_load(drop->registry, &login->name, login->scratch, &record);
	if (failed(e))
		return e;
	return snapshot_of_record(drop->account, drop->folders, &record, &drop->base);
}

/* What the registry knows: as this worker read it last, where it is that still. */
fiber_fn static struct err find_base(struct login *login)
{
	struct maildrop *drop = login->drop;
	struct snapshot *cached = cache_get(drop->account);
	uint64_t revision;
	struct err e;

	if (!cached)
		return load_base(login);
	drop->base = snapshot_ref(cached);
	e = registry_revision(drop->registry, &login->name, &revision);
	if (failed(e) || revision == drop->base->revision)
		return e;
	snapshot_unref(steal(drop->base));
	return load_base(login);
}

/* What the last listing of a folder showed, as far as that can be told from what was added to the
 * registry behind its back (by a session whose listing was stale, by QUIT). */
static struct backend_known known_of_folder(const struct login *login, size_t index)
{
	const struct snapshot *base = login->drop->base;
	const struct snapshot_folder *folder = &base->folders[index];
	struct mark mark = mark_parse(folder->mark);
	struct backend_known none = { 0 }, known = {
		.mark = arena_strdup(login->scratch, mark.store),
		.messages = base->messages + folder->first,
		.n = folder->n,
	};

	if (folder->absent || login->drop->folders->repeated[index])
		return none;
	while (known.n && known.messages[known.n - 1].uid &&
		known.messages[known.n - 1].uid >= mark.uidnext)
		known.n--;
	for (size_t i = 0; i < known.n; i++)
		if (bit_get(base->surplus, folder->first + i) ||
			known.messages[i].uidvalidity != mark.uidvalidity)
			return none;
	return known;
}

static const struct backend_known *known_of(const struct login *login)
{
	size_t n = login->drop->base->n_folders;
	struct backend_known *known = arena_zalloc(login->scratch, n, sizeof(*known));

	for (size_t i = 0; i < n; i++)
		known[i] = known_of_folder(login, i);
	return known;
}

/* Whether there are ids of another server that wait for their messages. */
static bool awaits_adopted(const struct login *login)
{
	const struct snapshot *base = login->drop->base;

	for (size_t i = 0; i < base->n_apart; i++)
		if (entry_adopted(&base->apart[i]))
			return true;
	return login->adopted.n > 0;
}

fiber_fn static struct err list(struct login *login)
{
	struct maildrop *drop = login->drop;
	struct backend_list_request request = {
		.known = login->from_scratch ? NULL : known_of(login),
		.identify = true,
		.fingerprints = login->from_scratch || awaits_adopted(login),
	};
	struct err e;

	e = drop->backend->ops->list(drop->backend, drop->arena, &request, &login->listing);
	if (failed(e))
		return e;
	drop->quota = login->listing.quota;
	return login->listing.n < UINT32_MAX ? ok() : err_make(ERR_LIMIT, "2^32 messages or more");
}

/* Whether nothing is known of the tenant's main folder, which the server before may have served. */
static bool is_unknown(const struct maildrop *drop)
{
	const struct snapshot *base = drop->base;

	if (drop->folders->hashes[0] != UNIQUE_ID_MAIN_FOLDER || *base->folders[0].mark ||
		base->folders[0].n > 0)
		return false;
	for (size_t i = 0; i < base->n_apart; i++)
		if (base->apart[i].folder == 0)
			return false;
	return true;
}

fiber_fn static struct err adopt(struct login *login)
{
	const struct maildrop *drop = login->drop;

	if (!is_unknown(drop))
		return ok();
	return adopted_entries(drop->account->tenant, drop->account->login, drop->opened,
		login->scratch, &login->adopted);
}

fiber_fn struct err login_list(struct login *login)
{
	struct err e;

	if (failed(e = find_base(login)) || failed(e = adopt(login)))
		return e;
	return list(login);
}

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

static void set_floors(struct login *login)
{
	size_t n = login->drop->folders->n_mail;

	login->floors = arena_alloc(login->scratch, n * sizeof(*login->floors));
	for (size_t i = 0; i < n; i++)
		login->floors[i] = mark_parse(login->record.folders[i].mark);
}

static struct join join_of(const struct login *login)
{
	const struct maildrop *drop = login->drop;

	return (struct join){
		.account = drop->account,
		.folders = drop->folders,
		.record = &login->record,
		.listing = &login->listing,
		.floors = login->floors,
		.warned = maildrop_quota_warns(drop) ? &drop->quota : NULL,
		.now = drop->opened,
		.stale = login->stale,
		.adopting = login->adopting,
		.scratch = login->scratch,
	};
}

/* What the server before left of the messages that are fresh, where ids are made of that. */
fiber_fn static struct err ask_legacy(const struct login *login, struct join *join)
{
	const struct maildrop *drop = login->drop;
	struct arena *scratch = login->scratch;
	size_t n = login->listing.n, n_fresh = 0;
	struct backend_message *fresh;
	struct backend_legacy *found, *legacy;
	struct err e;

	if (!template_of(drop->account->tenant) || !drop->backend->ops->legacy)
		return ok();
	fresh = arena_alloc(scratch, n * sizeof(*fresh));
	for (size_t i = 0; i < n; i++)
		if (join->entry_of[i] == JOIN_NONE && !bit_get(join->surplus, i))
			fresh[n_fresh++] = login->listing.messages[i];
	if (n_fresh == 0)
		return ok();
	found = arena_zalloc(scratch, n_fresh, sizeof(*found));
	e = drop->backend->ops->legacy(drop->backend, scratch, fresh, n_fresh, found);
	if (failed(e))
		return e;
	legacy = arena_zalloc(scratch, n, sizeof(*legacy));
	for (size_t i = n; i-- > 0;)
		if (join->entry_of[i] == JOIN_NONE && !bit_get(join->surplus, i))
			legacy[i] = found[--n_fresh];
	join->legacy = legacy;
	return ok();
}

fiber_fn struct err login_join(struct login *login, struct join *ret)
{
	struct err e;

	*ret = join_of(login);
	join_pair(ret);
	if (failed(e = ask_legacy(login, ret)))
		return e;
	join_give(ret);
	return join_result(ret);
}

/* Too many at once are rather a mistake (another's mail, an empty store, a broken restore) than the
 * wish to download everything again. Judged by the first join: a stale one counts other things. */
bool login_is_refused(const struct login *login, const struct join *join)
{
	unsigned limit = login->drop->account->tenant->uidl.max_changed;

	return !login->stale && !(login->record.flags & REGISTRY_ACCEPTED) &&
	       join->changed >= CHANGED_LEAST &&
	       (double)join->changed * 100 > (double)join->known * limit;
}

static struct err judge_changes(
	const struct login *login, const struct join *join, struct maildrop_opening *opening)
{
	const struct account *account = login->drop->account;

	if (!login_is_refused(login, join))
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
	struct join join;
	struct err e = login_join(login, &join);

	if (!failed(e))
		e = judge_changes(login, &join, opening);
	if (!failed(e))
		e = write_join(login, &join, opening, again);
	join_done(&join);
	return e;
}

/* They come first: of folder 0 there is nothing else. */
static void add_adopted(struct login *login)
{
	const struct adopted *adopted = &login->adopted;
	struct registry_record *record = &login->record;
	struct registry_entry *entries =
		arena_alloc(login->scratch, (adopted->n + record->n_entries) * sizeof(*entries));

	memcpy(entries, adopted->entries, adopted->n * sizeof(*entries));
	if (record->n_entries)
		memcpy(entries + adopted->n, record->entries, record->n_entries * sizeof(*entries));
	record->entries = entries;
	record->n_entries += adopted->n;
	if (record->next < adopted->next)
		record->next = adopted->next;
}

void login_begin(struct login *login)
{
	struct maildrop *drop = login->drop;

	login->record = snapshot_record(drop->base, drop->folders, login->scratch);
	login->adopting = login->adopted.n > 0;
	if (login->adopting)
		add_adopted(login);
	set_floors(login);
}

fiber_fn static struct err join_and_write(struct login *login, struct maildrop_opening *opening)
{
	struct maildrop *drop = login->drop;
	bool again = true;
	struct err e = ok();

	login_begin(login);
	for (unsigned i = 0; i < ROUNDS; i++) {
		e = join_once(login, opening, &again);
		if (failed(e) || !again)
			return e;
		login->stale = true;
		login->adopting = false; /* by the other */
		e = registry_load(drop->registry, &login->name, login->scratch, &login->record);
		if (failed(e))
			return e;
	}
	return err_make(ERR_TEMP, "registry: others have written %u times meanwhile", ROUNDS);
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

	if (failed(e = login_list(&login)))
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
