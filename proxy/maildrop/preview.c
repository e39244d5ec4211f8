/* preview - a login without its second half. */
#include <string.h>
#include <time.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/known.h"
#include "proxy/maildrop/match.h"

struct previewing {
	struct maildrop *drop;
	const struct join *join;
	const struct adopted *old; /* NULL: what is known */
	struct maildrop_preview *preview;
};

/* known_id: NULL or text that stays. */
static void add_row(struct previewing *p, enum preview_status status,
	const struct registry_entry *entry, const char *unique_id, const char *known_id)
{
	struct maildrop_preview *preview = p->preview;
	struct arena *arena = p->drop->arena;

	preview->rows[preview->n++] = (struct preview_row){
		.status = status,
		.unique_id = arena_strdup(arena, unique_id),
		.known_id = known_id,
		.size = entry->size,
		.arrival = entry->arrival,
		.folder = arena_strdup(arena, p->drop->folders->names[entry->folder]),
	};
	preview->counts[status]++;
}

/* The text of an entry's id, to stay; NULL for NULL. */
static const char *known_id_of(const struct previewing *p, const struct registry_entry *entry)
{
	struct unique_id id;

	if (!entry)
		return NULL;
	entry_unique_id(entry, p->drop->folders, &id);
	return arena_strdup(p->drop->arena, id.text);
}

/* Where an old id had to be encoded it was another text to clients. */
static enum preview_status adoption_of(const char *known_id, const char *unique_id)
{
	return strcmp(known_id, unique_id) == 0 && !unique_id_encoded(unique_id) ? PREVIEW_ADOPTED
										 : PREVIEW_CHANGED;
}

static void add_message(
	struct previewing *p, size_t index, const struct registry_entry *known, bool suspect)
{
	struct registry_entry entry = snapshot_entry(p->join->snapshot, p->drop->folders, index);
	const char *known_id = known_id_of(p, known);
	enum preview_status status = suspect ? PREVIEW_CHANGED : PREVIEW_NEW;
	struct unique_id id;

	entry_unique_id(&entry, p->drop->folders, &id);
	if (known)
		status = entry_adopted(known) ? adoption_of(known_id, id.text) : PREVIEW_KEPT;
	add_row(p, status, &entry, id.text, known_id);
}

static bool is_shown(const struct snapshot *snapshot, size_t index)
{
	return !bit_get(snapshot->hidden, index) && !bit_get(snapshot->surplus, index);
}

static void add_messages(struct previewing *p)
{
	const struct join *join = p->join;

	for (size_t i = 0; i < join->snapshot->n; i++) {
		uint32_t at = join->entry_of[i];

		if (is_shown(join->snapshot, i))
			add_message(p, i, at == JOIN_NONE ? NULL : &join->record->entries[at],
				bit_get(join->suspect, i));
	}
}

/* What has been missing for a while is no news. */
static void add_missing(struct previewing *p)
{
	const struct join *join = p->join;
	struct unique_id id;

	for (size_t i = 0; i < join->record->n_entries; i++) {
		const struct registry_entry *entry = &join->record->entries[i];
		bool adopted = entry_adopted(entry);

		if (join->message_of[i] != JOIN_NONE || entry->hidden ||
			(entry->missing && !adopted) || entry->folder >= join->folders->n_mail ||
			join->mail[entry->folder].listed->absent)
			continue;
		entry_unique_id(entry, p->drop->folders, &id);
		add_row(p, PREVIEW_MISSING, entry, id.text, NULL);
	}
}

static struct match_item item_of(const struct registry_entry *entry)
{
	return (struct match_item){
		.emailid = entry->emailid,
		.fingerprint = entry->fingerprint,
		.size = entry->size,
		.arrival = entry->arrival,
		.until = entry->missing,
		.folder = entry->folder,
		.adopted = entry_adopted(entry),
	};
}

/* Messages of the snapshot, by age; returns how many. */
static size_t order_shown(const struct previewing *p, uint32_t *ret)
{
	const struct snapshot *snapshot = p->join->snapshot;
	size_t n = 0;

	for (size_t i = 0; i < snapshot->n; i++)
		if (is_shown(snapshot, i))
			ret[n++] = (uint32_t)i;
	order_by_age(snapshot->messages, ret, n, p->drop->account);
	return n;
}

