/*
 * maildir - the backend on a local Maildir (Maildir++ or fs layout), beside Dovecot, Courier and
 * delivery agents that change it at the same time.
 *
 * Owns:     nothing that is open: directories are opened per job and closed with it. Messages that
 *           were read ahead, for seconds (read_ahead.h).
 * Suspends: everything blocking runs in the thread pool, in jobs of bounded length.
 * Never:    creates a Maildir (the trash folder excepted), touches dovecot-uidlist, indexes or any
 *           file that it does not have to; overwrites a file.
 */
#ifndef POPGATE_MAILDIR_MAILDIR_H
#define POPGATE_MAILDIR_MAILDIR_H

#include "backends/ahead.h"
#include "backends/backend.h"
#include "backends/maildir/scan.h"
#include "backends/maildir/state.h"
#include "proxy/runtime/share.h"

struct maildir_folder {
	char *path;               /* maildir_folder_path; NULL: named twice, shows nothing */
	struct maildir_scan scan; /* what a search for a renamed message found last */
	bool scanned;
};

/* See read_ahead.h. */
struct maildir_ahead {
	struct ahead run;
	uint64_t lines; /* FETCH_TOP: what is kept holds so many of each body */
	uint64_t began; /* when the run was read; runtime_now */
};

struct maildir {
	struct backend base;
	const struct account *account;
	struct share *share; /* the tenant's, of the thread pool */
	char *root;
	struct maildir_folder *folders;
	size_t n_folders;
	/* Of the first folder, and of all, as it was opened. */
	struct maildir_state state;
	struct backend_quota quota;
	/* The listing given out. The key of a message that was found by reading its folder lies
	 * among the names, in the form of maildir_scan.names: so it leads to the file name it was
	 * listed with. Other keys are those of the request. */
	const struct backend_message *messages;
	size_t n_messages;
	const char *names, *names_end;
	struct maildir_ahead ahead;
};

static inline struct maildir *maildir_of(struct backend *backend)
{
	return (struct maildir *)backend;
}

fiber_fn struct err maildir_list(struct backend *backend, struct arena *mem,
	const struct backend_list_request *request, struct backend_listing *ret);
fiber_fn struct err maildir_fetch(struct backend *backend, const struct backend_message *message,
	enum fetch_part part, uint64_t lines, struct sink *out);
fiber_fn struct err maildir_update_messages(
	struct backend *backend, const struct backend_update *update, enum removal_result *results);
fiber_fn struct err maildir_legacy(struct backend *backend, struct arena *mem,
	const struct backend_message *messages, size_t n, struct backend_legacy *ret);

#endif
