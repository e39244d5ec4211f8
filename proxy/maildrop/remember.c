/*
 * remember - what is read from the registry at login and written to it, and when.
 *
 * Listing and entries are both in key order and are joined in one pass, row by row, so that a
 * maildrop's entries never lie in memory together.
 *
 * An entry that the listing lacks is not dropped at once, since its message may be there after all:
 * delivered between another session's listing and this one's look into the registry, or overlooked
 * while somebody renamed it in the Maildir. To drop it would change its unique-id. It is marked
 * missing, and dropped at the first write a day later unless a listing showed it in between.
 *
 * The notice's entry has no message. Of several the last counts; older ones go the way of the
 * missing.
 */
#include <string.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/snapshot.h"

#define MISSING_GRACE ((int64_t)24 * 60 * 60) /* s */
#define VANISHED_MAX  10000 /* noted per session; the others have their turn at later writes */

/* One login's join. */
struct join {
	struct maildrop *drop;
	struct arena *scratch;
	size_t at;          /* how far in key order */
	uint64_t *returned; /* bits: present, but marked missing in the registry */
	size_t n_returned;
	size_t n_vanished;
	bool loading; /* the first look, as against the transaction: vanished ones are noted */
	struct registry_entry notice; /* the last one; number 0: there is none */
};

static struct registry_maildrop name_of(const struct maildrop *drop)
{
	return (struct registry_maildrop){
		.tenant = drop->account->tenant->name,
		.login = drop->account->login,
		.folders = drop->folders,
		.n_folders = drop->n_folders + (drop->settings->quota_warning > 0 ? 1 : 0),
	};
}

/* The entry of a message that is present. */
static struct registry_entry entry_of(const struct maildrop *drop, size_t index)
{
	const struct backend_message *message = &drop->messages[index];

	if (index == drop->n_messages)
		return drop->notice->entry;
	return (struct registry_entry){
		.folder = message->folder,
		.uidvalidity = message->uidvalidity,
		.uid = message->uid,
		.key = message->key ? message->key : "",
		.number = drop->numbers ? drop->numbers[index] : 0,
		.size = REGISTRY_NO_SIZE,
		.arrival = message->arrival,
	};
}

static void join_start(struct join *join)
{
	struct maildrop *drop = join->drop;

	join->at = 0;
	join->n_returned = 0;
	join->notice = (struct registry_entry){ 0 };
	bits_clear_all(join->returned, drop->n_messages);
	bits_clear_all(drop->known, drop->n_messages);
	if (drop->numbers)
		memset(drop->numbers, 0, drop->n_messages * sizeof(*drop->numbers));
}

static void join_vanished(struct join *join, const struct registry_entry *entry)
{
	struct arena *arena = join->drop->arena;
	struct vanished *vanished;

	if (!join->loading || join->n_vanished == VANISHED_MAX)
		return;
	vanished = arena_alloc(arena, sizeof(*vanished));
	vanished->entry = *entry;
	vanished->entry.key = arena_strdup(arena, entry->key);
	vanished->next = join->drop->vanished;
	join->drop->vanished = vanished;
	join->n_vanished++;
}

static void join_found(struct join *join, const struct registry_entry *entry, uint32_t index)
{
	struct maildrop *drop = join->drop;

	bit_set(drop->known, index);
	if (drop->numbers)
		drop->numbers[index] = entry->number;
	if (entry->hidden)
		bit_set(drop->left_out, index);
	if (entry->missing) {
		bit_set(join->returned, index);
		join->n_returned++;
	}
	if (entry->size != REGISTRY_NO_SIZE && drop->settings->exact_rfc822_size) {
		drop->messages[index].size = entry->size;
		drop->messages[index].exact = true;
	}
}

/* The one of the highest number is the last. */
static void join_notice(struct join *join, const struct registry_entry *entry)
{
	if (entry->number < join->notice.number) {
		join_vanished(join, entry);
		return;
	}
	if (join->notice.number)
		join_vanished(join, &join->notice);
	join->notice = *entry;
	join->notice.key = arena_strdup(join->drop->arena, entry->key);
}

static void join_visit(const struct registry_entry *entry, void *arg)
{
	struct join *join = arg;
	struct maildrop *drop = join->drop;

	if (!entry) {
		join_start(join);
		return;
	}
	if (entry->folder == drop->n_folders) {
		join_notice(join, entry);
		return;
	}
	for (; join->at < drop->n_messages; join->at++) {
		uint32_t index = drop->by_key[join->at];
		int order = snapshot_compare_entry(drop, entry, index);

		if (order < 0)
			break;
		if (order == 0) {
			join_found(join, entry, index);
			return;
		}
	}
	join_vanished(join, entry);
}

static bool lacks_number(const struct maildrop *drop, size_t index)
{
	return drop->numbers && !drop->numbers[index] && !bit_get(drop->left_out, index);
}

static bool notice_is_due(const struct join *join)
{
	return maildrop_quota_warns(join->drop) &&
	       !notice_is_current(&join->notice, join->drop->opened);
}

static bool join_wants_write(const struct join *join)
{
	if (join->n_returned || notice_is_due(join))
		return true;
	for (size_t i = 0; i < join->drop->n_messages; i++)
		if (lacks_number(join->drop, i))
			return true;
	return false;
}

static struct err tidy(const struct maildrop *drop, struct registry_writer *writer, int64_t now)
{
	struct err e = ok();

	for (const struct vanished *v = drop->vanished; v && !failed(e); v = v->next) {
		struct registry_entry entry = v->entry;

		if (!entry.missing) {
			entry.missing = now;
			e = writer->keep(writer, &entry);
		} else if (now - entry.missing >= MISSING_GRACE) {
			e = writer->drop(writer, &entry);
		}
	}
	return e;
}

