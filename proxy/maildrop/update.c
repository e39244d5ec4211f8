/* update - the UPDATE state: what QUIT asks of the store and of the registry, and what came of it.
 */
#include <assert.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/snapshot.h"

struct update {
	struct maildrop *drop;
	bool by_store; /* the store removes; else it is a matter of the registry, or of nobody */
	size_t *asked; /* indices of the marked messages, in order of number */
	enum removal_result *results; /* of each of them */
	size_t n;
	size_t *seen; /* indices */
	size_t n_seen;
};

/* Where the store is not asked, the results are known beforehand. */
static void collect(struct update *update, struct arena *scratch)
{
	struct maildrop *drop = update->drop;
	enum on_delete how = drop->settings->on_delete;

	update->by_store = how == DELETE_EXPUNGE || how == DELETE_TRASH;
	update->asked = arena_alloc(scratch, drop->n_marks * sizeof(*update->asked));
	update->results = arena_zalloc(scratch, drop->n_marks, sizeof(*update->results));
	update->seen = arena_alloc(scratch, drop->n_view * sizeof(*update->seen));
	for (size_t i = 0; i < drop->n_view; i++) {
		uint32_t index = drop->view[i];
		bool marked = bit_get(drop->marks, i);

		if (drop->settings->mark_seen && bit_get(drop->retrieved, index) &&
			!drop->messages[index].seen && !(marked && update->by_store))
			update->seen[update->n_seen++] = index;
		if (!marked)
			continue;
		if (how == DELETE_HIDE)
			update->results[update->n] = REMOVAL_FLAGGED;
		else if (how == DELETE_IGNORE)
			update->results[update->n] = REMOVAL_DONE;
		update->asked[update->n++] = index;
	}
}

fiber_fn static struct err ask_store(struct update *update)
{
	struct maildrop *drop = update->drop;
	struct backend_update ask = {
		.remove = update->asked,
		.n_remove = update->by_store ? update->n : 0,
		.how = update->by_store ? drop->settings->on_delete : DELETE_EXPUNGE,
		.seen = update->seen,
		.n_seen = update->n_seen,
	};

	if (!ask.n_remove && !ask.n_seen)
		return ok();
	return drop->backend->ops->update(drop->backend, &ask, update->results);
}

/* The indices with that result. */
static size_t select_results(
	const struct update *update, enum removal_result result, size_t *indices)
{
	size_t n = 0;

	for (size_t i = 0; i < update->n; i++)
		if (update->results[i] == result)
			indices[n++] = update->asked[i];
	return n;
}

/* The store has spoken; ok: what it only flagged is hidden from now on. */
fiber_fn static struct err tell_registry(struct update *update, struct arena *scratch)
{
	struct maildrop *drop = update->drop;
	size_t *gone = arena_alloc(scratch, update->n * sizeof(*gone));
	size_t *hidden = arena_alloc(scratch, update->n * sizeof(*hidden));
	struct deletions deletions = { .gone = gone, .hidden = hidden };

	if (update->by_store)
		deletions.n_gone = select_results(update, REMOVAL_DONE, gone);
	deletions.n_hidden = select_results(update, REMOVAL_FLAGGED, hidden);
	if (drop->registry)
		return snapshot_remember_update(drop, &deletions);
	if (deletions.n_hidden)
		return err_make(ERR_PERM,
			"%zu messages are %s: hiding them needs a registry (state: sqlite:…)",
			deletions.n_hidden,
			update->by_store ? "only flagged \\Deleted (the server has no UIDPLUS)"
					 : "to be hidden (on_delete)");
	return ok();
}

static void fill_outcome(
	const struct update *update, bool hiding_worked, struct maildrop_outcome *outcome)
{
	struct maildrop *drop = update->drop;
	const char **ids = arena_alloc(drop->arena, update->n * sizeof(*ids));
	struct unique_id id;

	for (size_t i = 0; i < update->n; i++) {
		bool flagged = update->results[i] == REMOVAL_FLAGGED;

		if (update->results[i] != REMOVAL_DONE && !(flagged && hiding_worked))
			continue;
		snapshot_unique_id(drop, (uint32_t)update->asked[i], &id);
		ids[outcome->removed++] = arena_strdup(drop->arena, id.text);
		if (flagged && update->by_store)
			outcome->hidden++;
	}
	outcome->removed_ids = ids;
}

static struct err verdict(
	struct maildrop_outcome *outcome, struct err of_store, struct err of_registry)
{
	struct err e = of_store.detail[0] || failed(of_store) ? of_store : of_registry;

	if (outcome->removed == outcome->asked) {
		outcome->note = e;
		return ok();
	}
	if (!failed(e) && failed(of_registry))
		e = of_registry;
	if (!failed(e))
		e = err_make(ERR_TEMP, "the store kept the others");
	return err_context(e, "removed %zu of %zu messages", outcome->removed, outcome->asked);
}

fiber_fn struct err maildrop_update(struct maildrop *drop, struct maildrop_outcome *outcome)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	struct update update = { .drop = drop };
	struct err of_store, of_registry;

	assert(!drop->updated);
	drop->updated = true;
	collect(&update, scratch);
	*outcome = (struct maildrop_outcome){ .asked = update.n };
	of_store = ask_store(&update);
	of_registry = tell_registry(&update, scratch);
	fill_outcome(&update, !failed(of_registry), outcome);
	return verdict(outcome, of_store, of_registry);
}
