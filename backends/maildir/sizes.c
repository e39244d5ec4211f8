#include "backends/maildir/sizes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/fingerprint.h"
#include "backends/maildir/locate.h"
#include "backends/maildir/measure.h"
#include "backends/maildir/size_cache.h"
#include "proxy/runtime/wait.h"

/* What one job does before its thread of the pool serves others. */
#define PROBES_MAX  256
#define READ_BUDGET (16 << 20)
/* Of what is measured; all that a fingerprint is made of. */
#define BLOCK_SIZE 65536
/* Headers that end earlier are the rule. */
#define HEADERS_STEP 8192

/* One message of a chunk. look and identify: what is still to be done. */
struct probe {
	size_t index;
	struct size_key key;
	bool look, measure, identify;
};

struct learning {
	struct maildir *maildir;
	const struct maildir_learning *what;
	struct probe probes[PROBES_MAX];
	size_t n, next;
	int fd; /* of the probe being read, or -1 */
	struct measure count;
	struct err e;
};

static void learning_free(struct learning *learning)
{
	fd_cleanup(&learning->fd);
	free(learning);
}

DEFINE_CLEANUP(learning, learning_free)

static struct backend_message *message_of(const struct learning *l, const struct probe *probe)
{
	return &l->what->messages[probe->index];
}

static void set_size(struct backend_message *message, uint64_t size, bool exact)
{
	message->size = size;
	message->exact = exact;
}

static void note_stat(struct learning *l, struct probe *probe, const struct stat *st)
{
	struct backend_message *message = message_of(l, probe);
	uint64_t told;

	if (!S_ISREG(st->st_mode)) {
		message->key = NULL;
		probe->identify = false;
		return;
	}
	if (message->arrival == 0)
		message->arrival = st->st_mtim.tv_sec;
	if (message->exact || (!l->what->measure && maildir_name_size(message->key, 'S', &told)))
		return;
	set_size(message, (uint64_t)st->st_size, false);
	probe->key = size_key_of(st, message->key);
	probe->measure = l->what->measure;
}

static void stat_job(void *arg)
{
	struct learning *l = arg;
	cleanup(maildir_leave) struct maildir_place place = maildir_place(l->maildir);

	for (size_t i = 0; i < l->n; i++) {
		struct probe *probe = &l->probes[i];
		struct backend_message *message = message_of(l, probe);
		struct stat st;
		int rc;

		if (!probe->look)
			continue;
		if (failed(l->e = maildir_enter(&place, message->folder)))
			return;
		rc = maildir_locate(&place, message->key, maildir_stat_action, &st);
		if (rc == 0) {
			note_stat(l, probe, &st);
		} else if (rc == ENOENT) {
			message->key = NULL;
			probe->identify = false;
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
		set_size(message_of(l, probe), octets, true);
		probe->measure = false;
	}
}

/* Opens the file of a probe; false when there is nothing that could be read. */
static bool read_start(struct learning *l, struct maildir_place *place, struct probe *probe)
{
	struct backend_message *message = message_of(l, probe);
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

static bool ends_headers(const char *text, size_t n)
{
	return memmem(text, n, "\n\n", 2) || memmem(text, n, "\n\r\n", 3);
}

/* Reads the file's first block, or, where nothing is measured, its headers. False: it cannot be
 * read. */
static bool read_first(struct learning *l, struct probe *probe, char *block, size_t *budget)
{
	size_t step = probe->measure ? BLOCK_SIZE : HEADERS_STEP, used = 0;

	while (used < BLOCK_SIZE) {
		size_t room = BLOCK_SIZE - used;
		ssize_t n = read(l->fd, block + used, room < step ? room : step);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		used += (size_t)n;
		if (!probe->measure && ends_headers(block, used))
			break;
	}
	if (probe->identify)
		message_of(l, probe)->fingerprint = fingerprint_of_headers(block, used);
	measure_add(&l->count, block, used);
	*budget -= *budget < used ? *budget : used;
	return true;
}

/* Reads on until the file ends or the budget does. False: it cannot be read. */
static bool measure_on(struct learning *l, char *block, size_t *budget, bool *ended)
{
	while (*budget > 0) {
		ssize_t n = read(l->fd, block, BLOCK_SIZE);

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

/* Reads a probe's file, or goes on with it. False: the budget is spent before its end. */
static bool read_probe(struct learning *l, struct maildir_place *place, struct probe *probe,
	char *block, size_t *budget)
{
	bool readable = true, ended = false;

	if (l->fd < 0)
		readable = read_start(l, place, probe) && read_first(l, probe, block, budget);
	probe->identify = false;
	if (readable && probe->measure)
		readable = measure_on(l, block, budget, &ended);
	if (readable && probe->measure && !ended)
		return false;
	fd_close(&l->fd);
	probe->measure = probe->measure && readable;
	if (probe->measure)
		set_size(message_of(l, probe), measure_end(&l->count), true);
	return true;
}

static void read_job(void *arg)
{
	struct learning *l = arg;
	cleanup(maildir_leave) struct maildir_place place = maildir_place(l->maildir);
	cleanup(free_cleanup) char *block = mem_alloc(BLOCK_SIZE);
	size_t budget = READ_BUDGET;

	for (; l->next < l->n && budget > 0; l->next++) {
		struct probe *probe = &l->probes[l->next];

		if (!probe->measure && !probe->identify)
			continue;
		if (!read_probe(l, &place, probe, block, &budget) || failed(l->e))
			return;
	}
}

static void remember(const struct learning *l)
{
	for (size_t i = 0; l->what->remember && i < l->n; i++)
		if (l->probes[i].measure)
			size_cache_put(&l->probes[i].key, message_of(l, &l->probes[i])->size);
}

static bool wants_reading(const struct learning *l)
{
	for (size_t i = l->next; i < l->n; i++)
		if (l->probes[i].measure || l->probes[i].identify)
			return true;
	return false;
}

static fiber_fn struct err learn_chunk(struct learning *l)
{
	struct err e;

	share_offload(l->maildir->share, stat_job, l);
	if (failed(l->e))
		return l->e;
	look_up(l);
	for (l->next = 0; wants_reading(l);) {
		share_offload(l->maildir->share, read_job, l);
		if (failed(l->e))
			return l->e;
		if (failed(e = wait_turn()))
			return e;
	}
	remember(l);
	return ok();
}

fiber_fn struct err maildir_learn(struct maildir *maildir, const struct maildir_learning *learning)
{
	cleanup(learning_cleanup) struct learning *l = mem_zalloc(1, sizeof *l);
	struct err e;

	l->maildir = maildir;
	l->what = learning;
	l->fd = -1;
	for (size_t i = 0; i < learning->n_wanted;) {
		for (l->n = 0; l->n < PROBES_MAX && i < learning->n_wanted; i++)
			l->probes[l->n++] = (struct probe){
				.index = learning->wanted[i].index,
				.look = learning->wanted[i].look,
				.identify = learning->wanted[i].identify,
			};
		if (failed(e = learn_chunk(l)) || failed(e = wait_turn()))
			return e;
	}
	return ok();
}
