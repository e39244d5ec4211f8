/* What other servers left in a Maildir about its messages: their files, read in slices. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "backends/maildir/hash.h"
#include "backends/maildir/maildir.h"
#include "backends/maildir/uidlist.h"
#include "proxy/runtime/wait.h"

/* What one job reads before its thread of the pool serves others. */
#define READ_BUDGET (16 << 20)
/* The longest line that counts. A file name has at most 255 octets. */
#define BLOCK_SIZE 65536

struct reading {
	struct maildir *maildir;
	struct arena *mem;
	const struct backend_message *messages;
	size_t n;
	struct backend_legacy *ret;
	size_t folder;
	uint32_t *table; /* indices of the folder's messages plus 1, by the hash of their keys */
	size_t table_mask;
	uint64_t seed; /* nobody can choose names that collide */
	int fd;
	const struct uidlist_format *format;
	struct uidlist list;
	struct uidlist_entry entry;
	char *block;
	size_t used;
	bool skipping; /* the rest of a line that is too long */
	bool begun, ended;
	struct err e;
};

static void reading_free(struct reading *r)
{
	fd_cleanup(&r->fd);
	free(r->table);
	free(r->block);
	free(r);
}

DEFINE_CLEANUP(reading, reading_free)

/* Where a key's index is, or would be. */
static uint32_t *slot_of(const struct reading *r, const char *key, size_t length)
{
	uint64_t h = hash_add(r->seed, key, length);

	for (size_t i = (h ^ h >> 32) & r->table_mask;; i = (i + 1) & r->table_mask) {
		const char *there = r->table[i] ? r->messages[r->table[i] - 1].key : NULL;

		if (!there || (strncmp(there, key, length) == 0 && there[length] == '\0'))
			return &r->table[i];
	}
}

/* False: the folder has none of the messages. */
static bool index_folder(struct reading *r)
{
	size_t size = 16, n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->messages[i].folder == r->folder;
	if (n == 0)
		return false;
	while (size < 2 * n)
		size *= 2;
	free(r->table);
	r->table = mem_zalloc(size, sizeof *r->table);
	r->table_mask = size - 1;
	for (size_t i = 0; i < r->n; i++)
		if (r->messages[i].folder == r->folder)
			*slot_of(r, r->messages[i].key, strlen(r->messages[i].key)) =
				(uint32_t)i + 1;
	return true;
}

/* 0 or an errno value; ENOENT: there is no such file. */
static int open_list(int folder_fd, const char *name, int *ret, struct timespec *written)
{
	cleanup(fd_cleanup) int fd =
		openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	*written = st.st_mtim;
	*ret = fd_take(&fd);
	return 0;
}

/* Where there are several, the one written last is of the server that clients saw last. */
static struct err choose_list(struct reading *r, int folder_fd, const char *path)
{
	static const struct uidlist_format *const formats[] = { &uidlist_dovecot,
		&uidlist_courier };
	struct timespec last = { 0 }, written = { 0 };

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		int fd = -1, rc = open_list(folder_fd, formats[i]->name, &fd, &written);

		if (rc == ENOENT)
			continue;
		if (rc != 0)
			return err_errno(maildir_scope(rc), rc, "%s/%s/%s", r->maildir->root, path,
				formats[i]->name);
		if (r->fd >= 0 && (written.tv_sec < last.tv_sec ||
					  (written.tv_sec == last.tv_sec &&
						  written.tv_nsec <= last.tv_nsec))) {
			fd_close(&fd);
			continue;
		}
		fd_close(&r->fd);
		r->fd = fd;
		r->format = formats[i];
		last = written;
	}
	return ok();
}

static struct err open_folder(struct reading *r)
{
	const char *root = r->maildir->root, *path = r->maildir->folders[r->folder].path;
	cleanup(fd_cleanup) int root_fd = -1;
	cleanup(fd_cleanup) int folder_fd = -1;
	int rc = maildir_open_root(root, &root_fd);

