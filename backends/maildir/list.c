#include <errno.h>
#include <string.h>

#include "backends/maildir/locate.h"
#include "backends/maildir/quota.h"
#include "backends/maildir/sizes.h"
#include "proxy/runtime/wait.h"

/* The listing while it is made. */
struct listing {
	struct maildir *maildir;
	struct arena *mem;
	bool measure;
	struct maildir_scan *scans; /* one per folder */
	struct backend_message *messages;
	size_t n;
	char *names;
	size_t names_size;
	size_t *todo; /* what must be looked at, beyond the name */
	size_t n_todo;
	struct backend_quota quota;
	struct err e;
};

static void listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->maildir->n_folders; i++)
		maildir_scan_done(&l->scans[i]);
	free(l->scans);
	free(l->todo);
}

static struct err scan_folder(struct listing *l, size_t folder)
{
	const struct maildir *m = l->maildir;
	const char *path = m->folders[folder].path;
	struct maildir_dirs dirs = { .fd = { -1, -1 } };
	int rc;

	if (!path)
		return ok();
	rc = maildir_dirs_open(m->root, path, &dirs);
	/* A further folder may come with its first message, as a junk folder does. */
	if (rc == ENOENT && folder > 0)
		return ok();
	if (rc == 0)
		rc = maildir_scan_read(&l->scans[folder], &dirs);
	maildir_dirs_close(&dirs);
	if (rc != 0)
		return err_errno(maildir_scope(rc), rc, "%s/%s", m->root, path);
	l->n += l->scans[folder].n;
	return ok();
}

/* The octets that the names of a scan take in the listing. */
static size_t names_size(const struct maildir_scan *scan)
{
	size_t size = 0;

	for (size_t i = 0; i < scan->n; i++) {
		struct maildir_name name = maildir_scan_name(scan, i);

		size += strlen(name.base) + strlen(name.info) + 3;
	}
	return size;
}

/* Copies a name with its folder before and its info behind it; *at moves on. */
static const char *put_name(char **at, const struct maildir_name *name)
{
	char *key;

	*(*at)++ = (char)name->sub;
	key = *at;
	*at = stpcpy(stpcpy(key, name->base) + 1, name->info) + 1;
	return key;
}

static void add_message(
	struct listing *l, size_t folder, const struct maildir_name *name, char **names)
{
	struct backend_message *message = &l->messages[l->n];

	*message = (struct backend_message){
		.arrival = maildir_name_time(name->base).seconds,
		.key = put_name(names, name),
		.folder = (uint16_t)folder,
		.seen = maildir_name_has_flag(name->info, 'S'),
	};
	if (l->measure)
		message->exact = maildir_name_size(name->base, 'W', &message->size);
	if (message->arrival == 0 ||
		!(message->exact ||
			(!l->measure && maildir_name_size(name->base, 'S', &message->size))))
		l->todo[l->n_todo++] = l->n;
	l->n++;
}

static void scan_job(void *arg)
{
	struct listing *l = arg;
	size_t total = 0;
	char *at;

	for (size_t i = 0; i < l->maildir->n_folders; i++) {
		if (failed(l->e = scan_folder(l, i)))
			return;
		l->names_size += names_size(&l->scans[i]);
	}
	total = l->n;
	l->messages = arena_alloc(l->mem, total * sizeof *l->messages);
	l->names = at = arena_alloc(l->mem, l->names_size);
	l->todo = mem_alloc(total * sizeof *l->todo);
	l->n = 0;
	for (size_t folder = 0; folder < l->maildir->n_folders; folder++) {
		for (size_t i = 0; i < l->scans[folder].n; i++) {
			struct maildir_name name = maildir_scan_name(&l->scans[folder], i);

			add_message(l, folder, &name, &at);
		}
		maildir_scan_done(&l->scans[folder]);
	}
	l->quota = maildir_quota_read(l->maildir->root);
}

static int compare_messages(const void *pa, const void *pb)
{
	const struct backend_message *a = pa, *b = pb;
	uint32_t am, bm;

	if (a->folder != b->folder)
		return a->folder < b->folder ? -1 : 1;
	if (a->arrival != b->arrival)
		return a->arrival < b->arrival ? -1 : 1;
	am = maildir_name_time(a->key).microseconds;
	bm = maildir_name_time(b->key).microseconds;
	return am != bm ? (am < bm ? -1 : 1) : strcmp(a->key, b->key);
}

/* Drops what has vanished, and sorts in the times that names did not tell. */
static void settle_job(void *arg)
{
	struct listing *l = arg;
	bool sorted = true;
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!l->messages[i].key)
			continue;
		l->messages[kept] = l->messages[i];
		sorted &= kept == 0 ||
			  compare_messages(&l->messages[kept - 1], &l->messages[kept]) < 0;
		kept++;
	}
	l->n = kept;
	if (!sorted)
		qsort(l->messages, l->n, sizeof *l->messages, compare_messages);
}

static fiber_fn struct err list(struct listing *l)
{
	struct maildir *m = l->maildir;
	struct err e;

	offload(scan_job, l);
	if (failed(l->e))
		return l->e;
	m->names = l->names;
	m->names_end = l->names + l->names_size;
	if (l->n_todo == 0)
		return ok();
	if (failed(e = maildir_learn(m, l->messages, l->todo, l->n_todo, l->measure)))
		return e;
	offload(settle_job, l);
	return ok();
}

/* Where each folder's messages lie; they are in order of their folders. */
static struct backend_folder *name_folders(const struct listing *l)
{
	size_t n = l->maildir->n_folders, at = 0;
	struct backend_folder *folders = arena_zalloc(l->mem, n, sizeof *folders);

	for (size_t i = 0; i < n; i++) {
		folders[i].mark = "";
		folders[i].first = at;
		while (at < l->n && l->messages[at].folder == i)
			at++;
		folders[i].n = at - folders[i].first;
	}
	return folders;
}

fiber_fn struct err maildir_list(struct backend *backend, struct arena *mem,
	const struct backend_list_request *request, struct backend_listing *ret)
{
	(void)request;
	struct maildir *m = maildir_of(backend);
	struct listing l = {
		.maildir = m,
		.mem = mem,
		.measure = m->account->tenant->maildrop.exact_rfc822_size,
		.scans = mem_zalloc(m->n_folders, sizeof *l.scans),
	};
	struct err e = list(&l);

	if (!failed(e)) {
		m->messages = ret->messages = l.messages;
		m->n_messages = ret->n = l.n;
		ret->folders = name_folders(&l);
		ret->quota = l.quota;
	}
	listing_done(&l);
	return e;
}
