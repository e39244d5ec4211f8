/*
 * read_ahead - small messages that are read before the client asks for them (backends/ahead.h),
 * since opening a folder and changing threads costs more than reading one.
 *
 * The job that opens the message asked for reads those that come next, too. What cannot be read
 * whole at the first try (renamed, gone, no plain file, longer than it was listed) is not kept, so
 * that its own turn finds out; larger messages keep their place, to be read in their turn. What is
 * kept shows the message as it was up to MAILDIR_AHEAD_AGE ago, also one that was removed since.
 */
#ifndef POPGATE_MAILDIR_READ_AHEAD_H
#define POPGATE_MAILDIR_READ_AHEAD_H

#include "backends/maildir/locate.h"

/* What one job reads of the message asked for. The headers that TOP wants rarely take more than a
 * few KiB. */
#define MAILDIR_BLOCK_ALL 65536
#define MAILDIR_BLOCK_TOP 16384

/* Octets reserved in a session: some hundred messages of usual size, beyond which a longer run
 * saves next to nothing. */
#define MAILDIR_AHEAD_OCTETS (1U << 20)
/* Longest message that is read ahead, in octets: beside the sending of a longer one, which takes
 * several jobs anyway, its first job is cheap. */
#define MAILDIR_AHEAD_MESSAGE MAILDIR_BLOCK_ALL
/* Milliseconds. What others removed may be shown that much longer; a client that reads one message
 * after the other takes a whole run in less. */
#define MAILDIR_AHEAD_AGE 3000
/* Milliseconds of a job, after which the rest of a run is left to the next one: where each file
 * takes long, neither this client waits for what it has not asked for, nor others for a thread. */
#define MAILDIR_AHEAD_TIME 50

void maildir_ahead_init(struct maildir *m);
/* Drops everything, also in what order the client asked. */
void maildir_ahead_done(struct maildir *m);

/* Takes note that the client asks for that part of a message now. True: *ret is its octets, the
 * caller's. False: it has to be read; by the job that does so, others may be read along. */
bool maildir_ahead_take(struct maildir *m, const struct backend_message *message,
	enum fetch_part part, uint64_t lines, struct buffer *ret);

/* Reads along with the message asked for last, whose folder was entered. Blocks: for the thread
 * pool. */
void maildir_ahead_read(struct maildir_place *place);

#endif
