/* join - which message is which entry's: by name, then by match.h. */
#include "proxy/maildrop/join.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/match.h"

static uint32_t *none_of(struct arena *arena, size_t n)
{
	uint32_t *ret = arena_alloc(arena, n * sizeof(*ret));

	for (size_t i = 0; i < n; i++)
		ret[i] = JOIN_NONE;
	return ret;
}

static const struct registry_entry *entry_at(const struct join *join, size_t index)
{
	return &join->record->entries[index];
}

/* Of a message that may have lain in the store: no notice, not adopted. */
static bool is_mail(const struct join *join, const struct registry_entry *entry)
{
	return entry->folder < join->folders->n_mail && !entry_adopted(entry);
}

static bool is_known_folder(const struct join *join, const struct registry_entry *entry)
{
	return is_mail(join, entry) && !join->mail[entry->folder].listed->absent;
}

/* Where the store does not tell UIDNEXT, the messages do to some extent. */
static void note_uids(const struct join *join, struct joined_folder *folder)
{
	const struct backend_folder *listed = folder->listed;

	folder->uidvalidity = listed->uidvalidity;
	folder->uidnext = listed->uidnext;
	for (size_t i = listed->first; i < listed->first + listed->n; i++) {
		const struct backend_message *message = &join->listing->messages[i];

		if (!folder->uidvalidity)
			folder->uidvalidity = message->uidvalidity;
		if (!listed->uidnext && message->uid && message->uid >= folder->uidnext)
			folder->uidnext =
				message->uid == UINT32_MAX ? UINT32_MAX : message->uid + 1;
	}
}

static bool went_back(const struct join *join, const struct joined_folder *folder)
{
	return !join->stale && folder->listed->uidnext && folder->before.uidvalidity &&
	       folder->before.uidvalidity == folder->uidvalidity &&
	       folder->listed->uidnext < folder->before.uidnext;
}

static bool is_of_others(const struct joined_folder *folder)
{
	return folder->before.uidvalidity && folder->uidvalidity &&
	       folder->before.uidvalidity != folder->uidvalidity;
}

static void look_at_folders(struct join *join)
{
	size_t n = join->folders->n_mail;

	join->mail = arena_zalloc(join->scratch, n, sizeof(*join->mail));
	for (size_t i = 0; i < n; i++) {
		struct joined_folder *folder = &join->mail[i];

		folder->listed = &join->listing->folders[join->folders->to_store[i]];
		folder->before = mark_parse(join->record->folders[i].mark);
		note_uids(join, folder);
		if (!folder->listed->absent && !folder->listed->unchanged)
			folder->renumbered = folder->listed->renumbered ||
					     went_back(join, folder) || is_of_others(folder);
	}
}

static void look_for_newest(struct join *join)
{
	for (size_t i = 0; i < join->record->n_entries; i++) {
		const struct registry_entry *entry = entry_at(join, i);

		if (is_mail(join, entry) && !entry->missing &&
			entry->arrival > join->mail[entry->folder].newest)
			join->mail[entry->folder].newest = entry->arrival;
	}
}

static void pair(struct join *join, size_t message, size_t entry)
{
	join->entry_of[message] = (uint32_t)entry;
	join->message_of[entry] = (uint32_t)message;
}

/* Both are in order of names. */
static void pair_by_name(struct join *join)
{
	size_t at = 0;

	for (size_t i = 0; i < join->listing->n; i++) {
		uint32_t index = join->by_name[i];
		struct registry_entry name =
			name_of_message(&join->listing->messages[index], join->folders);
		int order = 1;

		if (bit_get(join->surplus, index))
			continue;
		while (at < join->record->n_entries &&
			(order = compare_names(entry_at(join, at), &name)) < 0)
			at++;
		if (order == 0)
			pair(join, index, at);
	}
}

enum identity { SAME, DIFFERENT, UNKNOWN };

/* Whether a message is the one that had its name when the entry was written. The date of arrival
 * does not change (RFC 9051 section 2.3.3); the size should not, but servers do correct it. */
static enum identity identify(
	const struct registry_entry *entry, const struct backend_message *message)
{
	bool dated = entry->arrival && message->arrival;
	bool printed = entry->fingerprint && message->fingerprint;

	if (*entry->emailid && message->emailid)
		return strcmp(entry->emailid, message->emailid) == 0 ? SAME : DIFFERENT;
	if (dated && entry->arrival != message->arrival)
		return DIFFERENT;
	if (printed && entry->fingerprint != message->fingerprint)
		return DIFFERENT;
	if (printed || (dated && entry->size == message->size))
		return SAME;
	return UNKNOWN;
}

/* Another tool has written the Maildir anew, if it has not been emptied. What a stale listing lacks
 * may only have got its name since. */
