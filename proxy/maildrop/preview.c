#include "proxy/maildrop/preview.h"

#include <string.h>
#include <time.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/match.h"
#include "proxy/maildrop/recall.h"

struct previewing {
	const struct join *join;
	const struct adopted *old;
	uint32_t *order; /* messages by age, without surplus and hidden ones */
	size_t n;
	struct arena *arena;
	struct preview *ret;
};

static void add(struct previewing *p, struct preview_message message)
{
	p->ret->messages[p->ret->n++] = message;
	p->ret->sums[message.status]++;
}

static void take_order(struct previewing *p, const struct snapshot *snapshot)
{
	const struct join *join = p->join;

	p->order = arena_alloc(join->scratch, (snapshot->n + 1) * sizeof(*p->order));
	for (size_t i = 0; i < snapshot->n; i++)
		if (!bit_get(join->surplus, i) && !bit_get(snapshot->hidden, i))
			p->order[p->n++] = (uint32_t)i;
	order_by_age(snapshot->messages, p->order, p->n, join->account);
}

static const char *new_id_of(const struct previewing *p, size_t index)
{
	struct unique_id id;

	snapshot_unique_id(p->join->snapshot, p->join->folders, index, &id);
	return arena_strdup(p->arena, id.text);
}

static const char *old_id_of(const struct previewing *p, const struct registry_entry *entry)
{
	struct unique_id id;

	entry_unique_id(entry, p->join->folders, &id);
	return arena_strdup(p->arena, id.text);
}

static void add_listed(struct previewing *p, size_t index, const struct registry_entry *entry)
{
	struct preview_message message = {
		.status = PREVIEW_NEW,
		.new_id = new_id_of(p, index),
		.size = p->join->snapshot->messages[index].size,
	};

	if (entry) {
		message.old_id = old_id_of(p, entry);
		message.status = entry_adopted(entry) ? PREVIEW_ADOPTED : PREVIEW_KEPT;
		/* What had to be encoded was another text to clients. */
		if (strcmp(message.old_id, message.new_id) != 0 ||
			(entry_adopted(entry) && unique_id_encoded(message.old_id)))
			message.status = PREVIEW_CHANGED;
	}
	add(p, message);
}

static void add_missing(struct previewing *p, const struct registry_entry *entry)
{
	add(p, (struct preview_message){
		       .status = PREVIEW_MISSING,
		       .old_id = old_id_of(p, entry),
		       .size = entry->size,
	       });
}

/* Against what the registry knows. */
static void compare_with_record(struct previewing *p)
{
	const struct join *join = p->join;
	const struct registry_record *record = join->record;

	for (size_t i = 0; i < p->n; i++) {
		uint32_t at = join->entry_of[p->order[i]];

		add_listed(p, p->order[i], at == JOIN_NONE ? NULL : &record->entries[at]);
	}
	for (size_t i = 0; i < record->n_entries; i++) {
		const struct registry_entry *entry = &record->entries[i];
		bool gone = entry->missing && !entry_adopted(entry);

		if (join->message_of[i] == JOIN_NONE && entry->folder < join->folders->n_mail &&
			!gone && !entry->hidden)
			add_missing(p, entry);
	}
}

static struct match_item item_of_old(const struct registry_entry *entry)
{
	return (struct match_item){
		.emailid = entry->emailid,
		.fingerprint = entry->fingerprint,
		.size = entry->size,
		.arrival = entry->arrival,
		.until = entry->missing,
		.adopted = true,
	};
}

static struct match_item item_of_message(const struct backend_message *message)
{
	return (struct match_item){
		.emailid = message->emailid,
		.fingerprint = message->fingerprint,
		.size = message->size,
		.arrival = message->arrival,
		.folder = message->folder,
	};
}

/* Against what another server gave. */
static void compare_with_old(struct previewing *p)
{
	struct arena *scratch = p->join->scratch;
	const struct adopted *old = p->old;
	struct match_item *lost = arena_alloc(scratch, (old->n + 1) * sizeof(*lost));
	struct match_item *fresh = arena_alloc(scratch, (p->n + 1) * sizeof(*fresh));
	bool *met = arena_zalloc(scratch, old->n + 1, sizeof(*met));
	const uint32_t *pairs;

	for (size_t i = 0; i < old->n; i++)
		lost[i] = item_of_old(&old->entries[i]);
	for (size_t i = 0; i < p->n; i++)
		fresh[i] = item_of_message(&p->join->snapshot->messages[p->order[i]]);
	pairs = match(lost, old->n, fresh, p->n, MATCH_ALL, scratch);
	for (size_t i = 0; i < p->n; i++) {
		add_listed(p, p->order[i], pairs[i] == MATCH_NONE ? NULL : &old->entries[pairs[i]]);
		if (pairs[i] != MATCH_NONE)
			met[pairs[i]] = true;
	}
	for (size_t i = 0; i < old->n; i++)
		if (!met[i])
			add_missing(p, &old->entries[i]);
}

static void fill(const struct login *login, const struct join *join, const struct adopted *old,
	struct arena *arena, struct preview *ret)
{
	struct previewing p = { .join = join, .old = old, .arena = arena, .ret = ret };
	size_t most = join->snapshot->n + join->record->n_entries + (old ? old->n : 0);

	*ret = (struct preview){
		.messages = arena_alloc(arena, (most + 1) * sizeof(*ret->messages)),
		.known = join->known,
		.changed = join->changed,
		.refused = login_is_refused(login, join),
	};
	take_order(&p, join->snapshot);
	if (old)
		compare_with_old(&p);
	else
		compare_with_record(&p);
}

fiber_fn static struct err preview(
	struct login *login, const struct adopted *old, struct arena *arena, struct preview *ret)
{
	struct join join = { 0 };
	struct err e = login_list(login);

	if (failed(e))
		return e;
	e = login_begin(login);
	if (!failed(e))
		e = login_join(login, &join);
	if (!failed(e))
		fill(login, &join, old, arena, ret);
	join_done(&join);
	return e;
}

fiber_fn struct err maildrop_preview(const struct account *account, struct backend *backend,
	struct registry *registry, const struct adopted *old, struct arena *arena,
	struct preview *ret)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	struct maildrop *drop = arena_zalloc(scratch, 1, sizeof(*drop));
	struct login login = { .drop = drop, .scratch = scratch, .from_scratch = old != NULL };
	struct err e;

	drop->account = account;
	drop->settings = &account->tenant->maildrop;
	drop->backend = backend;
	drop->registry = registry;
	drop->arena = scratch;
	drop->opened = time(NULL);
	e = folders_make(account, scratch, &drop->folders);
	if (!failed(e)) {
		login.name = folders_maildrop(drop->folders, account);
		e = preview(&login, old, arena, ret);
	}
	maildrop_close(drop);
	return e;
}
