/*
 * known - what an earlier listing tells of the messages that are found now. Pure.
 */
#ifndef POPGATE_MAILDIR_KNOWN_H
#define POPGATE_MAILDIR_KNOWN_H

#include "backends/backend.h"
#include "backends/maildir/name.h"

/* The order of a listing: by folder, arrival, the name's microseconds, then name. For qsort. */
int maildir_message_compare(const void *a, const void *b);

/* Whether messages are in that order. */
bool maildir_messages_ordered(const struct backend_message *messages, size_t n);

struct known_entry {
	struct maildir_time time; /* as the name tells it */
	const struct backend_message *message;
};

/* Known messages in the order of maildir_scan.entries, for one walk along them. */
struct known_messages {
	struct known_entry *entries;
	size_t n, next;
};

/* NULL: nothing is known. Borrows the messages. */
struct known_messages known_messages_of(const struct backend_known *known);
void known_messages_done(struct known_messages *known);

/* The known message of this name; NULL: it is new. To be asked for names in ascending order. */
const struct backend_message *known_messages_find(
	struct known_messages *known, const struct maildir_time *time, const char *base);

#endif
