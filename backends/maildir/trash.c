#include "backends/maildir/trash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Copies of one base name that the trash may hold. */
#define COPIES_MAX 100

int maildir_rename(int from_dir, const char *from, int to_dir, const char *to)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	/* Some file systems (NFS) know no such rename; a link does not overwrite either. */
	if (linkat(from_dir, from, to_dir, to, 0) < 0 || unlinkat(from_dir, from, 0) < 0)
		return errno;
	return 0;
}

/* A directory like the Maildir itself, unless it is there. */
static int make_dir(int parent, const char *name, const struct stat *like)
{
	cleanup(fd_cleanup) int fd = -1;
	int rc;

	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? 0 : errno;
	if ((rc = maildir_open_sub(parent, name, &fd)) != 0)
		return rc;
	/* Owner and group can be given only by root, or within one's own groups. */
	if (fchown(fd, like->st_uid, like->st_gid) < 0 && errno != EPERM)
		return errno;
	return fchmod(fd, like->st_mode & 02777) < 0 ? errno : 0;
}

/* The empty file by which Maildir++ tells a folder from a Maildir. */
static int make_mark(int folder, const struct stat *like)
{
	cleanup(fd_cleanup) int fd = openat(folder, "maildirfolder",
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, like->st_mode & 0666);

	if (fd < 0)
		return errno == EEXIST ? 0 : errno;
	return fchown(fd, like->st_uid, like->st_gid) < 0 && errno != EPERM ? errno : 0;
}

/* Makes each directory of a path below dir and opens the last. */
static int make_path(int dir, const char *path, const struct stat *like, int *ret)
{
	size_t length = strlen(path);
	cleanup(free_cleanup) char *part = mem_strdup(path);

	for (size_t n = strcspn(path, "/");; n += 1 + strcspn(path + n + 1, "/")) {
		cleanup(fd_cleanup) int parent = -1;
		char *name;
		int rc;

		part[n] = '\0';
		name = strrchr(part, '/');
		if (name)
			*name = '\0';
		rc = maildir_open_folder(dir, name ? part : ".", &parent);
		if (rc == 0)
			rc = make_dir(parent, name ? name + 1 : part, like);
		if (rc != 0)
			return rc;
		memcpy(part, path, length + 1);
		if (n == length)
			return maildir_open_folder(dir, path, ret);
	}
}

int maildir_trash_open(const char *root, const char *path, enum folder_layout layout, int *ret)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	cleanup(fd_cleanup) int root_fd = -1;
	cleanup(fd_cleanup) int folder = -1;
	struct stat like;
	int rc = maildir_open_root(root, &root_fd);

	if (rc != 0)
		return rc;
	if (fstat(root_fd, &like) < 0)
		return errno;
	rc = make_path(root_fd, path, &like, &folder);
	for (size_t i = 0; rc == 0 && i < sizeof subs / sizeof *subs; i++)
		rc = make_dir(folder, subs[i], &like);
	if (rc == 0 && layout == LAYOUT_MAILDIRPP)
		rc = make_mark(folder, &like);
	return rc != 0 ? rc : maildir_open_sub(folder, "cur", ret);
}

static bool same_file(int dir_a, const char *a, int dir_b, const char *b)
{
	struct stat sa, sb;

	return fstatat(dir_a, a, &sa, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(dir_b, b, &sb, AT_SYMLINK_NOFOLLOW) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* base with "_n" before its sizes; false when that is too long. */
static bool numbered_base(const char *base, int n, char out[static MAILDIR_NAME_SIZE])
{
	size_t stem = strcspn(base, ",");
	int length = snprintf(out, MAILDIR_NAME_SIZE, "%.*s_%d%s", (int)stem, base, n, base + stem);

	return length > 0 && length < MAILDIR_NAME_SIZE;
}

int maildir_trash_move(const struct maildir_file *file, int trash_dir, bool seen)
{
	char base[MAILDIR_NAME_SIZE], to[MAILDIR_NAME_SIZE];

	stpcpy(base, file->name.base);
	for (int copy = 1; copy <= COPIES_MAX; copy++) {
		int rc;

		if (!maildir_name_flagged(base, file->name.info, seen ? 'S' : '\0', to))
			return ENAMETOOLONG;
		rc = maildir_rename(file->dir, file->file, trash_dir, to);
		if (rc != EEXIST)
			return rc;
		/* What an interrupted link and unlink left behind. */
		if (same_file(file->dir, file->file, trash_dir, to))
			return unlinkat(file->dir, file->file, 0) < 0 ? errno : 0;
		if (!numbered_base(file->name.base, copy, base))
			return ENAMETOOLONG;
	}
	return EEXIST;
}
