#include "memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct dirent *__real_readdir(DIR *stream);
struct dirent *__wrap_readdir(DIR *stream);
int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __real_statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret);
int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret);
int __real_fstatfs(int fd, struct statfs *ret);
int __wrap_fstatfs(int fd, struct statfs *ret);

unsigned reads;
int64_t later_ms;
bool on_server;

struct dirent *__wrap_readdir(DIR *stream)
{
	struct dirent *entry = __real_readdir(stream);

	reads += !entry;
	return entry;
}

void add_ms(struct timespec *t, int64_t ms)
{
	int64_t ns = t->tv_nsec + ms % 1000 * 1000000;

	t->tv_sec += ms / 1000 + ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = __real_clock_gettime(clock, ret);

	if (clock == CLOCK_REALTIME)
		add_ms(ret, later_ms);
	return rc;
}

static void floor_to_tick(struct timespec *t)
{
	t->tv_nsec -= t->tv_nsec % (TICK_MS * 1000000);
	/* Zeros would tell of a clock that is coarser still. */
	t->tv_nsec += t->tv_nsec == 0;
}

static void floor_stamp(struct statx_timestamp *t)
{
	struct timespec floored = { .tv_nsec = t->tv_nsec };

	floor_to_tick(&floored);
	t->tv_nsec = (uint32_t)floored.tv_nsec;
}

int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret)
{
	int rc = __real_statx(dir, path, flags, mask, ret);

	floor_stamp(&ret->stx_mtime);
	floor_stamp(&ret->stx_ctime);
	return rc;
}

int __wrap_fstatfs(int fd, struct statfs *ret)
{
	int rc = __real_fstatfs(fd, ret);

	if (on_server)
		ret->f_type = NFS_SUPER_MAGIC;
	return rc;
}

struct memory remembered(const struct world *w)
{
	const struct backend_listing *l = &w->listing;
	struct memory memory = {
		.messages = arena_alloc(w->arena, l->n * sizeof *memory.messages),
	};

	for (size_t i = 0; i < l->n; i++) {
		memory.messages[i] = l->messages[i];
		memory.messages[i].key = arena_strdup(w->arena, l->messages[i].key);
		memory.messages[i].seen = false;
	}
	for (size_t i = 0; i <= w->tenant.maildrop.also.n; i++)
		memory.known[i] = (struct backend_known){
			.mark = arena_strdup(w->arena, l->folders[i].mark),
			.messages = memory.messages + l->folders[i].first,
			.n = l->folders[i].n,
		};
	return memory;
}

void reverse(struct memory *memory)
{
	struct backend_message *messages = memory->messages;

	for (size_t i = 0, j = memory->known[0].n; i + 1 < j; i++) {
		struct backend_message m = messages[i];

		messages[i] = messages[--j];
		messages[j] = m;
	}
}

void list_on(struct world *w, const struct memory *memory)
{
	w->request.known = memory->known;
	reads = 0;
	list(w);
}

void list_anew(struct world *w)
{
	w->request.known = NULL;
	list(w);
}

static struct timespec changed(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	floor_to_tick(&st.st_ctim);
	return st.st_ctim;
}

/* Waits for the file system's clock to have moved on since the last change of the folders, so that
 * the next one gets another time. */
static void wait_for_tick(const struct world *w)
{
	char *probe = mem_printf("%s/probe", w->dir);
	struct timespec now, subs[] = { changed(full(w, "new")), changed(full(w, "cur")) };

	do {
		int fd = open(probe, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		assert_true(fd >= 0);
		assert_int_equal(close(fd), 0);
		now = changed(probe);
		assert_int_equal(unlink(probe), 0);
	} while (
		memcmp(&now, &subs[0], sizeof now) == 0 || memcmp(&now, &subs[1], sizeof now) == 0);
	free(probe);
}

/* From now on a listing can be built on. */
void rest(const struct world *w)
{
	wait_for_tick(w);
	later_ms = 3 * TICK_MS;
}

void assert_same(const struct world *w, const struct backend_listing *expected)
{
	assert_int_equal(w->listing.n, expected->n);
	for (size_t i = 0; i < expected->n; i++) {
		const struct backend_message *a = &w->listing.messages[i];
		const struct backend_message *b = &expected->messages[i];

		assert_string_equal(a->key, b->key);
		assert_int_equal(a->size, b->size);
		assert_int_equal(a->exact, b->exact);
		assert_int_equal(a->arrival, b->arrival);
		assert_int_equal(a->folder, b->folder);
	}
	for (size_t i = 0; i <= w->tenant.maildrop.also.n; i++) {
		assert_int_equal(w->listing.folders[i].first, expected->folders[i].first);
		assert_int_equal(w->listing.folders[i].n, expected->folders[i].n);
		assert_int_equal(w->listing.folders[i].absent, expected->folders[i].absent);
	}
}

int memory_setup(void **state)
{
	reads = 0;
	later_ms = 0;
	on_server = false;
	return world_setup(state);
}
