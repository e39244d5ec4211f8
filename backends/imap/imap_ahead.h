/*
 * imap_ahead - FETCH commands that are sent before the client asks for the message: who reads one
 * message after the other will ask for the next, and need not wait for a round trip each time.
 *
 * Every message is fetched by a command of its own, and the commands for the next ones are sent
 * while its answer is still to come (RFC 9051 section 5.5). Their answers stay in the connection
 * until the client asks, and then pass to it as any other; nothing is kept here, and where the
 * connection is full the server waits. What the client does not come for is read and dropped before
 * another command is sent. Limits: sizes that add up to imap.read_ahead, AHEAD_MAX commands. The
 * first steps are short: two messages asked for in a row bring two more on their way, then four,
 * and so on.
 */
#ifndef POPGATE_BACKENDS_IMAP_AHEAD_H
#define POPGATE_BACKENDS_IMAP_AHEAD_H

#include <stdbool.h>

#include "backends/backend.h"

#define AHEAD_MAX 256

struct imap;
struct imap_consumer;
struct imap_ahead;

/* Sends what is to be sent for a message of the selected folder, all of it (FETCH_ALL) or its
 * headers (FETCH_TOP), and for those that will be asked for next; drops answers that nobody came
 * for. ok: the next answer is that of this message. */
fiber_fn struct err imap_ahead_ask(
	struct imap *imap, const struct backend_message *message, enum fetch_part part);
/* Reads that answer. As imap_fetch_into. */
fiber_fn struct err imap_ahead_answer(struct imap *imap, struct imap_consumer *consumer);

/* Whether answers are on their way that nobody has come for; any other command must wait for them.
 */
bool imap_ahead_pending(const struct imap *imap);
/* Reads and drops them. */
fiber_fn struct err imap_ahead_drain(struct imap *imap);
void imap_ahead_free(struct imap *imap);

#endif
