#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/maildir/folder.h"
#include "backends/maildir/quota.h"
#include "backends/maildir/trash.h"
#include "proxy/runtime/wait.h"

/* What one job does before its thread of the pool serves others. */
#define CHUNK_MAX 128

/* What is to be done with a message: bits. */
#define MARK_REMOVE 1
#define MARK_SEEN   2

struct updating {
	struct maildir *maildir;
	const struct backend_update *update;
	enum removal_result *results;
	unsigned char *marks; /* per message */
	size_t next;          /* in update->seen, then in update->remove */
	char *trash;          /* its folder's path, with DELETE_TRASH */
	int trash_dir;
	bool *touched; /* per folder: names of it changed */
	uint64_t sizes[CHUNK_MAX];
	uint64_t octets; /* expunged, for the quota */
	size_t messages;
	struct err e; /* the first failure to remove */
};

static void updating_free(struct updating *u)
{
	fd_cleanup(&u->trash_dir);
	free(u->marks);
	free(u->trash);
	free(u->touched);
	free(u);
}

DEFINE_CLEANUP(updating, updating_free)

static const struct backend_message *message_at(const struct updating *u, size_t index)
{
	assert(index < u->maildir->n_messages);
	return &u->maildir->messages[index];
}

static int seen_action(
	const struct maildir_place *place, const struct maildir_file *file, void *arg)
{
	char to[MAILDIR_NAME_SIZE];

	(void)arg;
	if (file->name.sub == MAILDIR_CUR && maildir_name_has_flag(file->name.info, 'S'))
		return 0;
	if (!maildir_name_flagged(file->name.base, file->name.info, 'S', to))
		return ENAMETOOLONG;
	return maildir_rename(file->dir, file->file, place->dirs.fd[MAILDIR_CUR], to);
}

/* Marks a chunk seen. Failing is no error: the message stays new for its reader. */
static void seen_job(void *arg)
{
	struct updating *u = arg;
	cleanup(maildir_leave) struct maildir_place place = maildir_place(u->maildir);

	for (size_t n = 0; n < CHUNK_MAX && u->next < u->update->n_seen; n++, u->next++) {
		size_t index = u->update->seen[u->next];
		const struct backend_message *message = message_at(u, index);

		/* One that is removed as well needs no name of its own for that. */
		if (u->marks[index] & MARK_REMOVE || failed(maildir_enter(&place, message->folder)))
			continue;
		if (maildir_locate(&place, message->key, seen_action, NULL) == 0)
			u->touched[message->folder] = true;
	}
}

static void note_failure(struct updating *u, const struct backend_message *message, int errnum)
{
	if (!failed(u->e))
		u->e = err_errno(maildir_scope(errnum), errnum, "cannot remove %s/%s: %s",
			u->maildir->root, u->maildir->folders[message->folder].path, message->key);
}

static bool enter(struct updating *u, struct maildir_place *place, size_t folder)
{
	struct err e = maildir_enter(place, folder);

	if (failed(e) && !failed(u->e))
		u->e = e;
	return !failed(e);
}

static bool moves_to_trash(const struct updating *u, size_t folder)
{
	/* What is deleted in the trash is deleted. */
	return u->trash && strcmp(u->trash, u->maildir->folders[folder].path) != 0;
}

struct removal {
	const struct updating *updating;
	bool to_trash, seen;
};

static int remove_action(
	const struct maildir_place *place, const struct maildir_file *file, void *arg)
{
	const struct removal *removal = arg;

	(void)place;
	if (removal->to_trash)
		return maildir_trash_move(file, removal->updating->trash_dir, removal->seen);
	return unlinkat(file->dir, file->file, 0) < 0 ? errno : 0;
}

static void note_found(struct updating *u, size_t i, size_t slot, const struct stat *st)
{
	const struct backend_message *message = message_at(u, u->update->remove[i]);

	if (!maildir_name_size(message->key, 'S', &u->sizes[slot]))
		u->sizes[slot] = (uint64_t)st->st_size;
}

/* Sorts out what is gone already: looked up before anything is removed, so that a folder is read at
 * most once for it, not again after each removal of ours. */
static void look_at_chunk(struct updating *u, struct maildir_place *place, size_t end)
{
	for (size_t i = u->next; i < end; i++) {
		const struct backend_message *message = message_at(u, u->update->remove[i]);
		struct stat st;
		int rc;

		u->sizes[i - u->next] = 0;
		if (!enter(u, place, message->folder))
			continue;
		rc = maildir_locate(place, message->key, maildir_stat_action, &st);
		if (rc == 0)
			note_found(u, i, i - u->next, &st);
		else if (rc == ENOENT)
			u->results[i] = REMOVAL_DONE;
	}
}

