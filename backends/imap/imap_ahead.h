/*
 * imap_ahead - messages fetched before the client asks for them (backends/ahead.h), which need not
 * wait for a round trip each time.
 *
 * A run is fetched by one command: the message asked for goes straight to the client, the others
 * into memory.
 * Limits: sizes that add up to imap.read_ahead in a session.
 */
#ifndef POPGATE_BACKENDS_IMAP_AHEAD_H
#define POPGATE_BACKENDS_IMAP_AHEAD_H

#include <stdbool.h>

#include "backends/backend.h"

struct imap;
struct imap_ahead;

/* Whether that message is here: then its take gives it, and no connection is needed. */
bool imap_ahead_has(
	const struct imap *imap, const struct backend_message *message, enum fetch_part part);

/* Takes note that the client asks for a message now, all of it (FETCH_ALL) or its headers
 * (FETCH_TOP). True: *ret is the octets that were fetched before, the caller's. Drops what will not
 * be asked for. */
bool imap_ahead_take(struct imap *imap, const struct backend_message *message, enum fetch_part part,
	struct buffer *ret);

/* After a take that gave nothing: chooses what is to be fetched along with that message, and
 * appends the set of all UIDs to ret. How many they are; 1: the message alone. */
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
