#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#define MESSAGE_SIZE 100

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

static struct err fake_list(struct backend *backend, struct arena *mem,
	const struct backend_list_request *request, struct backend_listing *ret)
{
	struct session *session = session_of(backend);
	const struct mail *mail = session->backend.mail;
	struct backend_message *messages;

	(void)request;
	if (failed(session->script.list_error))
		return session->script.list_error;
	ret->n = mail->n;
	ret->quota = mail->quota;
	ret->messages = messages = arena_alloc(mem, mail->n * sizeof(*messages));
	if (mail->n)
		memcpy(messages, mail->messages, mail->n * sizeof(*messages));
	session->backend.listed = ret->messages;
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

		if (m->folder == message->folder && m->uid == message->uid &&
			m->uidvalidity == message->uidvalidity && m->key == message->key) {
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

void session_init(struct session *session, enum store_kind store, struct mail *mail)
{
	*session = (struct session){
		.tenant = {
			.name = "tenant",
			.store = store,
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

void session_done(struct session *session)
{
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
	const struct registry_maildrop *maildrop;
	registry_visit *visit;
	registry_plan *plan;
	void *arg;
	struct err e;
};

static void call_open(void *arg)
{
	struct call *c = arg;

	c->e = maildrop_open(&c->session->account, &c->session->backend.backend, c->registry,
		c->session->arena, &c->session->drop);
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

static void call_load(void *arg)
{
	struct call *c = arg;

	c->e = registry_load(c->registry, c->maildrop, c->visit, c->arg);
}

struct err load(struct registry *registry, const struct registry_maildrop *maildrop,
	registry_visit *visit, void *arg)
{
	struct call call = {
		.registry = registry, .maildrop = maildrop, .visit = visit, .arg = arg
	};

	in_fiber(call_load, &call);
	return call.e;
}

static void call_change(void *arg)
{
	struct call *c = arg;

	c->e = registry_change(c->registry, c->maildrop, c->visit, c->plan, c->arg);
}

struct err change(struct registry *registry, const struct registry_maildrop *maildrop,
	registry_visit *visit, registry_plan *plan, void *arg)
{
	struct call call = {
		.registry = registry,
		.maildrop = maildrop,
		.visit = visit,
		.plan = plan,
		.arg = arg,
	};

	in_fiber(call_change, &call);
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
