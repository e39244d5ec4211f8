/* result - what a join comes to: the change that is to be written, and the snapshot. */
#include <stdlib.h>
#include <string.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/join.h"
#include "proxy/maildrop/notice.h"

/* Everything that is to be, while it is put together; all in scratch. */
struct result {
	struct join *join;
	struct backend_message *messages; /* with what only the registry knew of them */
	struct registry_entry *entries;   /* of each message, as it is to be */
	struct registry_entry *keep, *drop, *apart;
	size_t n_keep, n_drop, n_apart;
	const char **marks;
	bool marked;
};

static const struct registry_entry *old_of(const struct join *join, size_t message)
{
	uint32_t at = join->entry_of[message];

	return at == JOIN_NONE ? NULL : &join->record->entries[at];
}

/* What the registry remembers of a message beyond what the listing says of it. */
static void take_over(struct result *result, size_t index, const struct registry_entry *old)
{
	struct join *join = result->join;
	struct registry_entry *entry = &result->entries[index];
	struct backend_message *message = &result->messages[index];
	struct unique_id id;

	entry->unique_id = old->unique_id;
	if (!*entry->unique_id && bit_get(join->matched, index)) {
		entry_unique_id(old, join->folders, &id);
		entry->unique_id = arena_strdup(join->scratch, id.text);
	}
	if (!message->emailid && *old->emailid)
		message->emailid = entry->emailid = old->emailid;
	if (!message->fingerprint)
		message->fingerprint = entry->fingerprint = old->fingerprint;
	entry->hidden = old->hidden;
	if (old->size == entry->size || old->size == REGISTRY_NO_SIZE)
		entry->measured = old->measured;
}

static void describe(struct result *result, size_t index)
{
	struct join *join = result->join;
	const struct backend_message *message = &result->messages[index];
	const struct registry_entry *old = old_of(join, index);
	struct registry_entry *entry = &result->entries[index];

	*entry = name_of_message(message, join->folders);
	entry->emailid = message->emailid ? message->emailid : "";
	entry->fingerprint = message->fingerprint;
	entry->size = message->size <= REGISTRY_SIZE_MAX ? message->size : REGISTRY_NO_SIZE;
	entry->measured = REGISTRY_NO_SIZE;
	entry->arrival = message->arrival;
	entry->exact = message->exact;
	if (join->given[index])
		entry->unique_id = join->given[index];
	if (old)
		take_over(result, index, old);
}

static bool same_entry(const struct registry_entry *a, const struct registry_entry *b)
{
	return a->size == b->size && a->measured == b->measured && a->arrival == b->arrival &&
	       a->missing == b->missing && a->exact == b->exact && a->hidden == b->hidden &&
	       a->fingerprint == b->fingerprint && strcmp(a->unique_id, b->unique_id) == 0 &&
	       strcmp(a->emailid, b->emailid) == 0;
}

static void settle_message(struct result *result, size_t index)
{
	struct join *join = result->join;
	const struct registry_entry *old = old_of(join, index);

	describe(result, index);
	if (bit_get(join->surplus, index))
		return;
	if (old && bit_get(join->matched, index))
		result->drop[result->n_drop++] = *old;
	else if (old && (join->stale || same_entry(old, &result->entries[index])))
		return;
	result->keep[result->n_keep++] = result->entries[index];
}

/* Since when it has been neither listed nor met; false: it may go. */
static bool within_grace(const struct join *join, const struct registry_entry *entry)
{
	int64_t grace = entry_adopted(entry) ? ADOPTED_GRACE : MISSING_GRACE;

	return !entry->missing || join->now - entry->missing < grace;
}

