#include "backends/maildir/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* How often a message may be renamed between being found and being used. */
#define TRIES_MAX 5

struct maildir_place maildir_place(struct maildir *maildir)
{
	return (struct maildir_place){ .maildir = maildir, .dirs = { .fd = { -1, -1 } } };
}

void maildir_leave(struct maildir_place *place)
{
	maildir_dirs_close(&place->dirs);
	place->open = false;
}

struct err maildir_enter(struct maildir_place *place, size_t folder)
{
	const struct maildir *m = place->maildir;
	int rc;

	if (place->open && place->folder == folder)
		return ok();
	maildir_leave(place);
	rc = maildir_dirs_open(m->root, m->folders[folder].path, &place->dirs);
	if (rc != 0)
		return err_errno(maildir_scope(rc), rc, "%s/%s", m->root, m->folders[folder].path);
	place->open = true;
	place->folder = folder;
	return ok();
}

static int try_name(const struct maildir_place *place, const struct maildir_name *name,
	maildir_action *action, void *arg)
{
	struct maildir_file file = { .dir = place->dirs.fd[name->sub], .name = *name };

	if (strlen(name->base) + strlen(name->info) >= sizeof file.file)
		return ENOENT;
	stpcpy(stpcpy(file.file, name->base), name->info);
	return action(place, &file, arg);
}

/* The name it was listed with, or, of a message that was known before, those that most have. */
static int try_likely_names(
	const struct maildir_place *place, const char *key, maildir_action *action, void *arg)
{
	const struct maildir *m = place->maildir;
	const struct maildir_name likely[] = {
		{ MAILDIR_NEW, key, "" },
		{ MAILDIR_CUR, key, ":2," },
		{ MAILDIR_CUR, key, ":2,S" },
	};
	struct maildir_name listed;
	int rc = ENOENT;

	if (key >= m->names && key < m->names_end) {
		listed = maildir_stored_name(key);
		return try_name(place, &listed, action, arg);
	}
	/* What a search found says more. */
	if (m->folders[place->folder].scanned)
		return ENOENT;
	for (size_t i = 0; i < sizeof likely / sizeof *likely && rc == ENOENT; i++)
		rc = try_name(place, &likely[i], action, arg);
	return rc;
}

static int rescan(struct maildir_folder *folder, const struct maildir_dirs *dirs)
{
	int rc;

	maildir_scan_done(&folder->scan);
	rc = maildir_scan_read(&folder->scan, dirs);
	folder->scanned = rc == 0;
	return rc;
}

int maildir_locate(struct maildir_place *place, const char *key, maildir_action *action, void *arg)
{
	struct maildir_folder *folder = &place->maildir->folders[place->folder];
	struct maildir_name name;
	bool fresh = false;
	int rc = try_likely_names(place, key, action, arg);

	if (rc != ENOENT)
		return rc;
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		bool found = folder->scanned && maildir_scan_find(&folder->scan, key, &name);

		if (found && (rc = try_name(place, &name, action, arg)) != ENOENT)
			return rc;
		if (!found && fresh)
			return ENOENT;
		if (folder->scanned && maildir_scan_is_current(&folder->scan, &place->dirs))
			return found ? EBUSY : ENOENT;
		if ((rc = rescan(folder, &place->dirs)) != 0)
			return rc;
		fresh = true;
	}
	return EBUSY;
}

int maildir_locate_known(
	struct maildir_place *place, const char *key, maildir_action *action, void *arg)
{
	const struct maildir_folder *folder = &place->maildir->folders[place->folder];
	struct maildir_name name;
	int rc = try_likely_names(place, key, action, arg);

	if (rc == ENOENT && folder->scanned && maildir_scan_find(&folder->scan, key, &name))
		rc = try_name(place, &name, action, arg);
	return rc;
}

int maildir_stat_action(
	const struct maildir_place *place, const struct maildir_file *file, void *arg)
{
	(void)place;
	return fstatat(file->dir, file->file, arg, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
}

int maildir_open_action(
	const struct maildir_place *place, const struct maildir_file *file, void *arg)
{
	/* O_NONBLOCK: what calls itself a message may be a FIFO, which would be waited for. */
	int fd = openat(
		file->dir, file->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	(void)place;
	if (fd < 0)
		return errno;
	*(int *)arg = fd;
	return 0;
}