static void look_for_other_names(struct join *join)
{
	for (size_t i = 0; i < join->folders->n_mail; i++)
		join->mail[i].renamed = join_of_maildir(join) && !join->stale;
	for (size_t i = 0; i < join->listing->n; i++)
		if (join->entry_of[i] != JOIN_NONE)
			join_folder_of(join, i)->renamed = false;
}

static bool is_of_another_numbering(
	const struct registry_entry *entry, const struct joined_folder *folder)
{
	return !entry->missing && entry->uidvalidity && folder->uidvalidity &&
	       entry->uidvalidity != folder->uidvalidity;
}

/* Whether the name of an entry stands for another message now. */
static bool is_spent_name(const struct join *join, size_t index)
{
	uint32_t message = join->message_of[index];

	return !join_of_maildir(join) && message != JOIN_NONE &&
	       identify(entry_at(join, index), &join->listing->messages[message]) == DIFFERENT;
}

/* What the names that were found say against the folders. */
static void look_for_contradictions(struct join *join)
{
	for (size_t i = 0; i < join->record->n_entries; i++) {
		const struct registry_entry *entry = entry_at(join, i);
		struct joined_folder *folder;

		if (!is_known_folder(join, entry))
			continue;
		folder = &join->mail[entry->folder];
		if (folder->listed->unchanged)
			continue;
		if (!entry->missing && (*entry->key == '\0') == join_of_maildir(join))
			folder->converted = true;
		else if (is_of_another_numbering(entry, folder) || is_spent_name(join, i))
			folder->renumbered = true;
	}
}

/* Whether a name that was found in a renumbered folder counts: of a message that is known to be the
 * same; and of one that may be, unless UIDs were given anew. A stale listing may have come between
 * two of the present numbering. */
static bool is_still(const struct join *join, const struct registry_entry *entry, size_t message)
{
	const struct backend_message *found = &join->listing->messages[message];
	const struct joined_folder *folder = join_folder_of(join, message);

	switch (identify(entry, found)) {
	case SAME:
		return true;
	case UNKNOWN:
		if (is_of_others(folder))
			return !entry->missing && entry->size == found->size;
		return !went_back(join, folder) && (entry->size == found->size || entry->arrival);
	case DIFFERENT:
		break;
	}
	return false;
}

/* In a renumbered folder a name alone says nothing. */
static void part_in_renumbered(struct join *join)
{
	for (size_t i = 0; i < join->listing->n; i++) {
		uint32_t at = join->entry_of[i];

		if (at == JOIN_NONE || !join_folder_of(join, i)->renumbered ||
			is_still(join, entry_at(join, at), i))
			continue;
		join->entry_of[i] = join->message_of[at] = JOIN_NONE;
		bit_set(join->displaced, at);
	}
}

/* Candidates for match(), by their indices. */
struct candidates {
	struct match_item *items;
	uint32_t *indices;
	size_t n;
};

static struct candidates candidates_new(struct arena *arena, size_t n)
{
	return (struct candidates){
		.items = arena_alloc(arena, n * sizeof(struct match_item)),
		.indices = arena_alloc(arena, n * sizeof(uint32_t)),
	};
}

static struct match_item item_of_entry(const struct registry_entry *entry)
{
	bool adopted = entry_adopted(entry);

	return (struct match_item){
		.emailid = entry->emailid,
		.key = adopted ? NULL : entry->key,
		.fingerprint = entry->fingerprint,
		.size = entry->size,
		.arrival = entry->arrival,
		.folder = entry->folder,
		.until = adopted ? entry->missing : 0,
		.adopted = adopted,
	};
}

static struct match_item item_of_message(const struct join *join, size_t index)
{
	const struct backend_message *message = &join->listing->messages[index];

	return (struct match_item){
		.emailid = message->emailid,
		.key = message->key,
		.fingerprint = message->fingerprint,
		.size = message->size,
		.arrival = message->arrival,
		.folder = join->folders->to_registry[message->folder],
	};
}

/* What one call of match() is about. What was there until now comes before what has been missing:
 * a message that could not be told once has left an entry behind, which is not its own any more. */
struct round {
	enum { OF_FOLDER, OF_BEFORE, OF_ALL, ADOPTED } lost;
	size_t folder;
	bool missing;
	enum match_rules rules;
};

/* Of an earlier UIDVALIDITY, or of another kind of store: what listings lack of these was not
 * deleted, as far as that can be told, and may be on its way back. */
static bool is_of_before(const struct join *join, const struct registry_entry *entry)
{
	uint32_t uidvalidity = join->mail[entry->folder].uidvalidity;

	return (*entry->key == '\0') == join_of_maildir(join) ||
	       (entry->uidvalidity && uidvalidity && entry->uidvalidity != uidvalidity);
}