static struct err give_numbers(struct join *join, struct registry_writer *writer)
{
	struct maildrop *drop = join->drop;
	uint32_t *fresh = arena_alloc(join->scratch, drop->n_messages * sizeof(*fresh));
	size_t n = 0;
	struct err e = ok();

	for (size_t i = 0; i < drop->n_messages; i++)
		if (lacks_number(drop, i))
			fresh[n++] = (uint32_t)i;
	snapshot_sort_by_arrival(drop, fresh, n);
	for (size_t i = 0; i < n && !failed(e); i++) {
		struct registry_entry entry;

		drop->numbers[fresh[i]] = writer->next++;
		entry = entry_of(drop, fresh[i]);
		e = writer->keep(writer, &entry);
		bit_set(drop->known, fresh[i]);
	}
	return e;
}

/* A new notice in the last one's place. */
static struct err place_notice(struct join *join, struct registry_writer *writer)
{
	struct maildrop *drop = join->drop;
	struct registry_entry last = join->notice;
	struct err e;

	join->notice = notice_entry(writer->next++, &drop->quota, drop->opened, drop->arena);
	join->notice.folder = drop->n_folders;
	e = writer->keep(writer, &join->notice);
	if (failed(e) || !last.number)
		return e;
	last.missing = 0;
	return writer->drop(writer, &last);
}

static struct err join_write(struct registry_writer *writer, void *arg)
{
	struct join *join = arg;
	struct err e;

	if (join->drop->numbers && failed(e = give_numbers(join, writer)))
		return e;
	/* Behind the messages, since it is the newest, and ids grow. */
	if (notice_is_due(join) && failed(e = place_notice(join, writer)))
		return e;
	for (size_t i = 0; i < join->drop->n_messages; i++) {
		struct registry_entry entry;

		if (!bit_get(join->returned, i))
			continue;
		entry = entry_of(join->drop, i);
		if (failed(e = writer->keep(writer, &entry)))
			return e;
	}
	return tidy(join->drop, writer, join->drop->opened);
}

static void show_notice(const struct join *join)
{
	struct maildrop *drop = join->drop;

	if (maildrop_quota_warns(drop) && join->notice.number && !join->notice.hidden)
		drop->notice = notice_new(drop->account, &join->notice, drop->arena);
}

fiber_fn struct err snapshot_remember(struct maildrop *drop)
{
	cleanup(arena_cleanup) struct arena *scratch = arena_new();
	struct registry_maildrop name = name_of(drop);
	struct join join = {
		.drop = drop,
		.scratch = scratch,
		.returned = bits_new(scratch, drop->n_messages),
		.loading = true,
	};
	struct err e;

	if (failed(e = registry_load(drop->registry, &name, join_visit, &join)))
		return e;
	if (join_wants_write(&join)) {
		join.loading = false;
		e = registry_change(drop->registry, &name, join_visit, join_write, &join);
		if (failed(e))
			return e;
		drop->vanished = NULL;
	}
	show_notice(&join);
	return ok();
}

/* One QUIT's changes. */
struct update_plan {
	struct maildrop *drop;
	const struct deletions *deletions;
	int64_t now;
};

static struct err write_sizes(struct maildrop *drop, struct registry_writer *writer)
{
	struct err e = ok();

	for (size_t i = 0; drop->measured && i < drop->n_messages && !failed(e); i++) {
		struct registry_entry entry;

		if (drop->measured[i] == REGISTRY_NO_SIZE)
			continue;
		entry = entry_of(drop, i);
		entry.size = drop->measured[i];
		e = writer->keep(writer, &entry);
	}
	return e;
}

static struct err update_write(struct registry_writer *writer, void *arg)
{
	const struct update_plan *plan = arg;
	const struct deletions *deletions = plan->deletions;
	struct registry_entry entry;
	struct err e;

	for (size_t i = 0; i < deletions->n_gone; i++) {
		if (!bit_get(plan->drop->known, deletions->gone[i]))
			continue;
		entry = entry_of(plan->drop, deletions->gone[i]);
		if (failed(e = writer->drop(writer, &entry)))
			return e;
	}
	for (size_t i = 0; i < deletions->n_hidden; i++) {
		entry = entry_of(plan->drop, deletions->hidden[i]);
		entry.hidden = true;
		if (failed(e = writer->keep(writer, &entry)))
			return e;
	}
	if (failed(e = write_sizes(plan->drop, writer)))
		return e;
	return tidy(plan->drop, writer, plan->now);
}

static bool update_wants_write(const struct maildrop *drop, const struct deletions *deletions)
{
	if (deletions->n_hidden)
		return true;
	for (size_t i = 0; i < deletions->n_gone; i++)
		if (bit_get(drop->known, deletions->gone[i]))
			return true;
	for (size_t i = 0; drop->measured && i < drop->n_messages; i++)
		if (drop->measured[i] != REGISTRY_NO_SIZE)
			return true;
	return false;
}

fiber_fn struct err snapshot_remember_update(
	struct maildrop *drop, const struct deletions *deletions)
{
	struct registry_maildrop name = name_of(drop);
	struct update_plan plan = { .drop = drop, .deletions = deletions, .now = time(NULL) };

	for (size_t i = 0; drop->measured && i < deletions->n_gone; i++)
		drop->measured[deletions->gone[i]] = REGISTRY_NO_SIZE;
	if (!update_wants_write(drop, deletions))
		return ok();
	return registry_change(drop->registry, &name, NULL, update_write, &plan);
}
