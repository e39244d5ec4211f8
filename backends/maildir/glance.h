/*
 * glance - how a Maildir is that has not changed, without a thread of the pool: from what the
 * kernel has in memory.
 *
 * The wake-ups of a thread and back cost a poll more than all its system calls. openat2 can be told
 * to fail rather than to wait for a disk or a server (RESOLVE_CACHED, Linux 5.12), statx to take
 * what is known (AT_STATX_DONT_SYNC). That is the truth only where the file system is this
 * machine's: which ones are, threads have found out. Whatever is missing, unknown or not as it
 * should be is for a thread to look at, and to name.
 */
#ifndef POPGATE_MAILDIR_GLANCE_H
#define POPGATE_MAILDIR_GLANCE_H

#include "backends/maildir/maildir.h"

/* What of an open directory tells where it is mounted; id 0: the kernel does not say. Asks no file
 * server. */
struct maildir_mount {
	uint64_t id, device;
};
struct maildir_mount maildir_mount_of(int fd);

/* Takes note of what a thread has found: that mount is of a file system of this machine. Loop's
 * thread. */
void maildir_glance_trust(struct maildir_mount mount);

/* Fills in m->state and m->quota, as a thread would now. false: it takes a thread. Loop's thread;
 * does not block, but that a program which judges each open (fanotify) may make it wait. */
bool maildir_glance(struct maildir *m);

#endif
