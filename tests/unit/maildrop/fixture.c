#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "proxy/maildrop/cache.h"

#define MESSAGE_SIZE 100

uint64_t fake_clock = 1;

uint64_t __wrap_registry_clock(void)
{
	return fake_clock;
}

static struct backend_message *mail_add(struct mail *mail)
{
	if (!mail->arena)
		mail->arena = arena_new();
	if (mail->n == mail->room) {
		mail->room = mail->room * 2 + 16;
		mail->messages = mem_resize(mail->messages, mail->room, sizeof(*mail->messages));
	}
	mail->messages[mail->n] = (struct backend_message){ .size = MESSAGE_SIZE, .exact = true };
	return &mail->messages[mail->n++];
}

void mail_add_imap(struct mail *mail, uint16_t folder, uint32_t uidvalidity, uint32_t uid)
{
	struct backend_message *message = mail_add(mail);

	message->folder = folder;
	message->uidvalidity = uidvalidity;
	message->uid = uid;
	mail->folders[folder].uidvalidity = uidvalidity;
	if (uid >= mail->folders[folder].uidnext && uid < UINT32_MAX)
		mail->folders[folder].uidnext = uid + 1;
}

void mail_add_maildir(struct mail *mail, uint16_t folder, const char *key, int64_t arrival)
{
	struct backend_message *message = mail_add(mail);

	message->folder = folder;
	message->key = arena_strdup(mail->arena, key);
	message->arrival = arrival;
}

void mail_remove(struct mail *mail, size_t at)
{
	mail->n--;
	memmove(&mail->messages[at], &mail->messages[at + 1],
		(mail->n - at) * sizeof(*mail->messages));
}

void mail_done(struct mail *mail)
{
	free(mail->messages);
	arena_free(mail->arena);
	*mail = (struct mail){ 0 };
}

static struct session *session_of(struct backend *backend)
{
	return ((struct session *)((char *)backend - offsetof(struct session, backend)));
}

/* A listing while it is made. */
struct fake_listing {
	struct session *session;
	struct arena *mem;
	const struct backend_list_request *request;
	struct backend_message *messages;
	struct backend_listing *ret;
};

static bool same_name(const struct backend_message *a, const struct backend_message *b)
{
	return a->uid == b->uid && a->uidvalidity == b->uidvalidity && !a->key == !b->key &&
	       (!a->key || strcmp(a->key, b->key) == 0);
}

static const struct backend_message *find_known(
	const struct backend_known *known, const struct backend_message *message)
{
	for (size_t i = 0; known && i < known->n; i++)
		if (same_name(&known->messages[i], message))
			return &known->messages[i];
	return NULL;
}

/* What a store can tell a change by: an IMAP server its counters, a Maildir its folders' times. */
static const char *mark_of(
	const struct mail *mail, uint16_t folder, bool maildir, struct arena *arena)
{
	const struct mail_folder *f = &mail->folders[folder];
	uint64_t hash = 5381;

	if (!maildir)
		return arena_printf(arena, "%u/%u/%u", f->uidvalidity, f->uidnext, f->restorations);
	for (size_t i = 0; i < mail->n; i++)
		for (const char *p = mail->messages[i].key; p && *p; p++)
			if (mail->messages[i].folder == folder)
				hash = hash * 33 + (unsigned char)*p;
	return arena_printf(arena, "%llx", (unsigned long long)hash);
}

static size_t count_in(const struct mail *mail, uint16_t folder)
{
	size_t n = 0;

	for (size_t i = 0; i < mail->n; i++)
		n += mail->messages[i].folder == folder;
	return n;
}

static void list_message(struct fake_listing *l, const struct backend_known *known,
	const struct backend_message *message)
{
	struct backend_message *listed = &l->messages[l->ret->n++];
	const struct backend_message *old = find_known(known, message);

	if (old) {
		*listed = *old;
		listed->folder = message->folder;
		return;
	}
	*listed = *message;
	l->session->script.fetched_messages++;
	if (!l->request->identify || l->session->script.no_fingerprints)
		listed->fingerprint = 0;
	if (!l->request->identify || l->session->script.no_emailids)
		listed->emailid = NULL;
}

static bool was_renumbered(const struct mail_folder *folder, const char *mark)
{
	unsigned uidvalidity, uidnext;

	return sscanf(mark, "%u/%u/", &uidvalidity, &uidnext) == 2 &&
	       (uidvalidity != folder->uidvalidity || folder->uidnext < uidnext);
}

static bool was_restored(const struct mail_folder *folder, const char *mark)
{
	unsigned restorations;

	return sscanf(mark, "%*u/%*u/%u", &restorations) == 1 &&
	       restorations != folder->restorations;
}

