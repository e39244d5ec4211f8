#include "backends/maildir/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "backends/maildir/dirs.h"

/* From here on whoever reads the file next counts anew. */
#define MAILDIRSIZE_MAX 5120
/* Nor do others let it grow far beyond that. */
#define READ_MAX ((off_t)16 * MAILDIRSIZE_MAX)

/* A descriptor of the maildirsize file, or -1. */
static int open_file(int root_fd, int flags, struct stat *st)
{
	cleanup(fd_cleanup) int fd =
		openat(root_fd, "maildirsize", flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0 || !S_ISREG(st->st_mode))
		return -1;
	return fd_take(&fd);
}

/* The text of the file, NULL where that cannot be had; flags of preadv2. The caller frees it. */
static char *read_file(int fd, const struct stat *st, int flags)
{
	cleanup(free_cleanup) char *text = NULL;
	size_t size = (size_t)st->st_size, used = 0;
	ssize_t n = 1;

	if (st->st_size > READ_MAX)
		return NULL;
	text = mem_zalloc(size + 1, 1);
	/* What is appended meanwhile has its turn at the next login. */
	while (used < size && n > 0) {
		struct iovec rest = { text + used, size - used };

		n = preadv2(fd, &rest, 1, (off_t)used, flags);
		used += n > 0 ? (size_t)n : 0;
	}
	return n >= 0 ? steal(text) : NULL;
}

/* "1000000S,1000C": takes what it knows, in any order. */
static bool parse_limits(char *line, struct backend_quota *quota)
{
	for (char *word; (word = strsep(&line, ","));) {
		char *end;
		uint64_t limit = strtoull(word, &end, 10);

		if (*word < '0' || *word > '9' || *end == '\0' || end[1] != '\0')
			return false;
		if (*end == 'S')
			quota->limit_octets = limit;
		else if (*end == 'C')
			quota->limit_messages = limit;
	}
	return true;
}

/* "-5 -1" */
static bool add_change(const char *line, int64_t *octets, int64_t *messages)
{
	char *end;
	long long change;

	errno = 0;
	change = strtoll(line, &end, 10);
	if (end == line || *end != ' ' || __builtin_add_overflow(*octets, change, octets))
		return false;
	line = end;
	change = strtoll(line, &end, 10);
	if (end == line || __builtin_add_overflow(*messages, change, messages))
		return false;
	return errno == 0 && end[strspn(end, " \r")] == '\0';
}

static bool parse(char *text, struct backend_quota *quota)
{
	int64_t octets = 0, messages = 0;
	char *line = strsep(&text, "\n");

	if (!parse_limits(line, quota))
		return false;
	while ((line = strsep(&text, "\n")))
		if (*line && !add_change(line, &octets, &messages))
			return false;
	/* Estimates of several writers may add up to less than nothing. */
	quota->used_octets = octets > 0 ? (uint64_t)octets : 0;
	quota->used_messages = messages > 0 ? (uint64_t)messages : 0;
	return true;
}

static struct backend_quota quota_of(char *text)
{
	struct backend_quota quota = { 0 };

	return parse(text, &quota) ? quota : (struct backend_quota){ 0 };
}

struct backend_quota maildir_quota_read(int root_fd)
{
	struct stat st;
	cleanup(fd_cleanup) int fd = open_file(root_fd, O_RDONLY, &st);
	cleanup(free_cleanup) char *text = fd < 0 ? NULL : read_file(fd, &st, 0);

	return text ? quota_of(text) : (struct backend_quota){ 0 };
}

bool maildir_quota_glance(int fd, struct backend_quota *ret)
{
	cleanup(free_cleanup) char *text = NULL;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		text = read_file(fd, &st, RWF_NOWAIT);
	if (text)
		*ret = quota_of(text);
	return text != NULL;
}

void maildir_quota_removed(const char *root, uint64_t octets, size_t messages)
{
	cleanup(fd_cleanup) int root_fd = -1;
	cleanup(fd_cleanup) int fd = -1;
	struct stat st;
	char line[64];
	int n;

	if (messages > 0 && maildir_open_root(root, &root_fd) == 0)
		fd = open_file(root_fd, O_WRONLY | O_APPEND, &st);
	if (fd < 0 || st.st_size >= MAILDIRSIZE_MAX)
		return;
	n = snprintf(line, sizeof line, "-%" PRIu64 " -%zu\n", octets, messages);
	if (write(fd, line, (size_t)n) < 0)
		return;
}