static void remove_one(struct updating *u, struct maildir_place *place, size_t i)
{
	size_t index = u->update->remove[i];
	const struct backend_message *message = message_at(u, index);
	struct removal removal = {
		.updating = u,
		.to_trash = moves_to_trash(u, message->folder),
		.seen = (u->marks[index] & MARK_SEEN) != 0,
	};
	int rc;

	if (!enter(u, place, message->folder))
		return;
	rc = maildir_locate(place, message->key, remove_action, &removal);
	if (rc != 0 && rc != ENOENT) {
		note_failure(u, message, rc);
		return;
	}
	u->results[i] = REMOVAL_DONE;
	u->touched[message->folder] = true;
	/* A move leaves the sum over all folders as it is, which is what Dovecot counts. */
	if (rc == 0 && !removal.to_trash) {
		u->octets += u->sizes[i - u->next];
		u->messages++;
	}
}

static void remove_job(void *arg)
{
	struct updating *u = arg;
	cleanup(maildir_leave) struct maildir_place place = maildir_place(u->maildir);
	size_t left = u->update->n_remove - u->next;
	size_t end = u->next + (left < CHUNK_MAX ? left : CHUNK_MAX);

	look_at_chunk(u, &place, end);
	for (size_t i = u->next; i < end; i++)
		if (u->results[i] != REMOVAL_DONE)
			remove_one(u, &place, i);
	u->next = end;
}

static void trash_job(void *arg)
{
	struct updating *u = arg;
	const struct tenant *tenant = u->maildir->account->tenant;
	int rc;

	if (failed(u->e = maildir_folder_path(
			   tenant->maildrop.trash, tenant->maildir.folder_layout, &u->trash)))
		return;
	rc = maildir_trash_open(
		u->maildir->root, u->trash, tenant->maildir.folder_layout, &u->trash_dir);
	if (rc != 0)
		u->e = err_errno(maildir_scope(rc), rc, "%s/%s", u->maildir->root, u->trash);
}

/* Makes the new names durable, the trash before what left for it. */
static void finish_job(void *arg)
{
	struct updating *u = arg;
	cleanup(maildir_leave) struct maildir_place place = maildir_place(u->maildir);

	if (u->trash_dir >= 0)
		(void)fsync(u->trash_dir);
	for (size_t folder = 0; folder < u->maildir->n_folders; folder++) {
		if (!u->touched[folder] || failed(maildir_enter(&place, folder)))
			continue;
		for (int sub = 0; sub < MAILDIR_SUBS; sub++)
			(void)fsync(place.dirs.fd[sub]);
	}
	maildir_quota_removed(u->maildir->root, u->octets, u->messages);
}

static fiber_fn struct err run_chunks(struct updating *u, void (*job)(void *arg), size_t n)
{
	struct err e;

	for (u->next = 0; u->next < n;) {
		if (failed(e = wait_turn()))
			return e;
		share_offload(u->maildir->share, job, u);
	}
	return ok();
}

static fiber_fn struct err mark_and_remove(struct updating *u)
{
	struct err e;

	if (failed(e = run_chunks(u, seen_job, u->update->n_seen)))
		return e;
	if (u->update->how == DELETE_TRASH && u->update->n_remove > 0) {
		share_offload(u->maildir->share, trash_job, u);
		if (failed(u->e))
			return u->e;
	}
	if (failed(e = run_chunks(u, remove_job, u->update->n_remove)))
		return e;
	return u->e;
}

static struct updating *updating_new(struct maildir *m, const struct backend_update *update)
{
	struct updating *u = mem_zalloc(1, sizeof *u);

	u->maildir = m;
	u->update = update;
	u->trash_dir = -1;
	u->marks = mem_zalloc(m->n_messages, sizeof *u->marks);
	u->touched = mem_zalloc(m->n_folders, sizeof *u->touched);
	for (size_t i = 0; i < update->n_remove; i++)
		u->marks[update->remove[i]] |= MARK_REMOVE;
	for (size_t i = 0; i < update->n_seen; i++)
		u->marks[update->seen[i]] |= MARK_SEEN;
	return u;
}

fiber_fn struct err maildir_update_messages(
	struct backend *backend, const struct backend_update *update, enum removal_result *results)
{
	cleanup(updating_cleanup) struct updating *u = NULL;
	struct err e;

	if (update->n_seen == 0 && update->n_remove == 0)
		return ok();
	u = updating_new(maildir_of(backend), update);
	u->results = results;
	for (size_t i = 0; i < update->n_remove; i++)
		results[i] = REMOVAL_FAILED;
	e = mark_and_remove(u);
	share_offload(u->maildir->share, finish_job, u);
	return e;
}
