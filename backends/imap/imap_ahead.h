/*
 * imap_ahead - messages fetched before the client asks for them: who reads one after the other will
 * ask for the next, and need not wait for a round trip each time.
 *
 * A message that follows the one asked for before is fetched together with those behind it, by one
 * command: itself straight to the client, the others into memory, until the client comes for them.
 * When it does otherwise, they are dropped. Runs grow: two messages asked for in a row bring two
 * more, then four, and so on.
 * Limits: sizes that add up to imap.read_ahead in a session and AHEAD_OCTETS_MAX in the process,
 * AHEAD_MAX messages.
 */
#ifndef POPGATE_BACKENDS_IMAP_AHEAD_H
#define POPGATE_BACKENDS_IMAP_AHEAD_H

#include <stdbool.h>

#include "backends/backend.h"

#define AHEAD_MAX        256
#define AHEAD_OCTETS_MAX (64U << 20)

struct imap;
struct imap_ahead;

/* Whether that message is here: then its take gives it, and no connection is needed. */
bool imap_ahead_has(
	const struct imap *imap, const struct backend_message *message, enum fetch_part part);

/* Takes note that the client asks for a message now, all of it (FETCH_ALL) or its headers
 * (FETCH_TOP). NULL, or the octets that were fetched before: the caller's until the next call.
 * Drops what will not be asked for. */
const struct buffer *imap_ahead_take(
	struct imap *imap, const struct backend_message *message, enum fetch_part part);

/* After a take that gave NULL: chooses what is to be fetched along with that message, and appends
 * the set of all UIDs to ret. How many they are; 1: the message alone. */
size_t imap_ahead_choose(struct imap *imap, struct buffer *ret);

/* A piece of the body of one that was chosen, then its end. uid: whose body it was; found: it had
 * one. What was not chosen, or is longer than it may be, is not kept. */
void imap_ahead_piece(struct imap *imap, const char *data, size_t n);
void imap_ahead_end(struct imap *imap, uint32_t uid, bool found);

/* The server does not like it: never again in this session. */
void imap_ahead_stop(struct imap *imap);

/* Drops everything. */
void imap_ahead_free(struct imap *imap);

#endif
