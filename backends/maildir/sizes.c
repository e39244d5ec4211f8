#include "backends/maildir/sizes.h"

#include <errno.h>
#include <sys/stat.h>

#include "backends/maildir/locate.h"
#include "backends/maildir/measure.h"
#include "backends/maildir/size_cache.h"
#include "proxy/runtime/wait.h"

/* What one job does before its thread of the pool serves others. */
#define PROBES_MAX     256
#define MEASURE_BUDGET (16 << 20)
#define MEASURE_BLOCK  65536

/* One message of which something is to be learned. */
struct probe {
	size_t index;
	struct size_key key;
	bool measure;
};

struct learning {
	struct maildir *maildir;
	struct backend_message *messages;
	bool measure;
	struct probe probes[PROBES_MAX];
	size_t n, next;
	int fd; /* of the probe being measured, or -1 */
	struct measure count;
	struct err e;
};

static void learning_free(struct learning *learning)
{
	fd_cleanup(&learning->fd);
	free(learning);
}

DEFINE_CLEANUP(learning, learning_free)

static void set_size(struct backend_message *message, uint64_t size, bool exact)
{
	message->size = size;
	message->exact = exact;
}

static void note_stat(struct learning *l, struct probe *probe, const struct stat *st)
{
	struct backend_message *message = &l->messages[probe->index];
	uint64_t told;

	if (!S_ISREG(st->st_mode)) {
		message->key = NULL;
		return;
	}
	if (message->arrival == 0)
		message->arrival = st->st_mtim.tv_sec;
	if (message->exact || (!l->measure && maildir_name_size(message->key, 'S', &told)))
		return;
	set_size(message, (uint64_t)st->st_size, false);
	probe->key = size_key_of(st, message->key);
	probe->measure = l->measure;
}

static void stat_job(void *arg)
{
	struct learning *l = arg;
	cleanup(maildir_leave) struct maildir_place place = maildir_place(l->maildir);

	for (size_t i = 0; i < l->n; i++) {
		struct backend_message *message = &l->messages[l->probes[i].index];
		struct stat st;
		int rc;

		if (failed(l->e = maildir_enter(&place, message->folder)))
			return;
		rc = maildir_locate(&place, message->key, maildir_stat_action, &st);
		if (rc == 0) {
			note_stat(l, &l->probes[i], &st);
		} else if (rc == ENOENT) {
			message->key = NULL;
		} else {
			l->e = err_errno(ERR_TEMP, rc, "%s: %s", l->maildir->root, message->key);
			return;
		}
	}
}

static void look_up(struct learning *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct probe *probe = &l->probes[i];
		uint64_t octets;

		if (!probe->measure || !size_cache_get(&probe->key, &octets))
			continue;
		set_size(&l->messages[probe->index], octets, true);
		probe->measure = false;
	}
}

/* Opens the file of a probe; false when there is nothing that could be measured. */
static bool measure_start(struct learning *l, struct maildir_place *place, struct probe *probe)
{
	struct backend_message *message = &l->messages[probe->index];
	struct stat st;
	int rc;

	if (failed(l->e = maildir_enter(place, message->folder)))
		return false;
	rc = maildir_locate(place, message->key, maildir_open_action, &l->fd);
	if (rc == ENOENT)
		message->key = NULL;
	if (rc != 0)
		return false;
	if (fstat(l->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(&l->fd);
		return false;
	}
	probe->key = size_key_of(&st, message->key);
	l->count = (struct measure){ 0 };
	return true;
}

/* Reads on until the file ends or the budget does. False: it cannot be read. */
static bool measure_on(struct learning *l, char *block, size_t *budget, bool *ended)
{
	while (*budget > 0) {
		ssize_t n = read(l->fd, block, MEASURE_BLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0) {
			*ended = true;
			return true;
		}
		measure_add(&l->count, block, (size_t)n);
		*budget -= *budget < (size_t)n ? *budget : (size_t)n;
	}
	return true;
}

static void measure_job(void *arg)
{
	struct learning *l = arg;
	cleanup(maildir_leave) struct maildir_place place = maildir_place(l->maildir);
	cleanup(free_cleanup) char *block = mem_alloc(MEASURE_BLOCK);
	size_t budget = MEASURE_BUDGET;

	for (; l->next < l->n && budget > 0; l->next++) {
		struct probe *probe = &l->probes[l->next];
		bool ended = false, readable;

		if (!probe->measure)
			continue;
		probe->measure = l->fd >= 0 || measure_start(l, &place, probe);
		if (failed(l->e))
			return;
		if (!probe->measure)
			continue;
		readable = measure_on(l, block, &budget, &ended);
		if (readable && !ended)
			return;
		fd_close(&l->fd);
		probe->measure = readable;
		if (readable)
			set_size(&l->messages[probe->index], measure_end(&l->count), true);
	}
}

static void remember(const struct learning *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->probes[i].measure)
			size_cache_put(&l->probes[i].key, l->messages[l->probes[i].index].size);
}

static fiber_fn struct err learn_chunk(struct learning *l)
{
	struct err e;

	offload(stat_job, l);
	if (failed(l->e))
		return l->e;
	look_up(l);
	for (l->next = 0; l->next < l->n;) {
		while (l->next < l->n && !l->probes[l->next].measure)
			l->next++;
		if (l->next == l->n)
			break;
		offload(measure_job, l);
		if (failed(l->e))
			return l->e;
		if (failed(e = wait_turn()))
			return e;
	}
	remember(l);
	return ok();
}

fiber_fn struct err maildir_learn(struct maildir *maildir, struct backend_message *messages,
	const size_t *todo, size_t n, bool measure)
{
	cleanup(learning_cleanup) struct learning *l = mem_zalloc(1, sizeof *l);
	struct err e;

	l->maildir = maildir;
	l->messages = messages;
	l->measure = measure;
	l->fd = -1;
	for (size_t i = 0; i < n;) {
		for (l->n = 0; l->n < PROBES_MAX && i < n; i++)
			l->probes[l->n++] = (struct probe){ .index = todo[i] };
		if (failed(e = learn_chunk(l)) || failed(e = wait_turn()))
			return e;
	}
	return ok();
}
