#include <errno.h>
#include <string.h>

#include "backends/maildir/known.h"
#include "backends/maildir/locate.h"
#include "backends/maildir/sizes.h"
#include "proxy/runtime/wait.h"

/* So many new messages at once are a Maildir seen for the first time. */
#define IDENTIFY_MAX 10000
/* The mark of a folder that must be read again, though its messages will be known: it was changed
 * so lately that a further change might not show. Equals no state's. */
#define CHANGING "maildir changing"

/* The listing while it is made. */
struct listing {
	struct maildir *maildir;
	struct arena *mem;
	const struct backend_list_request *request;
	bool measure;
	struct maildir_scan *scans;     /* one per folder; empty where unchanged */
	struct backend_folder *folders; /* first and n come last */
	const struct backend_message *result;
	struct backend_message *messages; /* the same, where it is not the request's own */
	size_t n;
	char *names;
	size_t names_size;
	struct maildir_wanted *wanted;
	size_t n_wanted, n_new;
	struct err e;
};

static void listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->maildir->n_folders; i++)
		maildir_scan_done(&l->scans[i]);
	free(l->scans);
	free(l->wanted);
}

/* What is known of a folder, if anything. */
static const struct backend_known *known_of(const struct listing *l, size_t folder)
{
	const struct backend_known *known = l->request->known;

	return known && known[folder].mark && *known[folder].mark ? &known[folder] : NULL;
}

static int compare_with_known(
	const struct maildir_dirs *dirs, const struct backend_known *known, bool *unchanged)
{
	char mark[MAILDIR_MARK_SIZE];
	struct maildir_state state;
	int rc = maildir_state_read(dirs, MAILDIR_STATE_TRUE, &state);

	if (rc != 0)
		return rc;
	maildir_state_text(&state, mark);
	*unchanged = strcmp(mark, known->mark) == 0;
	return 0;
}

static const char *mark_of(
	const struct listing *l, const struct maildir_scan *scan, const struct maildir_dirs *dirs)
{
	char mark[MAILDIR_MARK_SIZE];

	if (!scan->settled || !maildir_state_lasts(&scan->state, &scan->began, dirs))
		return CHANGING;
	maildir_state_text(&scan->state, mark);
	return arena_strdup(l->mem, mark);
}

static int look_into(struct listing *l, size_t folder, const struct maildir_dirs *dirs)
{
	struct backend_folder *found = &l->folders[folder];
	const struct backend_known *known = known_of(l, folder);
	int rc = known ? compare_with_known(dirs, known, &found->unchanged) : 0;

	if (rc != 0)
		return rc;
	if (found->unchanged) {
		found->mark = arena_strdup(l->mem, known->mark);
		l->n += known->n;
		return 0;
	}
	rc = maildir_scan_read(&l->scans[folder], dirs);
	if (rc == 0) {
		found->mark = mark_of(l, &l->scans[folder], dirs);
		l->n += l->scans[folder].n;
	}
	return rc;
}

static struct err look_at_folder(struct listing *l, size_t folder)
{
	const struct maildir *m = l->maildir;
	const char *path = m->folders[folder].path;
	struct maildir_dirs dirs = { .fd = { -1, -1 } };
	int rc;

	l->folders[folder].mark = "";
	if (!path)
		return ok();
	rc = maildir_dirs_open(m->root, path, &dirs);
	/* A further folder may come with its first message, as a junk folder does. */
	if (rc == ENOENT && folder > 0) {
		l->folders[folder].absent = true;
		return ok();
	}
	if (rc == 0)
		rc = look_into(l, folder, &dirs);
	maildir_dirs_close(&dirs);
	return rc == 0 ? ok() : err_errno(maildir_scope(rc), rc, "%s/%s", m->root, path);
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

/* Takes from the name what is not known; notes what remains. */
static void complete(struct listing *l, struct backend_message *message, bool is_known)
{
	struct maildir_wanted want = {
		.index = l->n++,
		.identify = l->request->identify && !is_known,
	};
	bool sized = is_known;

	if (l->measure && !message->exact)
		message->exact = maildir_name_size(message->key, 'W', &message->size);
	if (l->measure || message->exact)
		sized = message->exact;
	else if (!is_known)
		sized = maildir_name_size(message->key, 'S', &message->size);
	want.look = message->arrival == 0 || !sized;
	l->n_new += !is_known;
	if (want.look || want.identify)
		l->wanted[l->n_wanted++] = want;
}

static void add_found(struct listing *l, size_t folder, struct known_messages *known, char **names)
{
	const struct maildir_scan *scan = &l->scans[folder];

	for (size_t i = 0; i < scan->n; i++) {
		struct maildir_name name = maildir_scan_name(scan, i);
		const struct maildir_time *time = &scan->entries[i].time;
		const struct backend_message *old = known_messages_find(known, time, name.base);
		struct backend_message *message = &l->messages[l->n];

		*message = old ? *old : (struct backend_message){ .arrival = time->seconds };
		message->key = put_name(names, &name);
		message->folder = (uint16_t)folder;
		message->seen = maildir_name_has_flag(name.info, 'S');
		complete(l, message, old != NULL);
	}
}

static void add_known(struct listing *l, size_t folder, const struct backend_known *known)
{
	size_t before = l->n_wanted;

	for (size_t i = 0; i < known->n; i++) {
		struct backend_message *message = &l->messages[l->n];

		*message = known->messages[i];
		message->folder = (uint16_t)folder;
		complete(l, message, true);
	}
	l->folders[folder].unchanged = l->n_wanted == before;
}

/* Whether the request's messages are the listing as they stand. */
static bool stands(const struct listing *l)
{
	const struct backend_known *known = known_of(l, 0);

	if (l->maildir->n_folders > 1 || !l->folders[0].unchanged)
		return false;
	if (known->stands && *known->stands)
		return true;
	for (size_t i = 0; i < known->n; i++)
		if (known->messages[i].folder != 0 || known->messages[i].arrival == 0 ||
			(l->measure && !known->messages[i].exact))
			return false;
	if (!maildir_messages_ordered(known->messages, known->n))
		return false;
	if (known->stands)
		*known->stands = true;
	return true;
}

/* The whole listing, where what was seen as the Maildir was opened is what is known. */
static bool stands_as_opened(struct listing *l)
{
	const struct backend_known *known = known_of(l, 0);
	struct backend_folder *found = &l->folders[0];
	char mark[MAILDIR_MARK_SIZE];

	if (!known || !l->maildir->folders[0].path)
		return false;
	maildir_state_text(&l->maildir->state, mark);
	found->unchanged = strcmp(mark, known->mark) == 0;
	if (!stands(l)) {
		found->unchanged = false;
		return false;
	}
	found->mark = arena_strdup(l->mem, known->mark);
	l->result = known->messages;
	l->n = known->n;
	return true;
}

static void leave_unidentified(struct listing *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n_wanted; i++) {
		l->wanted[kept] = l->wanted[i];
		l->wanted[kept].identify = false;
		kept += l->wanted[i].look;
	}
	l->n_wanted = kept;
}

