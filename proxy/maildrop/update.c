/* update - the UPDATE state: what QUIT asks of the store and of the registry, and what came of it.
 */
#include <assert.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/drop.h"

struct update {
	struct maildrop *drop;
	bool by_store; /* the store removes; else it is a matter of the registry, or of nobody */
	size_t *asked; /* indices: of the marked messages in order of number, then of the expired */
	enum removal_result *results; /* of each of them */
	size_t n, n_marked;
	bool notice;  /* is marked */
	size_t *seen; /* indices */
	size_t n_seen;
};

/* No mail that IMAP or a Maildir served came earlier (1985): such a date says that none is known.
 */
#define EARLIEST_ARRIVAL ((int64_t)473385600)

static int64_t age_of(const struct maildrop *drop, const struct backend_message *message)
{
	return drop->opened - message->arrival;
}

static bool is_expired(const struct maildrop *drop, const struct backend_message *message)
{
	uint64_t limit = drop->settings->expire_after;

	if (limit == DURATION_NEVER || drop->settings->on_delete == DELETE_IGNORE)
		return false;
	return message->arrival >= EARLIEST_ARRIVAL && message->arrival < drop->opened &&
	       (uint64_t)age_of(drop, message) > limit / 1000;
}

static void collect_one(struct update *update, size_t index, bool marked)
{
	const struct maildrop *drop = update->drop;
	const struct backend_message *message = drop_message(drop, index);
	bool expired = is_expired(drop, message);

	if (marked)
		update->asked[update->n_marked++] = index;
	else if (expired)
		update->n++;
	if (drop->settings->mark_seen && bit_get(drop->retrieved, index) && !message->seen &&
		!((marked || expired) && update->by_store))
		update->seen[update->n_seen++] = index;
}

static void collect_expired(struct update *update)
{
	const struct maildrop *drop = update->drop;
	size_t next = update->n_marked;

	for (size_t i = 1; i <= maildrop_count(drop) && next < update->n; i++) {
		size_t index = drop_index(drop, i);

		if (index != drop_notice_index(drop) && !maildrop_marked(drop, i) &&
			is_expired(drop, drop_message(drop, index)))
			update->asked[next++] = index;
	}
}

/* Where the store is not asked, the results are known beforehand. */
static void collect(struct update *update, struct arena *scratch)
{
	struct maildrop *drop = update->drop;
	enum on_delete how = drop->settings->on_delete;
	enum removal_result known = how == DELETE_HIDE     ? REMOVAL_FLAGGED
				    : how == DELETE_IGNORE ? REMOVAL_DONE
							   : REMOVAL_FAILED;

	update->by_store = how == DELETE_EXPUNGE || how == DELETE_TRASH;
	update->asked = arena_alloc(scratch, drop->view.n * sizeof(*update->asked));
	update->seen = arena_alloc(scratch, drop->view.n * sizeof(*update->seen));
	for (size_t i = 1; i <= maildrop_count(drop); i++) {
		size_t index = drop_index(drop, i);

		if (index == drop_notice_index(drop))
			update->notice = maildrop_marked(drop, i);
		else
			collect_one(update, index, maildrop_marked(drop, i));
	}
	update->n += update->n_marked;
	collect_expired(update);
	update->results = arena_alloc(scratch, update->n * sizeof(*update->results));
	for (size_t i = 0; i < update->n; i++)
		update->results[i] = known;
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
	size_t *hidden = arena_alloc(scratch, (update->n + 1) * sizeof(*hidden));
	struct deletions deletions = { .gone = gone, .hidden = hidden };

	if (update->by_store)
		deletions.n_gone = select_results(update, REMOVAL_DONE, gone);
	deletions.n_hidden = select_results(update, REMOVAL_FLAGGED, hidden);
	if (update->notice)
		hidden[deletions.n_hidden++] = drop_notice_index(drop);
	if (drop->registry)
		return drop_forget(drop, &deletions);
	if (deletions.n_hidden)
		return err_make(ERR_PERM,
			"%zu messages are %s: hiding them needs a registry (state: sqlite:…)",
			deletions.n_hidden,
			update->by_store ? "only flagged \\Deleted (the server has no UIDPLUS)"
					 : "to be hidden (on_delete)");
	return ok();
}

