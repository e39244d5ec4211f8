#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/runtime/fiber.h"

int loop_setup(void **state)
{
	(void)state;
	runtime_init();
	return 0;
}

int loop_teardown(void **state)
{
	(void)state;
	runtime_close();
	return 0;
}

const char *full(const struct world *w, const char *path)
{
	return arena_printf(w->arena, "%s/%s", w->maildir, path);
}

void make_maildir(const struct world *w, const char *path)
{
	static const char *const subs[] = { "cur", "new", "tmp" };

	assert_true(exists(w, path) || mkdir(full(w, path), 0755) == 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			mkdir(arena_printf(w->arena, "%s/%s", full(w, path), subs[i]), 0755), 0);
}

int world_setup(void **state)
{
	struct world *w = mem_zalloc(1, sizeof *w);

	w->arena = arena_new();
	w->dir = mem_strdup("/tmp/popgate-maildir-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0755), 0);
	w->maildir = mem_printf("%s/example.org/joe/Maildir", w->dir);
	assert_int_equal(mkdir(arena_printf(w->arena, "%s/example.org", w->dir), 0755), 0);
	assert_int_equal(mkdir(arena_printf(w->arena, "%s/example.org/joe", w->dir), 0755), 0);
	assert_int_equal(mkdir(w->maildir, 0755), 0);
	make_maildir(w, ".");
	w->tenant = (struct tenant){
		.name = "test",
		.store = STORE_MAILDIR,
		.maildir = { .path = arena_printf(
				     w->arena, "%s/%%{domain}/%%{user}/Maildir", w->dir) },
		.maildrop = { .folder = "INBOX", .trash = "Trash", .exact_rfc822_size = true },
	};
	w->account = (struct account){
		.tenant = &w->tenant,
		.login = "joe@example.org",
		.user = "joe",
		.domain = "example.org",
		.folder = "INBOX",
		.client_address = "192.0.2.1",
	};
	*state = w;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void close_backend(void *arg)
{
	struct world *w = arg;

	maildir_backend.close(w->backend);
	w->backend = NULL;
}

static void run(void (*fn)(void *arg), void *arg)
{
	(void)fiber_spawn("test", fn, arg);
	runtime_run();
}

int world_teardown(void **state)
{
	struct world *w = *state;

	if (w->backend)
		run(close_backend, w);
	(void)nftw(w->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(w->arena);
	free(w->maildir);
	free(w->dir);
	free(w);
	return 0;
}

void put_octets(const struct world *w, const char *path, const void *data, size_t n)
{
	int fd = open(full(w, path), O_WRONLY | O_CREAT | O_EXCL, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	assert_int_equal(close(fd), 0);
}

void put(const struct world *w, const char *path, const char *text)
{
	put_octets(w, path, text, strlen(text));
}

void set_mtime(const struct world *w, const char *path, int64_t seconds)
{
	struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

	assert_int_equal(utimensat(AT_FDCWD, full(w, path), times, 0), 0);
}

void move(const struct world *w, const char *from, const char *to)
{
	assert_int_equal(rename(full(w, from), full(w, to)), 0);
}

void drop(const struct world *w, const char *path)
{
	assert_int_equal(unlink(full(w, path)), 0);
}

bool exists(const struct world *w, const char *path)
{
	struct stat st;

	return lstat(full(w, path), &st) == 0;
}

const char *content(const struct world *w, const char *path)
{
	int fd = open(full(w, path), O_RDONLY);
	char *text = arena_zalloc(w->arena, 1, 65536);

	assert_true(fd >= 0);
	assert_true(read(fd, text, 65535) >= 0);
	assert_int_equal(close(fd), 0);
	return text;
}

size_t count_names(const struct world *w, const char *path)
{
	DIR *dir = opendir(full(w, path));
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	assert_int_equal(closedir(dir), 0);
	return n - 2;
}

/* One call of the backend and its answer. */
struct call {
	struct world *w;
	const struct backend_message *message;
	enum fetch_part part;
	uint64_t lines;
	struct sink *out;
	const struct backend_update *update;
	enum removal_result *results;
	size_t n;
	struct backend_legacy *legacy;
	struct err e;
};

static void call_open(void *arg)
{
	struct call *call = arg;

	call->e = maildir_backend.open(
		&call->w->account, &(struct store_credentials){ 0 }, &call->w->backend);
}

static void call_list(void *arg)
{
	struct call *call = arg;

	call->e = maildir_backend.list(
		call->w->backend, call->w->arena, &call->w->request, &call->w->listing);
}

static void call_fetch(void *arg)
{
	struct call *call = arg;

	call->e = maildir_backend.fetch(
		call->w->backend, call->message, call->part, call->lines, call->out);
}

static void call_update(void *arg)
{
	struct call *call = arg;

	call->e = maildir_backend.update(call->w->backend, call->update, call->results);
}

static void call_legacy(void *arg)
{
	struct call *call = arg;

	call->e = maildir_backend.legacy(
		call->w->backend, call->w->arena, call->message, call->n, call->legacy);
}

struct err world_open(struct world *w)
{
	struct call call = { .w = w };

	if (w->backend)
		run(close_backend, w);
	run(call_open, &call);
	return call.e;
}

struct err world_list(struct world *w)
{
	struct call call = { .w = w };

	run(call_list, &call);
	return call.e;
}

static void assert_ok(struct err e)
{
	if (failed(e))
		fail_msg("%s: %s", err_scope_name(e.scope), e.detail);
}

void list(struct world *w)
{
	assert_ok(world_open(w));
	assert_ok(world_list(w));
}

size_t index_of(const struct world *w, const char *key)
{
	for (size_t i = 0; i < w->listing.n; i++)
		if (strcmp(w->listing.messages[i].key, key) == 0)
			return i;
	fail_msg("%s is not listed", key);
	return 0;
}

const struct backend_message *message_of(const struct world *w, const char *key)
{
	return &w->listing.messages[index_of(w, key)];
}

static struct err collect(struct sink *sink, const void *data, size_t n)
{
	struct collector *c = (struct collector *)sink;

	if (c->on_first) {
		c->on_first(c->world, c->arg);
		c->on_first = NULL;
	}
	buffer_append(&c->data, data, n);
	sink->full = c->limit && buffer_used(&c->data) >= c->limit;
	return c->e;
}

struct collector collector(struct world *w)
{
	return (struct collector){ .sink = { .write = collect }, .world = w };
}

struct err fetch(struct world *w, const char *key, enum fetch_part part, struct collector *out)
{
	struct call call = {
		.w = w, .message = message_of(w, key), .part = part, .out = &out->sink
	};

	run(call_fetch, &call);
	return call.e;
}

struct err fetch_top(struct world *w, size_t index, uint64_t lines, struct collector *out)
{
	struct call call = {
		.w = w,
		.message = &w->listing.messages[index],
		.part = FETCH_TOP,
		.lines = lines,
		.out = &out->sink,
	};

	run(call_fetch, &call);
	return call.e;
}

void assert_fetches(struct world *w, const char *key, const char *text)
{
	struct collector out = collector(w);

	assert_ok(fetch(w, key, FETCH_ALL, &out));
	assert_int_equal(buffer_used(&out.data), strlen(text));
	if (*text)
		assert_memory_equal(buffer_data(&out.data), text, strlen(text));
	buffer_done(&out.data);
}

struct err update(struct world *w, const struct backend_update *what, enum removal_result *results)
{
	struct call call = { .w = w, .update = what, .results = results };

	run(call_update, &call);
	return call.e;
}

struct err legacy(struct world *w, const struct backend_message *messages, size_t n,
	struct backend_legacy *ret)
{
	struct call call = { .w = w, .message = messages, .n = n, .legacy = ret };

	run(call_legacy, &call);
	return call.e;
}

void remove_one(struct world *w, const char *key, enum on_delete how)
{
	size_t index = index_of(w, key);
	enum removal_result result;
	struct backend_update what = { .remove = &index, .n_remove = 1, .how = how };

	assert_ok(update(w, &what, &result));
	assert_int_equal(result, REMOVAL_DONE);
}

void mark_seen(struct world *w, const char *key)
{
	size_t index = index_of(w, key);
	struct backend_update what = { .seen = &index, .n_seen = 1, .how = DELETE_EXPUNGE };

	assert_ok(update(w, &what, NULL));
}

void assert_error(struct err e, enum err_scope scope, const char *detail)
{
	assert_string_equal(err_scope_name(e.scope), err_scope_name(scope));
	if (!strstr(e.detail, detail))
		fail_msg("\"%s\" does not tell of \"%s\"", e.detail, detail);
}