static void list_folder(struct fake_listing *l, uint16_t folder)
{
	const struct mail *mail = l->session->backend.mail;
	bool maildir = l->session->tenant.store == STORE_MAILDIR;
	struct backend_folder *found = &l->ret->folders[folder];
	const struct backend_known *known = l->request->known ? &l->request->known[folder] : NULL;

	found->first = l->ret->n;
	found->mark = l->session->script.no_marks ? "" : mark_of(mail, folder, maildir, l->mem);
	found->absent = mail->folders[folder].absent;
	if (found->absent)
		found->mark = "";
	if (!maildir) {
		found->uidvalidity = mail->folders[folder].uidvalidity;
		found->uidnext =
			l->session->script.hides_uidnext ? 0 : mail->folders[folder].uidnext;
	}
	if (known && (!known->mark || !*known->mark))
		known = NULL;
	if (known && !maildir && was_renumbered(&mail->folders[folder], known->mark)) {
		found->renumbered = true;
		known = NULL;
	}
	if (known && !maildir && was_restored(&mail->folders[folder], known->mark))
		known = NULL;
	found->unchanged = known && *found->mark && strcmp(known->mark, found->mark) == 0 &&
			   known->n == count_in(mail, folder);
	l->session->script.unchanged += found->unchanged;
	for (size_t i = 0; i < mail->n && !found->absent; i++)
		if (mail->messages[i].folder == folder)
			list_message(l, known, &mail->messages[i]);
	found->n = l->ret->n - found->first;
}

/* Of one unchanged folder the request's own messages, where they are in order. */
static bool is_requests_own(const struct fake_listing *l, size_t n_folders)
{
	const struct backend_known *known = l->request->known;

	if (n_folders != 1 || !l->ret->folders[0].unchanged)
		return false;
	for (size_t i = 0; i < l->ret->n; i++)
		if (!same_name(&known->messages[i], &l->messages[i]))
			return false;
	return true;
}

static struct err fake_list(struct backend *backend, struct arena *mem,
	const struct backend_list_request *request, struct backend_listing *ret)
{
	struct session *session = session_of(backend);
	size_t n_folders = session->tenant.maildrop.also.n + 1;
	struct fake_listing l = { session, mem, request, .ret = ret };

	if (session->script.pause)
		session->script.pause();
	if (failed(session->script.list_error))
		return session->script.list_error;
	*ret = (struct backend_listing){ .quota = session->backend.mail->quota };
	ret->folders = arena_zalloc(mem, n_folders, sizeof(*ret->folders));
	ret->messages = l.messages =
		arena_alloc(mem, session->backend.mail->n * sizeof(*l.messages));
	for (uint16_t i = 0; i < n_folders; i++)
		list_folder(&l, i);
	if (is_requests_own(&l, n_folders))
		ret->messages = request->known[0].messages;
	session->backend.listed = ret->messages;
	session->backend.n_listed = ret->n;
	if (session->script.pause)
		session->script.pause();
	return ok();
}

static struct err fake_fetch(struct backend *backend, const struct backend_message *message,
	enum fetch_part part, uint64_t lines, struct sink *out)
{
	(void)message;
	(void)part;
	(void)lines;
	(void)out;
	return session_of(backend)->script.fetch_error;
}

static void remove_message(struct mail *mail, const struct backend_message *message)
{
	for (size_t i = 0; i < mail->n; i++) {
		const struct backend_message *m = &mail->messages[i];

		if (m->folder == message->folder && same_name(m, message)) {
			mail_remove(mail, i);
			return;
		}
	}
}

static size_t *copy_indices(struct arena *arena, const size_t *indices, size_t n)
{
	size_t *copy = arena_alloc(arena, n * sizeof(*copy));

	if (n)
		memcpy(copy, indices, n * sizeof(*copy));
	return copy;
}

static struct err fake_update(
	struct backend *backend, const struct backend_update *update, enum removal_result *results)
{
	struct session *session = session_of(backend);
	struct script *script = &session->script;

	script->updates++;
	script->asked = *update;
	script->asked.remove = copy_indices(session->arena, update->remove, update->n_remove);
	script->asked.seen = copy_indices(session->arena, update->seen, update->n_seen);
	for (size_t i = 0; i < update->n_remove; i++) {
		results[i] = script->results ? script->results[i] : REMOVAL_DONE;
		if (results[i] == REMOVAL_DONE && !script->forgetful)
			remove_message(
				session->backend.mail, &session->backend.listed[update->remove[i]]);
	}
	return script->update_error;
}

static const struct backend_ops fake_backend = {
	.name = "fake",
	.list = fake_list,
	.fetch = fake_fetch,
	.update = fake_update,
};

void session_init_beside(struct session *session, enum store_kind store, struct mail *mail)
{
	*session = (struct session){
		.tenant = {
			.name = "tenant",
			.store = store,
			.uidl = { .format = "decimal", .max_changed = 20 },
			.maildrop = {
				.folder = "INBOX",
				.exact_rfc822_size = true,
				.mark_seen = true,
				.expire_after = DURATION_NEVER,
				.notice_from = "postmaster@pop.example",
			},
		},
		.account = { .login = "user@example", .folder = "INBOX" },
		.arena = arena_new(),
	};
	session->account.tenant = &session->tenant;
	session->backend.backend.ops = &fake_backend;
	session->backend.mail = mail;
}