/* Drops what has vanished; sorts in the times that names do not tell. */
static void settle(void *arg)
{
	struct listing *l = arg;
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->messages[i].key)
			l->messages[kept++] = l->messages[i];
	l->n = kept;
	if (!maildir_messages_ordered(l->messages, l->n))
		qsort(l->messages, l->n, sizeof *l->messages, maildir_message_compare);
}

static void put_together(struct listing *l)
{
	size_t n_folders = l->maildir->n_folders;
	char *at;

	for (size_t i = 0; i < n_folders; i++)
		l->names_size += names_size(&l->scans[i]);
	l->messages = arena_alloc(l->mem, l->n * sizeof *l->messages);
	l->names = at = arena_alloc(l->mem, l->names_size);
	l->wanted = mem_alloc(l->n * sizeof *l->wanted);
	l->n = 0;
	for (size_t folder = 0; folder < n_folders; folder++) {
		struct known_messages known;

		if (l->folders[folder].unchanged) {
			add_known(l, folder, known_of(l, folder));
			continue;
		}
		known = known_messages_of(known_of(l, folder));
		add_found(l, folder, &known, &at);
		known_messages_done(&known);
		maildir_scan_done(&l->scans[folder]);
	}
	if (l->n_new > IDENTIFY_MAX)
		leave_unidentified(l);
	l->result = l->messages;
	if (l->n_wanted == 0)
		settle(l);
}

static void look_job(void *arg)
{
	struct listing *l = arg;

	for (size_t i = 0; i < l->maildir->n_folders; i++)
		if (failed(l->e = look_at_folder(l, i)))
			return;
	if (stands(l))
		l->result = known_of(l, 0)->messages;
	else
		put_together(l);
}

static fiber_fn struct err list(struct listing *l)
{
	struct maildir *m = l->maildir;
	struct maildir_learning learning;
	struct err e;

	if (stands_as_opened(l))
		return ok();
	share_offload(m->share, look_job, l);
	if (failed(l->e))
		return l->e;
	m->names = l->names;
	m->names_end = l->names + l->names_size;
	if (l->n_wanted == 0)
		return ok();
	learning = (struct maildir_learning){
		.messages = l->messages,
		.wanted = l->wanted,
		.n_wanted = l->n_wanted,
		.measure = l->measure,
		.remember = l->request->known == NULL,
	};
	if (failed(e = maildir_learn(m, &learning)))
		return e;
	share_offload(m->share, settle, l);
	return ok();
}

/* Where each folder's messages lie; they are in order of their folders. */
static void place_folders(struct listing *l)
{
	size_t n = l->maildir->n_folders, at = 0;

	for (size_t i = 0; i < n; i++) {
		l->folders[i].first = at;
		if (i + 1 == n)
			at = l->n;
		while (at < l->n && l->messages[at].folder == i)
			at++;
		l->folders[i].n = at - l->folders[i].first;
	}
}

fiber_fn struct err maildir_list(struct backend *backend, struct arena *mem,
	const struct backend_list_request *request, struct backend_listing *ret)
{
	struct maildir *m = maildir_of(backend);
	struct listing l = {
		.maildir = m,
		.mem = mem,
		.request = request,
		.measure = m->account->tenant->maildrop.exact_rfc822_size,
		.scans = mem_zalloc(m->n_folders, sizeof *l.scans),
		.folders = arena_zalloc(mem, m->n_folders, sizeof *l.folders),
	};
	struct err e = list(&l);

	if (!failed(e)) {
		place_folders(&l);
		m->messages = ret->messages = l.result;
		m->n_messages = ret->n = l.n;
		ret->folders = l.folders;
		ret->quota = m->quota;
	}
	listing_done(&l);
	return e;
}
