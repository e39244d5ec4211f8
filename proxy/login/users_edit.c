#include "proxy/login/users_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/login/users.h"

struct edit {
	char *path; /* of the file itself, links resolved */
	int fd;     /* the old file, locked */
	struct stat old;
	char *text;
	size_t length;
};

static struct err lock_once(struct edit *edit, const char *path, int flags, bool *stale)
{
	struct stat now;

	edit->fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);
	if (edit->fd < 0 || flock(edit->fd, LOCK_EX) < 0 || fstat(edit->fd, &edit->old) < 0)
		return err_errno(ERR_TEMP, errno, "%s", path);
	if (!S_ISREG(edit->old.st_mode))
		return err_make(ERR_TEMP, "%s: not a regular file", path);
	/* another edit may have put a new file in its place while this one waited */
	*stale = stat(path, &now) < 0 || now.st_ino != edit->old.st_ino ||
		 now.st_dev != edit->old.st_dev;
	return ok();
}

static struct err edit_begin(struct edit *edit, const char *path, int flags)
{
	bool stale = true;
	struct err e;

	edit->fd = -1;
	while (stale) {
		if (edit->fd >= 0)
			close(edit->fd);
		if (failed(e = lock_once(edit, path, flags, &stale)))
			return e;
	}
	edit->path = realpath(path, NULL);
	if (!edit->path)
		return err_errno(ERR_TEMP, errno, "%s", path);
	return users_slurp(edit->fd, path, &edit->text, &edit->length);
}

static void edit_end(struct edit *edit)
{
	if (edit->fd >= 0)
		close(edit->fd);
	if (edit->text)
		explicit_bzero(edit->text, edit->length);
	free(edit->text);
	free(edit->path);
}

static bool is_line_of(const char *line, size_t n, const char *login)
{
	size_t length = strlen(login);

	return n > length && line[length] == ':' && memcmp(line, login, length) == 0;
}

/* Copies the text to out; the first line of login becomes "login:hash", or goes when hash is NULL,
 * and so do further ones. Returns whether there was one. */
static bool rewrite(
	const struct edit *edit, const char *login, const char *hash, struct buffer *out)
{
	const char *line = edit->text, *end = edit->text + edit->length;
	bool known = false;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *next = newline ? newline + 1 : end;

		if (!is_line_of(line, (size_t)(next - line), login)) {
			buffer_append(out, line, (size_t)(next - line));
		} else {
			if (hash && !known)
				buffer_printf(out, "%s:%s\n", login, hash);
			known = true;
		}
		line = next;
	}
	return known;
}

static void append(struct buffer *out, const char *login, const char *hash)
{
	if (buffer_used(out) > 0 && out->data[out->end - 1] != '\n')
		buffer_append(out, "\n", 1);
	buffer_printf(out, "%s:%s\n", login, hash);
}

static bool write_all(int fd, const struct buffer *text)
{
	for (size_t at = text->start; at < text->end;) {
		ssize_t n = write(fd, text->data + at, text->end - at);

		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* chown comes before chmod, which it may undo in part. */
static bool fill(int fd, const struct stat *old, const struct buffer *text)
{
	return fchown(fd, old->st_uid, old->st_gid) == 0 && fchmod(fd, old->st_mode & 07777) == 0 &&
	       write_all(fd, text) && fsync(fd) == 0;
}

static void sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static struct err edit_replace(struct edit *edit, const struct buffer *text)
{
	cleanup(free_cleanup) char *copy = mem_strdup(edit->path);
	const char *folder = dirname(copy);
	cleanup(free_cleanup) char *temporary = mem_printf("%s/.users.XXXXXX", folder);
	int fd = mkostemp(temporary, O_CLOEXEC);
	int errnum;

	if (fd < 0)
		return err_errno(ERR_TEMP, errno, "a new file in %s", folder);
	if (!fill(fd, &edit->old, text) || rename(temporary, edit->path) < 0) {
		errnum = errno;
		close(fd);
		unlink(temporary);
		return err_errno(ERR_TEMP, errnum, "replacing %s", edit->path);
	}
	close(fd);
	sync_folder(folder);
	return ok();
}

struct err users_set(const char *path, const char *login, const char *hash, bool *ret_known)
{
	struct edit edit = { .fd = -1 };
	struct buffer text = { 0 };
	const char *wrong = users_check_login(login);
	struct err e;

	if (wrong)
		return err_make(ERR_INVALID, "%s", wrong);
	e = edit_begin(&edit, path, O_RDWR | O_CREAT);
	if (!failed(e)) {
		*ret_known = rewrite(&edit, login, hash, &text);
		if (!*ret_known)
			append(&text, login, hash);
		e = edit_replace(&edit, &text);
	}
	buffer_wipe(&text);
	edit_end(&edit);
	return e;
}

struct err users_remove(const char *path, const char *login, bool *ret_known)
{
	struct edit edit = { .fd = -1 };
	struct buffer text = { 0 };
	const char *wrong = users_check_login(login);
	struct err e;

	if (wrong)
		return err_make(ERR_INVALID, "%s", wrong);
	e = edit_begin(&edit, path, O_RDONLY);
	if (!failed(e)) {
		*ret_known = rewrite(&edit, login, NULL, &text);
		if (*ret_known)
			e = edit_replace(&edit, &text);
	}
	buffer_wipe(&text);
	edit_end(&edit);
	return e;
}