void session_init(struct session *session, enum store_kind store, struct mail *mail)
{
	/* Tenants are told apart by their addresses, which tests use again. */
	cache_clear();
	session_init_beside(session, store, mail);
}

void session_done(struct session *session)
{
	maildrop_close(session->drop);
	arena_free(session->arena);
	session->arena = NULL;
	session->drop = NULL;
}

const char *session_ids(const struct session *session)
{
	struct buffer text = { 0 };
	const char *ret;

	buffer_append(&text, "", 0);
	for (size_t i = 1; i <= maildrop_count(session->drop); i++)
		buffer_printf(
			&text, "%s%s", i > 1 ? " " : "", maildrop_unique_id(session->drop, i));
	ret = arena_strndup(session->arena, text.data ? text.data : "", buffer_used(&text));
	buffer_done(&text);
	return ret;
}

struct fiber_job {
	void (*job)(void *arg);
	void *arg;
	bool done;
};

static void fiber_job_run(void *arg)
{
	struct fiber_job *job = arg;

	job->job(job->arg);
	job->done = true;
}

void in_fiber(void (*job)(void *arg), void *arg)
{
	struct fiber_job run = { .job = job, .arg = arg };

	fiber_spawn("test", fiber_job_run, &run);
	runtime_run();
	assert_true(run.done);
}

/* Arguments and result of whatever runs in a fiber. */
struct call {
	struct session *session;
	struct registry *registry;
	size_t number;
	enum fetch_part part;
	struct err e;
};

static void call_open(void *arg)
{
	struct call *c = arg;

	c->e = maildrop_open(&c->session->account, &c->session->backend.backend, c->registry,
		c->session->arena, &c->session->opening, &c->session->drop);
}

struct err session_open(struct session *session, struct registry *registry)
{
	struct call call = { .session = session, .registry = registry };

	in_fiber(call_open, &call);
	return call.e;
}

struct text_sink {
	struct sink sink; /* first */
	struct buffer text;
};

static struct err text_write(struct sink *sink, const void *data, size_t n)
{
	buffer_append(&((struct text_sink *)sink)->text, data, n);
	return ok();
}

static void call_fetch(void *arg)
{
	struct call *c = arg;
	struct text_sink out = { .sink.write = text_write };

	c->e = maildrop_fetch(c->session->drop, c->number, c->part, 0, &out.sink);
	buffer_append(&out.text, "", 1);
	c->session->fetched = arena_strdup(c->session->arena, buffer_data(&out.text));
	buffer_done(&out.text);
}

struct err session_fetch(struct session *session, size_t number, enum fetch_part part)
{
	struct call call = { .session = session, .number = number, .part = part };

	in_fiber(call_fetch, &call);
	return call.e;
}

static void call_update(void *arg)
{
	struct call *c = arg;

	c->e = maildrop_update(c->session->drop, &c->session->outcome);
}

struct err session_update(struct session *session)
{
	struct call call = { .session = session };

	in_fiber(call_update, &call);
	return call.e;
}

void folder_make(struct folder *folder)
{
	const char *parent = getenv("TMPDIR");

	snprintf(folder->path, sizeof(folder->path), "%.40s/popgateXXXXXX",
		parent && strlen(parent) <= 40 ? parent : "/tmp");
	assert_non_null(mkdtemp(folder->path));
	snprintf(folder->database, sizeof(folder->database), "%s/state.db", folder->path);
}

void folder_remove(const struct folder *folder)
{
	char path[sizeof(folder->path) + sizeof(((struct dirent *)0)->d_name)];
	DIR *dir = opendir(folder->path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder->path, entry->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(folder->path);
}

struct registry *registry_at(const struct folder *folder)
{
	struct registry *registry = NULL;

	assert_ok(registry_sqlite_open(folder->database, 10000, &registry));
	return registry;
}

int64_t sql(const struct folder *folder, const char *text)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t ret = 0;
	int code;

	assert_int_equal(sqlite3_open(folder->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
	code = sqlite3_step(statement);
	assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
	if (code == SQLITE_ROW)
		ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return ret;
}

uint64_t folder_fingerprint(const struct folder *folder)
{
	static const char *const suffixes[] = { "", "-wal" };
	char path[sizeof(folder->database) + 8];
	uint64_t ret = 0;
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", folder->database, suffixes[i]);
		if (stat(path, &st) == 0)
			ret += (uint64_t)st.st_size + (uint64_t)st.st_mtim.tv_sec * 1000000000u +
			       (uint64_t)st.st_mtim.tv_nsec;
	}
	return ret;
}

void check_ok(struct err e, const char *file, int line)
{
	if (!failed(e))
		return;
	print_error("%s: %s\n", err_scope_name(e.scope), e.detail);
	_fail(file, line);
}

void check_error(
	struct err e, enum err_scope expected, const char *text, const char *file, int line)
{
	if (e.scope == expected && strstr(e.detail, text))
		return;
	print_error("%s: %s\n", err_scope_name(e.scope), e.detail);
	_fail(file, line);
}
