/*
 * imap_removal - how the messages of a set are removed, and what became of each.
 *
 * Never by a plain EXPUNGE or a CLOSE: those take messages along that others flagged \Deleted.
 */
#ifndef POPGATE_BACKENDS_IMAP_REMOVAL_H
#define POPGATE_BACKENDS_IMAP_REMOVAL_H

#include "backends/imap/imap.h"

/* What a server can do with messages that are to go. */
enum removal_plan {
	PLAN_EXPUNGE,      /* flag, UID EXPUNGE */
	PLAN_MOVE,         /* UID MOVE to the trash */
	PLAN_COPY_EXPUNGE, /* copy to the trash, flag, UID EXPUNGE */
	PLAN_FLAG,         /* flag only: a plain EXPUNGE would take the messages of others along */
	PLAN_COPY_FLAG,
};

struct removal {
	struct imap *imap;
	enum removal_plan plan;
	bool trash_made;
};

/* UIDs of the selected folder, ascending, none twice, and what became of each. */
struct batch {
	const uint32_t *uids;
	enum removal_result *outcomes; /* REMOVAL_FAILED at first */
	size_t n;
};

enum removal_plan removal_plan(unsigned capabilities, enum on_delete how);
/* The plan for a folder: what is deleted in the trash is deleted. */
enum removal_plan removal_plan_in(const struct imap *imap, size_t folder, enum on_delete how);

/* "before SET after" as one command. */
fiber_fn struct err imap_set_command(
	struct imap *imap, const char *before, const char *set, const char *after);

/* Removes the batch, which set names, and fills in its outcomes. An error is the first of the
 * server's; outcomes tell what happened all the same. */
fiber_fn struct err removal_run(
	struct removal *removal, const struct batch *batch, const char *set);

#endif