/* The old one of each message in the order; NULL: it is new. */
static const struct registry_entry **find_old(
	const struct previewing *p, const uint32_t *order, size_t n, bool *met)
{
	const struct adopted *old = p->old;
	struct arena *scratch = p->join->scratch;
	struct match_item *lost = arena_alloc(scratch, old->n * sizeof(*lost));
	struct match_item *fresh = arena_alloc(scratch, n * sizeof(*fresh));
	const struct registry_entry **found = arena_zalloc(scratch, n, sizeof(*found));
	const uint32_t *pairs;

	for (size_t i = 0; i < old->n; i++)
		lost[i] = item_of(&old->entries[i]);
	for (size_t i = 0; i < n; i++) {
		struct registry_entry entry =
			snapshot_entry(p->join->snapshot, p->drop->folders, order[i]);

		fresh[i] = item_of(&entry);
	}
	pairs = match(lost, old->n, fresh, n, MATCH_ALL, scratch);
	for (size_t i = 0; i < n; i++) {
		if (pairs[i] == MATCH_NONE)
			continue;
		found[i] = &old->entries[pairs[i]];
		met[pairs[i]] = true;
	}
	return found;
}

static void compare(struct previewing *p)
{
	struct arena *scratch = p->join->scratch;
	uint32_t *order = arena_alloc(scratch, p->join->snapshot->n * sizeof(*order));
	size_t n = order_shown(p, order);
	bool *met = arena_zalloc(scratch, p->old->n, sizeof(*met));
	const struct registry_entry **old = find_old(p, order, n, met);

	for (size_t i = 0; i < n; i++)
		add_message(p, order[i], old[i], false);
	for (size_t i = 0; i < p->old->n; i++)
		if (!met[i])
			add_row(p, PREVIEW_MISSING, &p->old->entries[i],
				p->old->entries[i].unique_id, NULL);
}

static void fill(struct previewing *p)
{
	const struct join *join = p->join;
	struct maildrop_preview *preview = p->preview;

	preview->rows = arena_alloc(p->drop->arena,
		(join->listing->n + join->record->n_entries + (p->old ? p->old->n : 0)) *
			sizeof(*preview->rows));
	if (p->old) {
		compare(p);
	} else {
		add_messages(p);
		add_missing(p);
	}
	preview->known = join->known;
	preview->changed = join->changed;
	preview->refused = join_changes_much(join);
	preview->accepted = join->record->flags & REGISTRY_ACCEPTED;
}

fiber_fn static struct err foresee(
	struct login *login, const struct adopted *old, struct maildrop_preview *ret)
{
	struct previewing previewing = { .drop = login->drop, .old = old, .preview = ret };
	struct join *join;
	struct err e;

	if (failed(e = login_read(login)) || failed(e = login_list(login)) ||
		failed(e = login_begin_join(login)))
		return e;
	e = login_join(login, &join);
	previewing.join = join;
	if (!failed(e))
		fill(&previewing);
	join_done(join);
	return e;
}

fiber_fn static struct err preview(const struct account *account, struct backend *backend,
	struct registry *registry, const struct adopted *old, struct arena *arena,
	struct maildrop_preview *ret)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	struct maildrop *drop = arena_zalloc(arena, 1, sizeof(*drop));
	struct login login = { .drop = drop, .scratch = scratch, .from_scratch = old != NULL };
	struct err e;

	*drop = (struct maildrop){
		.account = account,
		.settings = &account->tenant->maildrop,
		.backend = backend,
		.registry = registry,
		.arena = arena,
		.opened = time(NULL),
	};
	*ret = (struct maildrop_preview){ 0 };
	e = folders_make(account, arena, &drop->folders);
	if (!failed(e)) {
		login.name = folders_maildrop(drop->folders, account);
		e = foresee(&login, old, ret);
	}
	maildrop_close(drop);
	return e;
}

fiber_fn struct err maildrop_foresee(const struct account *account, struct backend *backend,
	struct registry *registry, struct arena *arena, struct maildrop_preview *ret)
{
	return preview(account, backend, registry, NULL, arena, ret);
}

fiber_fn struct err maildrop_compare(const struct account *account, struct backend *backend,
	struct registry *registry, const struct adopted *old, struct arena *arena,
	struct maildrop_preview *ret)
{
	return preview(account, backend, registry, old, arena, ret);
}
