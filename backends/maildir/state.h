/*
 * state - by what a folder shows that its names have changed: what new/ and cur/ are and when they
 * were last changed.
 *
 * Two changes within one tick of a file system's clock leave one time, so a state tells of later
 * changes only once its times are past. The time of the last status change counts beside that of
 * the last modification, since whoever copies or restores a Maildir may set back the latter.
 * What reads may block: for the thread pool, but for MAILDIR_STATE_CACHED.
 */
#ifndef POPGATE_MAILDIR_STATE_H
#define POPGATE_MAILDIR_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "backends/maildir/dirs.h"

struct maildir_sub_state {
	uint64_t device; /* no part of it where that is no more than the mount's number */
	uint64_t inode, size;
	struct timespec modified, changed;
};

struct maildir_state {
	struct maildir_sub_state subs[MAILDIR_SUBS];
};

/* A state as text, with its NUL. */
#define MAILDIR_MARK_SIZE 256

enum maildir_state_source {
	MAILDIR_STATE_TRUE,
	MAILDIR_STATE_CACHED, /* without asking a file server; what it says may be old there */
};

/* 0 or an errno value. */
int maildir_state_read(const struct maildir_dirs *dirs, enum maildir_state_source source,
	struct maildir_state *ret);
bool maildir_state_equal(const struct maildir_state *a, const struct maildir_state *b);

/* Whether a change after `now` (CLOCK_REALTIME, when the state was read) makes another state. */
bool maildir_state_is_past(const struct maildir_state *state, const struct timespec *now);

/* Whether a directory lies on this machine, in a file system that is known. Blocks. */
bool maildir_is_local(int fd);

/* As maildir_state_is_past, but for being relied on by later sessions: where the times are those of
 * a server's clock, it may go wrong by a minute. */
bool maildir_state_lasts(const struct maildir_state *state, const struct timespec *now,
	const struct maildir_dirs *dirs);

/* Equal states have equal texts, no others do. Printable. */
void maildir_state_text(const struct maildir_state *state, char out[static MAILDIR_MARK_SIZE]);

#endif
