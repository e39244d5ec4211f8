#include "backends/maildir/glance.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "backends/maildir/quota.h"

#define DEVICES_MAX 64

/* File systems of this machine. */
static struct {
	uint64_t of[DEVICES_MAX];
	size_t n;
	bool useless; /* the kernel, or who confines us, knows no openat2 */
} trusted;

static bool is_trusted(uint64_t device)
{
	for (size_t i = 0; i < trusted.n; i++)
		if (trusted.of[i] == device)
			return true;
	return false;
}

static bool all_trusted(const struct maildir_state *state)
{
	for (int sub = 0; sub < MAILDIR_SUBS; sub++)
		if (!is_trusted(state->subs[sub].device))
			return false;
	return true;
}

void maildir_glance_trust(const struct maildir_state *state)
{
	uint64_t device = state->subs[MAILDIR_CUR].device;

	if (!is_trusted(device) && trusted.n < DEVICES_MAX)
		trusted.of[trusted.n++] = device;
}

/* Without following links, and only from memory: EAGAIN when it is not there. */
static int open_cached(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_CACHED,
	};
	long fd;

	if (dir != AT_FDCWD)
		how.resolve |= RESOLVE_NO_SYMLINKS;
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
	       maildir_state_read(&dirs, MAILDIR_STATE_CACHED, &m->state) == 0 &&
	       all_trusted(&m->state);
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
	root_fd = open_cached(AT_FDCWD, m->root, O_PATH | O_DIRECTORY);
	return root_fd >= 0 && glance_at_subs(m, root_fd) && glance_at_quota(m, root_fd);
}
