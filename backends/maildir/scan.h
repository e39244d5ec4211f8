/*
 * scan - all names in new/ and cur/ of one folder at one moment, for listing and for finding.
 *
 * A rename while a directory is read can hide a message from both reads, and a message that is not
 * listed loses its unique-id. So new/ is read before cur/, all of it again while a directory's time
 * shows a change, and if that does not end, every name that any pass saw counts. Blocks: for the
 * thread pool.
 */
#ifndef POPGATE_MAILDIR_SCAN_H
#define POPGATE_MAILDIR_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "backends/maildir/dirs.h"
#include "backends/maildir/name.h"
#include "backends/maildir/state.h"
#include "proxy/runtime/mem.h"

struct maildir_entry {
	struct maildir_time time; /* as the name tells it */
	uint32_t name;            /* the base name's place in names */
};

struct maildir_scan {
	struct maildir_entry *entries; /* one per base name, by time, then name */
	size_t n, size;
	struct buffer names; /* per file: one octet enum maildir_sub, base name, NUL, info, NUL */
	struct maildir_state state; /* before the last pass */
	struct timespec began;      /* CLOCK_REALTIME, when the state was read */
	bool settled;               /* no change can hide behind an equal state */
};

/* A file as it is, or was, called. base and info live in the scan or listing. */
struct maildir_name {
	enum maildir_sub sub;
	const char *base, *info;
};

/* Fills a zeroed scan; 0 or an errno value. Anything but plain files with visible names is skipped.
 */
int maildir_scan_read(struct maildir_scan *scan, const struct maildir_dirs *dirs);
void maildir_scan_done(struct maildir_scan *scan); /* frees and zeroes */

/* The name of entry i; the name whose base name was stored at `base` in the form of names. */
struct maildir_name maildir_scan_name(const struct maildir_scan *scan, size_t i);
struct maildir_name maildir_stored_name(const char *base);

/* Finds a base name. */
bool maildir_scan_find(const struct maildir_scan *scan, const char *base, struct maildir_name *ret);

/* Whether another scan would find the same. */
bool maildir_scan_is_current(const struct maildir_scan *scan, const struct maildir_dirs *dirs);

#endif
