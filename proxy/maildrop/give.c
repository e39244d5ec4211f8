/*
 * give - the unique-ids of new messages.
 *
 * An id that nothing but the store makes (computed, or of a template) is given only while no
 * message can have been shown under it before. Once that is in doubt, the maildrop's new messages
 * get numbers for good (REGISTRY_NUMBERS).
 */
#include <stdlib.h>
#include <string.h>

#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/id_set.h"
#include "proxy/maildrop/join.h"
#include "proxy/maildrop/template_id.h"

struct giving {
	struct join *join;
	const char *format; /* NULL: decimal */
	struct id_set taken;
	uint32_t *fresh; /* in their order of age */
	size_t n;
};

static const char *copy_text(const struct join *join, const struct unique_id *id)
{
	return arena_strdup(join->scratch, id->text);
}

/* Whether a UID may have been that of another message: the store counted beyond it before. */
static bool uid_is_spent(const struct join *join, size_t index)
{
	const struct backend_message *message = &join->listing->messages[index];
	const struct mark *floor = &join->floors[join->folders->to_registry[message->folder]];

	return message->uid && floor->uidvalidity == message->uidvalidity &&
	       message->uid < floor->uidnext;
}

static void collect_fresh(struct giving *giving)
{
	struct join *join = giving->join;

	giving->fresh = arena_alloc(join->scratch, join->listing->n * sizeof(*giving->fresh));
	for (size_t i = 0; i < join->listing->n; i++)
		if (join->entry_of[i] == JOIN_NONE && !bit_get(join->surplus, i))
			giving->fresh[giving->n++] = (uint32_t)i;
	order_by_age(join->listing->messages, giving->fresh, giving->n, join->account);
}

/* An entry whose id is made of its name; where that might be met by another's text. */
static bool may_be_met(const struct join *join, const struct registry_entry *entry)
{
	return !*entry->unique_id && !*entry->key && entry->folder < join->folders->n_mail;
}

static bool adopts(const struct join *join)
{
	for (size_t i = 0; i < join->record->n_entries; i++)
		if (entry_adopted(&join->record->entries[i]))
			return true;
	return false;
}

static void collect_taken(struct giving *giving)
{
	struct join *join = giving->join;
	bool computed = giving->format || adopts(join);
	const struct registry_record *record = join->record;

	giving->taken = id_set_new(join->scratch, record->n_entries + giving->n);
	for (size_t i = 0; i < record->n_entries; i++) {
		const struct registry_entry *entry = &record->entries[i];
		struct unique_id id;

		if (entry_adopted(entry))
			continue;
		if (*entry->unique_id) {
			id_set_add(&giving->taken, entry->unique_id);
		} else if (computed && may_be_met(join, entry)) {
			entry_unique_id(entry, join->folders, &id);
			id_set_add(&giving->taken, copy_text(join, &id));
		}
	}
}

/* An adopted id that a message of the maildrop has already is not given to another. */
static void refuse_taken_adoptions(struct giving *giving)
{
	struct join *join = giving->join;

	for (size_t i = 0; i < join->listing->n; i++) {
		uint32_t at = join->entry_of[i];

		if (at == JOIN_NONE || !entry_adopted(&join->record->entries[at]))
			continue;
		join->flags |= REGISTRY_NUMBERS;
		if (!id_set_add(&giving->taken, join->record->entries[at].unique_id)) {
			join->entry_of[i] = join->message_of[at] = JOIN_NONE;
			join->n_matched--;
			bit_unset(join->matched, i);
			giving->fresh[giving->n++] = (uint32_t)i;
		}
	}
	order_by_age(join->listing->messages, giving->fresh, giving->n, join->account);
}

static void look_for_spent(struct giving *giving)
{
	struct join *join = giving->join;

	for (size_t i = 0; i < giving->n; i++) {
		struct registry_entry name =
			name_of_message(&join->listing->messages[giving->fresh[i]], join->folders);
		struct unique_id id;

		if (*name.key)
			continue;
		entry_unique_id(&name, join->folders, &id);
		if (uid_is_spent(join, giving->fresh[i]) || id_set_has(&giving->taken, id.text))
			join->flags |= REGISTRY_NUMBERS;
	}
}

const char *join_number(struct join *join)
{
	struct unique_id id;
	uint64_t now = registry_clock();

	if (!join->next)
		join->next = join->record->next > now ? join->record->next : now;
	if (!join->next)
		join->next = 1;
	if (join_of_maildir(join))
		unique_id_number(&id, join->next++);
	else
		unique_id_given(&id, join->next++);
	return copy_text(join, &id);
}

static const char *free_number(struct giving *giving)
{
	const char *text;

	do
		text = join_number(giving->join);
	while (!id_set_add(&giving->taken, text));
	return text;
}

/* NULL: what the template needs is not known, or the text is taken. What is spent in one folder may
 * be new in another, so only the main one's messages are named so. */
static const char *by_template(struct giving *giving, size_t index)
{
	const struct join *join = giving->join;
	const struct folders *folders = join->folders;
	const struct backend_message *message = &join->listing->messages[index];
	const struct backend_legacy *legacy = join->legacy ? &join->legacy[index] : NULL;
	struct unique_id id;
	const char *text;

	if (folders->hashes[folders->to_registry[message->folder]] != UNIQUE_ID_MAIN_FOLDER ||
		!template_id(&id, giving->format, message, legacy))
		return NULL;
	text = copy_text(join, &id);
	return id_set_add(&giving->taken, text) ? text : NULL;
}

void join_give(struct join *join)
{
	struct giving giving = { .join = join, .format = template_of(join->account->tenant) };

	join->flags = join->record->flags & ~(unsigned)REGISTRY_ACCEPTED;
	for (size_t i = 0; i < join->folders->n_mail; i++)
		if (join->mail[i].renumbered || join->mail[i].converted)
			join->flags |= REGISTRY_NUMBERS;
	if (adopts(join))
		join->flags |= REGISTRY_NUMBERS;
	join->given = arena_zalloc(join->scratch, join->listing->n, sizeof(*join->given));
	collect_fresh(&giving);
	if (giving.n == 0 && join->n_matched == 0)
		return;
	collect_taken(&giving);
	refuse_taken_adoptions(&giving);
	look_for_spent(&giving);
	for (size_t i = 0; i < giving.n; i++) {
		size_t index = giving.fresh[i];
		bool number = join->flags & REGISTRY_NUMBERS;

		if (!number && giving.format)
			join->given[index] = by_template(&giving, index);
		if (!join->given[index] && (number || giving.format || join_of_maildir(join)))
			join->given[index] = free_number(&giving);
		join->n_given += join->given[index] != NULL;
	}
}
