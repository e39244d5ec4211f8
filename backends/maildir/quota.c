#include "backends/maildir/quota.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backends/maildir/dirs.h"

#define MAILDIRSIZE_MAX 5120

void maildir_quota_removed(const char *root, uint64_t octets, size_t messages)
{
	cleanup(fd_cleanup) int root_fd = -1;
	cleanup(fd_cleanup) int fd = -1;
	struct stat st;
	char line[64];
	int n;

	if (messages == 0 || maildir_open_root(root, &root_fd) != 0)
		return;
	fd = openat(
		root_fd, "maildirsize", O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size >= MAILDIRSIZE_MAX)
		return;
	n = snprintf(line, sizeof line, "-%" PRIu64 " -%zu\n", octets, messages);
	if (write(fd, line, (size_t)n) < 0)
		return;
}
