#include "backends/maildir/glance.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "backends/maildir/quota.h"

#define MOUNTS_MAX 64

/* Those of file systems of this machine. */
static struct {
	struct maildir_mount of[MOUNTS_MAX];
	size_t n;
	bool useless; /* the kernel, or who confines us, knows no openat2 */
} trusted;

struct maildir_mount maildir_mount_of(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0 ||
		!(st.stx_mask & STATX_MNT_ID))
		return (struct maildir_mount){ 0 };
	return (struct maildir_mount){ .id = st.stx_mnt_id,
		.device = makedev(st.stx_dev_major, st.stx_dev_minor) };
}

/* Not a server's, which might have the loop wait. */
static bool is_trusted(struct maildir_mount mount)
{
	for (size_t i = 0; i < trusted.n; i++)
		if (trusted.of[i].id == mount.id && trusted.of[i].device == mount.device)
			return true;
	return false;
}

void maildir_glance_trust(struct maildir_mount mount)
{
	if (mount.id != 0 && !is_trusted(mount) && trusted.n < MOUNTS_MAX)
		trusted.of[trusted.n++] = mount;
}

/* Without following links, and only from memory: EAGAIN when it is not there. Below the Maildir not
 * into what else is mounted there. */
static int open_cached(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_CACHED,
	};
	long fd;

	if (dir != AT_FDCWD)
		how.resolve |= RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd < 0 && (errno == ENOSYS || errno == EINVAL || errno == EPERM))
		trusted.useless = true;
	return (int)fd;
}

/* The directory, if it can be read and, by way of the ".", be entered. */
static bool open_sub(const struct maildir *m, int root_fd, const char *sub, int *ret)
{
	cleanup(free_cleanup) char *path = mem_printf("%s/%s/.", m->folders[0].path, sub);

	*ret = open_cached(root_fd, path, O_RDONLY | O_DIRECTORY);
	return *ret >= 0;
}

static bool glance_at_subs(struct maildir *m, int root_fd)
{
	cleanup(maildir_dirs_close) struct maildir_dirs dirs = { .fd = { -1, -1 } };
	cleanup(fd_cleanup) int tmp = -1;

	for (int sub = 0; sub < MAILDIR_SUBS; sub++)
		if (!open_sub(m, root_fd, maildir_sub_names[sub], &dirs.fd[sub]))
			return false;
	return open_sub(m, root_fd, "tmp", &tmp) &&
	       maildir_state_read(&dirs, MAILDIR_STATE_CACHED, &m->state) == 0;
}

static bool glance_at_quota(struct maildir *m, int root_fd)
{
	cleanup(fd_cleanup) int fd = open_cached(root_fd, "maildirsize", O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT;
	return maildir_quota_glance(fd, &m->quota);
}

bool maildir_glance(struct maildir *m)
{
	cleanup(fd_cleanup) int root_fd = -1;

	if (trusted.n == 0 || trusted.useless)
		return false;
	/* O_PATH asks no file system. To open for reading would, hence first the look at which one
	 * it is. */
	root_fd = open_cached(AT_FDCWD, m->root, O_PATH | O_DIRECTORY);
	return root_fd >= 0 && is_trusted(maildir_mount_of(root_fd)) &&
	       glance_at_subs(m, root_fd) && glance_at_quota(m, root_fd);
}
