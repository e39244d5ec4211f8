#include "backends/maildir/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define OPEN_PLACE (O_PATH | O_DIRECTORY | O_CLOEXEC)

const char *const maildir_sub_names[MAILDIR_SUBS] = { "new", "cur" };

void fd_cleanup(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

void fd_close(int *fd)
{
	fd_cleanup(fd);
	*fd = -1;
}

int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static int open_linked_root(const char *root, int *ret)
{
	cleanup(fd_cleanup) int fd = -1;
	struct stat link, dir;

	if (lstat(root, &link) < 0)
		return errno;
	if (!S_ISLNK(link.st_mode))
		return ENOTDIR;
	fd = open(root, OPEN_PLACE);
	if (fd < 0 || fstat(fd, &dir) < 0)
		return errno;
	if (link.st_uid != 0 && link.st_uid != dir.st_uid)
		return ELOOP;
	*ret = fd_take(&fd);
	return 0;
}

int maildir_open_root(const char *root, int *ret)
{
	int fd = open(root, OPEN_PLACE | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? open_linked_root(root, ret) : errno;
	*ret = fd;
	return 0;
}

int maildir_open_folder(int root_fd, const char *folder, int *ret)
{
	cleanup(fd_cleanup) int fd = openat(root_fd, ".", OPEN_PLACE);
	char component[NAME_MAX + 1];

	while (fd >= 0 && *folder) {
		size_t n = strcspn(folder, "/");
		int next;

		if (n > NAME_MAX)
			return ENAMETOOLONG;
		memcpy(component, folder, n);
		component[n] = '\0';
		folder += folder[n] ? n + 1 : n;
		next = openat(fd, component, OPEN_PLACE | O_NOFOLLOW);
		fd_cleanup(&fd);
		fd = next;
	}
	if (fd < 0)
		return errno;
	*ret = fd_take(&fd);
	return 0;
}

int maildir_open_sub(int folder_fd, const char *name, int *ret)
{
	int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno;
	*ret = fd;
	return 0;
}

int maildir_dirs_open(const char *root, const char *folder, struct maildir_dirs *dirs)
{
	cleanup(fd_cleanup) int root_fd = -1;
	cleanup(fd_cleanup) int folder_fd = -1;
	int rc = maildir_open_root(root, &root_fd);

	if (rc == 0)
		rc = maildir_open_folder(root_fd, folder, &folder_fd);
	for (int sub = 0; rc == 0 && sub < MAILDIR_SUBS; sub++)
		rc = maildir_open_sub(folder_fd, maildir_sub_names[sub], &dirs->fd[sub]);
	if (rc != 0)
		maildir_dirs_close(dirs);
	return rc;
}

void maildir_dirs_close(struct maildir_dirs *dirs)
{
	for (int sub = 0; sub < MAILDIR_SUBS; sub++)
		fd_close(&dirs->fd[sub]);
}

enum err_scope maildir_scope(int errnum)
{
	switch (errnum) {
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return ERR_PERM;
	default:
		return ERR_TEMP;
	}
}
