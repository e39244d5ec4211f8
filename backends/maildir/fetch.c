#include <errno.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "backends/maildir/locate.h"
#include "backends/maildir/read_ahead.h"
#include "proxy/runtime/wait.h"

/* A message being read. Once open, a rename or removal does not touch it. */
struct reading {
	struct maildir *maildir;
	const struct backend_message *message;
	size_t block_max;
	int fd;
	uint64_t size; /* when opened */
	uint64_t read;
	char *block;
	size_t block_size, n; /* n octets of the block are new */
	bool ended;
	struct err e;
};

static void reading_done(struct reading *r)
{
	fd_cleanup(&r->fd);
	free(r->block);
}

static struct err trouble(const struct reading *r, enum err_scope scope, int errnum)
{
	const struct maildir *m = r->maildir;

	return err_errno(scope, errnum, "%s/%s: %s", m->root, m->folders[r->message->folder].path,
		r->message->key);
}

static struct err broken(const struct reading *r, const char *what)
{
	const struct maildir *m = r->maildir;

	/* Before the first octet has gone out, only this message is lost. */
	return err_make(r->read > 0 ? ERR_TEMP : ERR_MESSAGE, "%s/%s: %s: %s", m->root,
		m->folders[r->message->folder].path, r->message->key, what);
}

/* Fills the block, or reads to the end. */
static struct err read_block(struct reading *r)
{
	uint64_t before = r->read;

	r->n = 0;
	while (r->n < r->block_size) {
		ssize_t n = read(r->fd, r->block + r->n, r->block_size - r->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return trouble(r, before > 0 ? ERR_TEMP : ERR_MESSAGE, errno);
		if (n == 0) {
			r->ended = true;
			break;
		}
		r->n += (size_t)n;
	}
	if (r->ended && before + r->n < r->size)
		return broken(r, "became shorter while it was read");
	r->read += r->n;
	return ok();
}

static void read_job(void *arg)
{
	struct reading *r = arg;

	r->e = read_block(r);
}

/* Reads on in what is in memory, which takes no thread. false: it may take one. */
static bool read_cached(struct reading *r)
{
	struct iovec block = { r->block, r->block_size };
	ssize_t n = preadv2(r->fd, &block, 1, /* offset= */ -1, RWF_NOWAIT);

	/* A file that became shorter is for read_block to tell. */
	if (n < 0 || (n == 0 && r->read < r->size))
		return false;
	r->n = (size_t)n;
	r->read += r->n;
	r->ended = n == 0;
	return true;
}

static struct err open_message(struct reading *r, struct maildir_place *place)
{
	struct stat st;
	int rc = maildir_locate(place, r->message->key, maildir_open_action, &r->fd);

	if (rc != 0)
		return trouble(r, rc == ENOENT ? ERR_GONE : ERR_MESSAGE, rc);
	if (fstat(r->fd, &st) < 0)
		return trouble(r, ERR_MESSAGE, errno);
	if (!S_ISREG(st.st_mode))
		return broken(r, "not a plain file");
	r->size = (uint64_t)st.st_size;
	return ok();
}

static struct err open_and_read(struct reading *r, struct maildir_place *place)
{
	struct err e = open_message(r, place);

	if (failed(e))
		return e;
	/* One octet more, so that a small message and its end come with one job. */
	r->block_size = r->size < r->block_max ? (size_t)r->size + 1 : r->block_max;
	r->block = mem_alloc(r->block_size);
	return read_block(r);
}

static void open_job(void *arg)
{
	struct reading *r = arg;
	cleanup(maildir_leave) struct maildir_place place = maildir_place(r->maildir);

	if (failed(r->e = maildir_enter(&place, r->message->folder))) {
		r->e.scope = ERR_TEMP; /* it was there at login: say, a disk is gone */
		return;
	}
	r->e = open_and_read(r, &place);
	maildir_ahead_read(&place);
}

static fiber_fn struct err push(struct reading *r, struct sink *out)
{
	struct err e;

	share_offload(r->maildir->share, open_job, r);
	for (;;) {
		if (failed(r->e))
			return r->e;
		if (r->n > 0 && failed(e = out->write(out, r->block, r->n)))
			return e;
		if (r->ended || out->full)
			return ok();
		/* Neither a job nor a sink that never waits would notice a cancel. */
		if (failed(e = wait_turn()))
			return e;
		if (!read_cached(r))
			share_offload(r->maildir->share, read_job, r);
	}
}

/* lines: the sink counts them, and is full when it has them. */
fiber_fn struct err maildir_fetch(struct backend *backend, const struct backend_message *message,
	enum fetch_part part, uint64_t lines, struct sink *out)
{
	cleanup(buffer_done) struct buffer kept = { 0 };
	struct reading r = {
		.maildir = maildir_of(backend),
		.message = message,
		.block_max = part == FETCH_TOP ? MAILDIR_BLOCK_TOP : MAILDIR_BLOCK_ALL,
		.fd = -1,
	};
	struct err e;

	if (maildir_ahead_take(r.maildir, message, part, lines, &kept))
		return buffer_used(&kept) > 0
			       ? out->write(out, buffer_data(&kept), buffer_used(&kept))
			       : ok();
	e = push(&r, out);
	reading_done(&r);
	/* When it is not this message alone, what was read ahead may be no better. */
	if (failed(e) && e.scope != ERR_GONE && e.scope != ERR_MESSAGE)
		maildir_ahead_done(r.maildir);
	return e;
}
