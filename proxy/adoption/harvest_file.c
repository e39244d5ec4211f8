#include "proxy/adoption/harvest_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "proxy/adoption/id_file.h"
#include "proxy/runtime/wait.h"

struct harvest_file {
	char *path;
	int fd;
	struct gate gate; /* one at a time appends */
	bool broken;
};

static int by_new_login(const void *a, const void *b)
{
	const struct harvest_user *const *x = a, *const *y = b;

	return strcmp((*x)->new_login, (*y)->new_login);
}

/* The users by their login here. */
static struct harvest_user **sort_users(struct harvest_users *users)
{
	struct harvest_user **sorted = mem_alloc((users->n + 1) * sizeof(struct harvest_user *));

	for (size_t i = 0; i < users->n; i++)
		sorted[i] = &users->items[i];
	qsort(sorted, users->n, sizeof(struct harvest_user *), by_new_login);
	return sorted;
}

static void mark_done(struct harvest_user **sorted, size_t n, const char *login)
{
	struct harvest_user key = { .new_login = (char *)(uintptr_t)login };
	const struct harvest_user *wanted = &key;
	struct harvest_user **found =
		bsearch(&wanted, sorted, n, sizeof(struct harvest_user *), by_new_login);

	if (found)
		(*found)->done = true;
}

/* Reads what is there; *ret_end is where the last whole maildrop ends. */
static struct err read_lines(
	struct id_reader *reader, struct harvest_users *users, uint64_t *ret_end)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	cleanup(free_cleanup) struct harvest_user **sorted = sort_users(users);
	struct id_row row;
	bool more = true;
	struct err e;

	for (;;) {
		e = id_read(reader, arena, &row, &more);
		/* A line that was cut off may look like anything. */
		if (failed(e) && !id_reader_whole(reader))
			return ok();
		if (failed(e) || !more)
			return e;
		if (row.kind == ID_END && id_reader_whole(reader)) {
			mark_done(sorted, users->n, row.login);
			*ret_end = id_reader_offset(reader);
			arena_reset(arena);
		}
	}
}

static struct err write_all(struct harvest_file *file, const struct buffer *out)
{
	const char *data = buffer_data(out);
	size_t left = buffer_used(out);

	while (left > 0) {
		ssize_t n = write(file->fd, data, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(ERR_TEMP, errno, "%s", file->path);
		data += n;
		left -= (size_t)n;
	}
	if (fdatasync(file->fd) != 0)
		return err_errno(ERR_TEMP, errno, "%s", file->path);
	return ok();
}

static struct err begin(struct harvest_file *file)
{
	struct buffer header = { 0 };
	struct err e;

	id_tsv_header(ID_HARVEST, &header);
	e = write_all(file, &header);
	buffer_done(&header);
	return e;
}

/* Goes on behind the last whole maildrop. */
static struct err resume(struct harvest_file *file, FILE *in, struct harvest_users *users)
{
	cleanup(id_reader_cleanup) struct id_reader *reader = NULL;
	uint64_t end = 0;
	struct err e = id_reader_new(in, &reader);

	if (!failed(e) && !id_reader_kinds(reader))
		e = err_make(ERR_INVALID, "not the file of a harvest");
	if (!failed(e)) {
		end = id_reader_offset(reader);
		e = read_lines(reader, users, &end);
	}
	if (failed(e))
		return err_context(e, "%s", file->path);
	if (ftruncate(file->fd, (off_t)end) != 0)
		return err_errno(ERR_TEMP, errno, "%s", file->path);
	return ok();
}

/* A header that was cut off is as good as none. */
static bool is_empty(FILE *in)
{
	int c;

	while ((c = getc(in)) != EOF && c != '\n')
		;
	rewind(in);
	return c == EOF;
}

static struct err read_or_begin(struct harvest_file *file, struct harvest_users *users)
{
	int fd = dup(file->fd);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
	struct err e = ok();
	bool empty;

	if (!in) {
		e = err_errno(ERR_TEMP, errno, "%s", file->path);
		if (fd >= 0)
			close(fd);
		return e;
	}
	empty = is_empty(in);
	if (!empty)
		e = resume(file, in, users);
	fclose(in);
	if (!failed(e) && empty && ftruncate(file->fd, 0) != 0)
		e = err_errno(ERR_TEMP, errno, "%s", file->path);
	return failed(e) || !empty ? e : begin(file);
}

struct err harvest_file_open(
	const char *path, struct harvest_users *users, struct harvest_file **ret)
{
	struct harvest_file *file;
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct err e;

	if (fd < 0)
		return err_errno(ERR_TEMP, errno, "%s", path);
	file = mem_zalloc(1, sizeof(*file));
	file->path = mem_strdup(path);
	file->fd = fd;
	gate_init(&file->gate, 1);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		e = err_make(ERR_TEMP, "%s: another harvest writes to it", path);
	else
		e = read_or_begin(file, users);
	if (failed(e))
		harvest_file_close(file);
	else
		*ret = file;
	return e;
}

void harvest_file_close(struct harvest_file *file)
{
	if (!file)
		return;
	close(file->fd);
	free(file->path);
	free(file);
}

static size_t make_lines(
	const char *login, const struct pop3_maildrop *maildrop, struct buffer *out)
{
	struct id_row row;
	size_t n = 0;

	id_row_clear(&row);
	row.login = login;
	for (size_t i = 0; i < maildrop->n; i++) {
		const struct pop3_message *message = &maildrop->messages[i];

		if (!*message->unique_id)
			continue;
		row.old_id = message->unique_id;
		row.entry.size = message->size;
		row.entry.fingerprint = message->fingerprint;
		row.message_id = message->message_id;
		row.date = message->date;
		id_tsv_row(ID_HARVEST, &row, out);
		n++;
	}
	id_row_clear(&row);
	row.login = login;
	row.kind = ID_END;
	row.messages = n;
	id_tsv_row(ID_HARVEST, &row, out);
	return n;
}

struct writing {
	struct harvest_file *file;
	struct buffer out;
	struct err e;
};

static void run_write(void *arg)
{
	struct writing *writing = arg;

	writing->e = write_all(writing->file, &writing->out);
}

fiber_fn struct err harvest_file_add(struct harvest_file *file, const char *login,
	const struct pop3_maildrop *maildrop, size_t *ret_n)
{
	struct writing writing = { .file = file };
	struct err e;

	*ret_n = make_lines(login, maildrop, &writing.out);
	e = gate_enter(&file->gate);
	if (!failed(e) && file->broken) {
		/* Behind half a maildrop no other may stand. */
		e = err_make(ERR_TEMP, "%s: an earlier write failed", file->path);
		gate_leave(&file->gate);
	} else if (!failed(e)) {
		offload(run_write, &writing);
		e = writing.e;
		file->broken = failed(e);
		gate_leave(&file->gate);
	}
	buffer_done(&writing.out);
	return e;
}