/* An entry that is no message's. Forgetting the old ones is no reason to write by itself. */
static void settle_entry(struct result *result, size_t index, size_t *n_forgotten)
{
	struct join *join = result->join;
	struct registry_entry entry = join->record->entries[index];

	if (bit_get(join->displaced, index) || entry.folder >= join->folders->n_mail)
		return;
	if (!join->stale && !join->mail[entry.folder].listed->absent) {
		if (!within_grace(join, &entry)) {
			result->drop[result->n_drop++] = entry;
			++*n_forgotten;
			return;
		}
		if (!entry.missing && !entry_adopted(&entry)) {
			entry.missing = join->now;
			result->keep[result->n_keep++] = entry;
		}
		if (entry_adopted(&entry) && join->adopting)
			result->keep[result->n_keep++] = entry;
	}
	result->apart[result->n_apart++] = entry;
}

/* At most one notice is remembered, the last. */
static void settle_notice(struct result *result)
{
	struct join *join = result->join;
	struct registry_entry last =
		notice_last(join->record->entries, join->record->n_entries, join->folders);

	for (size_t i = 0; i < join->record->n_entries; i++) {
		const struct registry_entry *entry = &join->record->entries[i];

		if (entry->folder < join->folders->n_mail)
			continue;
		if (compare_names(entry, &last) != 0 ||
			(join->warned && !notice_is_current(&last, join->now)))
			result->drop[result->n_drop++] = *entry;
	}
	if (join->warned && !notice_is_current(&last, join->now)) {
		/* Behind the messages, since it is the newest, and ids grow. */
		last = notice_entry(join_number(join), join->warned, join->now, join->scratch);
		last.folder = (uint16_t)join->folders->n_mail;
		result->keep[result->n_keep++] = last;
	}
	if (*last.unique_id)
		result->apart[result->n_apart++] = last;
}

static struct mark mark_of(const struct join *join, const struct joined_folder *folder)
{
	struct mark mark = {
		.uidvalidity = folder->uidvalidity,
		.uidnext = folder->uidnext,
		.store = folder->listed->mark ? folder->listed->mark : "",
	};
	bool same = folder->before.uidvalidity == mark.uidvalidity;

	if (join->stale) {
		if (folder->before.uidvalidity && !same)
			mark = folder->before;
		mark.store = "";
	}
	if (same && !folder->renumbered && folder->before.uidnext > mark.uidnext)
		mark.uidnext = folder->before.uidnext;
	return mark;
}

static void settle_marks(struct result *result)
{
	struct join *join = result->join;

	result->marks = arena_zalloc(join->scratch, join->folders->n, sizeof(*result->marks));
	for (size_t i = 0; i < join->folders->n_mail; i++) {
		const struct joined_folder *folder = &join->mail[i];
		const char *text;

		if (folder->listed->absent)
			continue;
		text = mark_text(mark_of(join, folder), join->scratch);
		if (strcmp(text, join->record->folders[i].mark) == 0)
			continue;
		result->marks[i] = text;
		result->marked = true;
	}
}

/* Whether a new message may be one that was shown before under another id. */
static bool is_suspect(const struct join *join, size_t index, int64_t newest)
{
	const struct backend_message *message = &join->listing->messages[index];
	const struct joined_folder *folder = join_folder_of(join, index);

	if (folder->renumbered || folder->converted)
		return true;
	if (join_of_maildir(join))
		return message->arrival <= newest;
	return folder->before.uidvalidity == message->uidvalidity &&
	       message->uid < folder->before.uidnext;
}

static void count_fresh(struct join *join, size_t folder)
{
	int64_t newest = join->mail[folder].newest;

	for (size_t i = 0; i < join->listing->n; i++) {
		if (join->entry_of[i] != JOIN_NONE || bit_get(join->surplus, i) ||
			join_folder_of(join, i) != &join->mail[folder] ||
			!is_suspect(join, i, newest))
			continue;
		bit_set(join->suspect, i);
		join->mail[folder].fresh++;
	}
}

/* How many ids that were known may turn up as others. A hidden message that is not known again
 * would be shown again, so it counts too; among those that are, it does not. */