/* What has been missing for less time first. */
static int by_age(const void *a, const void *b, void *arg)
{
	const struct join *join = arg;
	const struct registry_entry *m = entry_at(join, *(const uint32_t *)a);
	const struct registry_entry *n = entry_at(join, *(const uint32_t *)b);

	if (m->missing != n->missing)
		return m->missing > n->missing ? -1 : 1;
	if (m->folder == n->folder && *m->key && *n->key && m->arrival != n->arrival)
		return m->arrival < n->arrival ? -1 : 1;
	return compare_names(m, n);
}

static bool is_candidate(
	const struct join *join, const struct round *round, const struct registry_entry *entry)
{
	if (round->lost == ADOPTED)
		return entry_adopted(entry);
	/* A message may have left a folder that is no more. */
	return is_mail(join, entry) && (entry->missing != 0) == round->missing &&
	       (round->lost == OF_ALL || entry->folder == round->folder) &&
	       (round->lost != OF_BEFORE || is_of_before(join, entry));
}

static struct candidates lost_ones(const struct join *join, const struct round *round)
{
	size_t n = join->record->n_entries;
	struct candidates lost = candidates_new(join->scratch, n);

	for (size_t i = 0; i < n; i++)
		if (join->message_of[i] == JOIN_NONE &&
			is_candidate(join, round, entry_at(join, i)))
			lost.indices[lost.n++] = (uint32_t)i;
	qsort_r(lost.indices, lost.n, sizeof(*lost.indices), by_age, (void *)join);
	for (size_t i = 0; i < lost.n; i++)
		lost.items[i] = item_of_entry(entry_at(join, lost.indices[i]));
	return lost;
}

/* Not what is surely new, where a folder has only been taken to be written anew. */
static bool may_have_been_there(const struct join *join, size_t message)
{
	const struct joined_folder *folder = join_folder_of(join, message);

	return folder->converted || folder->renumbered || !folder->renamed ||
	       join->listing->messages[message].arrival <= folder->newest;
}

static struct candidates fresh_ones(const struct join *join, const struct round *round)
{
	size_t n = join->listing->n;
	struct candidates fresh = candidates_new(join->scratch, n);

	for (size_t i = 0; i < n; i++) {
		if (join->entry_of[i] != JOIN_NONE || bit_get(join->surplus, i) ||
			(round->lost <= OF_BEFORE &&
				join_folder_of(join, i) != &join->mail[round->folder]) ||
			(round->lost == OF_FOLDER && !may_have_been_there(join, i)))
			continue;
		fresh.indices[fresh.n] = (uint32_t)i;
		fresh.items[fresh.n++] = item_of_message(join, i);
	}
	return fresh;
}

static void pair_by_match(struct join *join, struct round round)
{
	struct candidates lost = lost_ones(join, &round), fresh;
	const uint32_t *found;

	if (lost.n == 0)
		return;
	fresh = fresh_ones(join, &round);
	found = match(lost.items, lost.n, fresh.items, fresh.n, round.rules, join->scratch);
	for (size_t i = 0; i < fresh.n; i++) {
		if (found[i] == MATCH_NONE)
			continue;
		pair(join, fresh.indices[i], lost.indices[found[i]]);
		bit_set(join->matched, fresh.indices[i]);
		join->n_matched++;
	}
}

void join_pair(struct join *join)
{
	struct arena *scratch = join->scratch;
	size_t n = join->listing->n, n_entries = join->record->n_entries;

	join->surplus = bits_new(scratch, n);
	join->matched = bits_new(scratch, n);
	join->displaced = bits_new(scratch, n_entries);
	join->entry_of = none_of(scratch, n);
	join->message_of = none_of(scratch, n_entries);
	join->by_name =
		order_by_name(join->listing->messages, n, join->folders, join->surplus, scratch);
	look_at_folders(join);
	look_for_newest(join);
	pair_by_name(join);
	look_for_other_names(join);
	look_for_contradictions(join);
	part_in_renumbered(join);
	for (size_t i = 0; i < join->folders->n_mail; i++) {
		const struct joined_folder *folder = &join->mail[i];

		if (!folder->renumbered && !folder->converted && !folder->renamed) {
			pair_by_match(join, (struct round){ OF_BEFORE, i, true, MATCH_LIKELY });
			continue;
		}
		pair_by_match(join, (struct round){ OF_FOLDER, i, false, MATCH_ALL });
		pair_by_match(join, (struct round){ OF_FOLDER, i, true, MATCH_ALL });
	}
	pair_by_match(join, (struct round){ OF_ALL, 0, false, MATCH_CERTAIN });
	pair_by_match(join, (struct round){ OF_ALL, 0, true, MATCH_CERTAIN });
	pair_by_match(join, (struct round){ ADOPTED, 0, true, MATCH_ALL });
}
