/*
 * preview - what a login would do to unique-ids, without doing it.
 *
 * Lives in the arena given. Suspends. Errors as maildrop_open, but that too many changes are none.
 */
#ifndef POPGATE_MAILDROP_PREVIEW_H
#define POPGATE_MAILDROP_PREVIEW_H

#include "proxy/maildrop/adopted.h"
#include "proxy/maildrop/maildrop.h"

enum preview_status {
	PREVIEW_KEPT,    /* shown under the id that is known */
	PREVIEW_ADOPTED, /* likewise; the id is another server's, and this its first message here */
	PREVIEW_CHANGED, /* shown under another id */
	PREVIEW_NEW,     /* not known before */
	PREVIEW_MISSING, /* known, and not in the store */
	PREVIEW_STATUS_COUNT_
};

struct preview_message {
	enum preview_status status;
	const char *old_id, *new_id; /* NULL: there is none */
	uint64_t size;               /* REGISTRY_NO_SIZE: unknown */
};

struct preview {
	struct preview_message *messages; /* in the order of age, the missing ones last */
	size_t n, sums[PREVIEW_STATUS_COUNT_];
	size_t known, changed; /* as uidl.max_changed counts them */
	bool refused;          /* the login would be */
};

/* old: what another server gave, to be compared with instead of what the registry knows; or NULL.
 */
fiber_fn struct err maildrop_preview(const struct account *account, struct backend *backend,
	struct registry *registry, const struct adopted *old, struct arena *arena,
	struct preview *ret);

#endif