static const char *id_of(struct maildrop *drop, size_t index)
{
	struct unique_id id;

	drop_unique_id(drop, index, &id);
	return arena_strdup(drop->arena, id.text);
}

/* Whether asked[i] is gone, for POP3 at least. */
static bool is_gone(const struct update *update, size_t i, bool hiding_worked)
{
	return update->results[i] == REMOVAL_DONE ||
	       (update->results[i] == REMOVAL_FLAGGED && hiding_worked);
}

static void fill_removed(
	const struct update *update, bool hiding_worked, struct maildrop_outcome *outcome)
{
	struct maildrop *drop = update->drop;
	const char **ids = arena_alloc(drop->arena, (update->n_marked + 1) * sizeof(*ids));

	for (size_t i = 0; i < update->n_marked; i++)
		if (is_gone(update, i, hiding_worked))
			ids[outcome->removed++] = id_of(drop, update->asked[i]);
	if (update->notice && hiding_worked)
		ids[outcome->removed++] = id_of(drop, drop_notice_index(drop));
	outcome->removed_ids = ids;
}

static void fill_expired(
	const struct update *update, bool hiding_worked, struct maildrop_outcome *outcome)
{
	struct maildrop *drop = update->drop;
	struct maildrop_expired *expired =
		arena_alloc(drop->arena, (update->n - update->n_marked) * sizeof(*expired));

	for (size_t i = update->n_marked; i < update->n; i++) {
		const struct backend_message *message = drop_message(drop, update->asked[i]);

		if (is_gone(update, i, hiding_worked))
			expired[outcome->expired++] = (struct maildrop_expired){
				.unique_id = id_of(drop, update->asked[i]),
				.arrival = message->arrival,
				.age = age_of(drop, message),
			};
	}
	outcome->expired_messages = expired;
}

static void fill_outcome(
	const struct update *update, bool hiding_worked, struct maildrop_outcome *outcome)
{
	fill_removed(update, hiding_worked, outcome);
	fill_expired(update, hiding_worked, outcome);
	for (size_t i = 0; i < update->n && update->by_store && hiding_worked; i++)
		if (update->results[i] == REMOVAL_FLAGGED)
			outcome->hidden++;
}

static struct err verdict(const struct update *update, struct maildrop_outcome *outcome,
	struct err of_store, struct err of_registry)
{
	struct err e = of_store.detail[0] || failed(of_store) ? of_store : of_registry;
	size_t expired = update->n - update->n_marked;

	if (!failed(e) && failed(of_registry))
		e = of_registry;
	if (!failed(e) && outcome->removed < outcome->asked)
		e = err_make(ERR_TEMP, "the store kept the others");
	if (!failed(e) && outcome->expired < expired)
		e = err_make(ERR_TEMP, "the store kept %zu of %zu expired messages",
			expired - outcome->expired, expired);
	if (outcome->removed == outcome->asked) {
		outcome->note = e;
		return ok();
	}
	return err_context(e, "removed %zu of %zu messages", outcome->removed, outcome->asked);
}

/* Most sessions only look. */
static bool nothing_to_do(const struct maildrop *drop)
{
	return !drop->n_marks && !drop->any_retrieved && !drop->n_measured &&
	       drop->settings->expire_after == DURATION_NEVER;
}

fiber_fn struct err maildrop_update(struct maildrop *drop, struct maildrop_outcome *outcome)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	struct update update = { .drop = drop };
	struct err of_store, of_registry;

	assert(!drop->updated);
	drop->updated = true;
	*outcome = (struct maildrop_outcome){ .asked = drop->n_marks, .note = ok() };
	if (nothing_to_do(drop))
		return ok();
	collect(&update, scratch);
	of_store = ask_store(&update);
	of_registry = tell_registry(&update, scratch);
	fill_outcome(&update, !failed(of_registry), outcome);
	return verdict(&update, outcome, of_store, of_registry);
}