	if (rc == 0)
		rc = maildir_open_folder(root_fd, path, &folder_fd);
	if (rc != 0)
		return err_errno(maildir_scope(rc), rc, "%s/%s", root, path);
	return choose_list(r, folder_fd, path);
}

static const char *own_or_file(const struct reading *r, const char *own)
{
	const char *file = r->entry.file;

	if (!own)
		return NULL;
	return *own ? arena_strdup(r->mem, own) : arena_strndup(r->mem, file, strcspn(file, ":"));
}

static void take_line(struct reading *r, char *line)
{
	const struct uidlist_entry *entry = &r->entry;
	uint32_t index;

	if (!r->begun) {
		r->begun = true;
		r->ended = !r->format->header(&r->list, line);
		return;
	}
	if (!r->format->entry(&r->list, line, &r->entry))
		return;
	index = *slot_of(r, entry->file, maildir_name_base(entry->file));
	if (index > 0)
		r->ret[index - 1] = (struct backend_legacy){
			.uidvalidity = entry->uidvalidity,
			.uid = entry->uid,
			.guid = own_or_file(r, entry->guid),
			.uidl = own_or_file(r, entry->uidl),
		};
}

/* Takes the lines that have ended; the beginning of another moves to the front. */
static void take_lines(struct reading *r)
{
	char *at = r->block, *end = r->block + r->used, *lf;

	for (; !r->ended && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL; at = lf + 1) {
		*lf = '\0';
		/* A NUL would hide what is behind it. */
		if (!r->skipping && strlen(at) == (size_t)(lf - at))
			take_line(r, at);
		r->skipping = false;
	}
	r->used = (size_t)(end - at);
	memmove(r->block, at, r->used);
	if (r->used == BLOCK_SIZE) {
		r->skipping = true;
		r->used = 0;
	}
}

static struct err read_some(struct reading *r)
{
	for (size_t budget = READ_BUDGET; budget > 0 && !r->ended;) {
		ssize_t n = read(r->fd, r->block + r->used, BLOCK_SIZE - r->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(ERR_TEMP, errno, "%s/%s/%s", r->maildir->root,
				r->maildir->folders[r->folder].path, r->format->name);
		/* A line without its end is still being written. */
		if (n == 0)
			r->ended = true;
		r->used += (size_t)n;
		budget -= budget < (size_t)n ? budget : (size_t)n;
		take_lines(r);
	}
	return ok();
}

static void open_job(void *arg)
{
	struct reading *r = arg;

	r->ended = true;
	if (!index_folder(r) || failed(r->e = open_folder(r)) || r->fd < 0)
		return;
	r->ended = r->begun = r->skipping = false;
	r->list = (struct uidlist){ 0 };
	r->used = 0;
	r->e = read_some(r);
}

static void read_job(void *arg)
{
	struct reading *r = arg;

	r->e = read_some(r);
}

static fiber_fn struct err read_folder(struct reading *r)
{
	struct err e;

	share_offload(r->maildir->share, open_job, r);
	for (;;) {
		if (failed(r->e))
			return r->e;
		if (r->ended)
			break;
		if (failed(e = wait_turn()))
			return e;
		share_offload(r->maildir->share, read_job, r);
	}
	fd_close(&r->fd);
	return ok();
}

fiber_fn struct err maildir_legacy(struct backend *backend, struct arena *mem,
	const struct backend_message *messages, size_t n, struct backend_legacy *ret)
{
	cleanup(reading_cleanup) struct reading *r = mem_zalloc(1, sizeof *r);
	struct err e = ok();

	if (n == 0)
		return ok();
	assert(n < UINT32_MAX);
	r->maildir = maildir_of(backend);
	r->mem = mem;
	r->messages = messages;
	r->n = n;
	r->ret = ret;
	r->fd = -1;
	r->block = mem_alloc(BLOCK_SIZE);
	if (getrandom(&r->seed, sizeof r->seed, GRND_NONBLOCK) < 0)
		r->seed = FNV_OFFSET;
	memset(ret, 0, n * sizeof *ret);
	for (; !failed(e) && r->folder < r->maildir->n_folders; r->folder++)
		e = read_folder(r);
	return e;
}
