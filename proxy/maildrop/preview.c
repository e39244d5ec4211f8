/* preview - a login without its second half. */
#include <string.h>
#include <time.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/known.h"

struct previewing {
	struct maildrop *drop;
	const struct join *join;
	struct maildrop_preview *preview;
};

static void add_row(struct previewing *p, enum preview_status status,
	const struct registry_entry *entry, const char *unique_id)
{
	struct maildrop_preview *preview = p->preview;
	struct arena *arena = p->drop->arena;

	preview->rows[preview->n++] = (struct preview_row){
		.status = status,
		.unique_id = arena_strdup(arena, unique_id),
		.size = entry->size,
		.arrival = entry->arrival,
		.folder = arena_strdup(arena, p->drop->folders->names[entry->folder]),
	};
	preview->counts[status]++;
}

static enum preview_status status_of(const struct join *join, size_t index)
{
	uint32_t at = join->entry_of[index];

	if (at == JOIN_NONE)
		return bit_get(join->suspect, index) ? PREVIEW_CHANGED : PREVIEW_NEW;
	return entry_adopted(&join->record->entries[at]) ? PREVIEW_ADOPTED : PREVIEW_KEPT;
}

static void add_messages(struct previewing *p)
{
	const struct snapshot *snapshot = p->join->snapshot;
	struct unique_id id;

	for (size_t i = 0; i < snapshot->n; i++) {
		struct registry_entry entry = snapshot_entry(snapshot, p->drop->folders, i);

		if (entry.hidden || bit_get(snapshot->surplus, i))
			continue;
		entry_unique_id(&entry, p->drop->folders, &id);
		add_row(p, status_of(p->join, i), &entry, id.text);
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
		add_row(p, PREVIEW_MISSING, entry, id.text);
	}
}

static void fill(struct previewing *p)
{
	const struct join *join = p->join;
	struct maildrop_preview *preview = p->preview;

	preview->rows = arena_alloc(p->drop->arena,
		(join->listing->n + join->record->n_entries) * sizeof(*preview->rows));
	add_messages(p);
	add_missing(p);
	preview->known = join->known;
	preview->changed = join->changed;
	preview->refused = join_changes_much(join);
	preview->accepted = join->record->flags & REGISTRY_ACCEPTED;
}

fiber_fn static struct err foresee(struct login *login, struct maildrop_preview *ret)
{
	struct previewing previewing = { .drop = login->drop, .preview = ret };
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

fiber_fn struct err maildrop_foresee(const struct account *account, struct backend *backend,
	struct registry *registry, struct arena *arena, struct maildrop_preview *ret)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	struct maildrop *drop = arena_zalloc(arena, 1, sizeof(*drop));
	struct login login = { .drop = drop, .scratch = scratch };
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
		e = foresee(&login, ret);
	}
	maildrop_close(drop);
	return e;
}
