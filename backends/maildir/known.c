#include "backends/maildir/known.h"

int maildir_message_compare(const void *pa, const void *pb)
{
	const struct backend_message *a = pa, *b = pb;
	struct maildir_time ta, tb;

	if (a->folder != b->folder)
		return a->folder < b->folder ? -1 : 1;
	if (a->arrival != b->arrival)
		return a->arrival < b->arrival ? -1 : 1;
	ta = maildir_name_time(a->key);
	tb = maildir_name_time(b->key);
	/* The name may tell none: then arrival is the file's. */
	ta.seconds = tb.seconds = a->arrival;
	return maildir_name_compare(&ta, a->key, &tb, b->key);
}

bool maildir_messages_ordered(const struct backend_message *messages, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (maildir_message_compare(&messages[i - 1], &messages[i]) >= 0)
			return false;
	return true;
}

static int compare_entries(const void *pa, const void *pb)
{
	const struct known_entry *a = pa, *b = pb;

	return maildir_name_compare(&a->time, a->message->key, &b->time, b->message->key);
}

struct known_messages known_messages_of(const struct backend_known *known)
{
	struct known_messages ret = { 0 };
	bool ordered = true;

	if (!known)
		return ret;
	ret.entries = mem_alloc(known->n * sizeof *ret.entries);
	for (size_t i = 0; i < known->n; i++) {
		const struct backend_message *message = &known->messages[i];

		if (!message->key)
			continue; /* of another kind of store, before the mail moved here */
		ret.entries[ret.n] = (struct known_entry){
			.time = maildir_name_time(message->key),
			.message = message,
		};
		ordered = ordered && (ret.n == 0 || compare_entries(&ret.entries[ret.n - 1],
							    &ret.entries[ret.n]) < 0);
		ret.n++;
	}
	if (!ordered)
		qsort(ret.entries, ret.n, sizeof *ret.entries, compare_entries);
	return ret;
}

void known_messages_done(struct known_messages *known)
{
	free(known->entries);
	*known = (struct known_messages){ 0 };
}

const struct backend_message *known_messages_find(
	struct known_messages *known, const struct maildir_time *time, const char *base)
{
	for (; known->next < known->n; known->next++) {
		const struct known_entry *entry = &known->entries[known->next];
		int c = maildir_name_compare(&entry->time, entry->message->key, time, base);

		if (c == 0)
			return entry->message;
		if (c > 0)
			return NULL;
	}
	return NULL;
}