static void count_changed(struct join *join)
{
	join->suspect = bits_new(join->scratch, join->listing->n);
	for (size_t i = 0; i < join->record->n_entries; i++) {
		const struct registry_entry *entry = &join->record->entries[i];

		bool lost;

		if (entry->missing || entry_adopted(entry) ||
			entry->folder >= join->folders->n_mail)
			continue;
		lost = join->message_of[i] == JOIN_NONE &&
		       !join->mail[entry->folder].listed->absent;
		join->mail[entry->folder].lost += lost;
		join->known += lost || !entry->hidden;
	}
	for (size_t i = 0; i < join->folders->n_mail; i++) {
		struct joined_folder *folder = &join->mail[i];

		if (!folder->lost)
			continue;
		count_fresh(join, i);
		join->changed += folder->lost < folder->fresh ? folder->lost : folder->fresh;
	}
}

static struct err make_snapshot(const struct result *result)
{
	struct join *join = result->join;
	cleanup(snapshot_cleanup) struct snapshot *snapshot = snapshot_new(join->folders->n_store);
	struct err e;

	snapshot_take_messages(snapshot, result->messages, join->listing->n);
	snapshot_describe(snapshot, result->entries);
	memcpy(snapshot->surplus, join->surplus,
		bits_words(join->listing->n) * sizeof(*join->surplus));
	snapshot_set_apart(snapshot, result->apart, result->n_apart);
	for (size_t i = 0; i < join->folders->n_mail; i++) {
		struct snapshot_folder *folder = &snapshot->folders[join->folders->to_store[i]];
		const char *mark =
			result->marks[i] ? result->marks[i] : join->record->folders[i].mark;

		folder->mark = arena_strdup(snapshot->arena, mark);
		folder->absent = join->mail[i].listed->absent;
	}
	snapshot->complete = !join->stale;
	if (failed(e = snapshot_finish(snapshot, join->account)))
		return e;
	join->snapshot = steal(snapshot);
	return ok();
}

static void make_change(struct result *result, size_t n_forgotten)
{
	struct join *join = result->join;
	bool noted = join->now - join->record->seen >= SEEN_PERIOD;

	join->change = (struct registry_change){
		.revision = join->record->revision,
		.next = join->next ? join->next : join->record->next,
		.flags = join->flags,
		.seen = join->now > join->record->seen ? join->now : join->record->seen,
		.marks = result->marks,
		.drop = result->drop,
		.n_drop = result->n_drop,
		.keep = result->keep,
		.n_keep = result->n_keep,
	};
	join->vital = join->n_given || join->n_matched ||
		      (join->flags & ~join->record->flags & REGISTRY_NUMBERS);
	join->wanted = join->vital || join->flags != join->record->flags || result->n_keep ||
		       result->n_drop > n_forgotten || (result->marked && !join->stale) || noted;
}

struct err join_result(struct join *join)
{
	struct arena *scratch = join->scratch;
	size_t n = join->listing->n, n_entries = join->record->n_entries, n_forgotten = 0;
	struct result result = {
		.join = join,
		.messages = arena_alloc(scratch, n * sizeof(*result.messages)),
		.entries = arena_alloc(scratch, n * sizeof(*result.entries)),
		.keep = arena_alloc(scratch, (n + n_entries + 1) * sizeof(*result.keep)),
		.drop = arena_alloc(scratch, n_entries * sizeof(*result.drop)),
		.apart = arena_alloc(scratch, (n_entries + 1) * sizeof(*result.apart)),
	};

	if (n)
		memcpy(result.messages, join->listing->messages, n * sizeof(*result.messages));
	for (size_t i = 0; i < n; i++)
		settle_message(&result, i);
	for (size_t i = 0; i < n_entries; i++)
		if (join->message_of[i] == JOIN_NONE)
			settle_entry(&result, i, &n_forgotten);
	settle_notice(&result);
	settle_marks(&result);
	count_changed(join);
	make_change(&result, n_forgotten);
	return make_snapshot(&result);
}

bool join_changes_much(const struct join *join)
{
	unsigned limit = join->account->tenant->uidl.max_changed;

	return join->changed >= CHANGED_LEAST &&
	       (double)join->changed * 100 > (double)join->known * limit;
}

void join_done(struct join *join)
{
	snapshot_unref(join->snapshot);
	join->snapshot = NULL;
}
