#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "proxy/login/users.h"
#include "proxy/runtime/file_watch.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/wait.h"

/* Which content of which file: any change of the file changes one of these. */
struct version {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct cached {
	struct cached *next;
	char *path;
	struct gate gate;      /* one fiber at a time looks at the file */
	struct version parsed; /* the version that gave `users` or `wrong`; zeroed: none */
	struct err wrong;      /* why that version could not be used; ok: it could */
	struct users *users;   /* the last good content, or NULL */
	bool watched;          /* since the last look, which was */
	uint64_t looked;       /* then (runtime_now), */
	uint64_t number;       /* at this file_watch_number */
	struct err logged;     /* the failure that the log knows of; ok: none */
};

static struct cached *cache;

/* One look at the file, in the thread pool. */
struct look {
	const char *path;
	struct version known; /* in and out */
	bool watched;         /* out */
	bool changed;         /* out: the file was read */
	struct users *users;  /* out */
	struct err error;     /* out: ERR_TEMP not readable, ERR_INVALID malformed */
};

static struct version version_of(const struct stat *st)
{
	struct version version;

	memset(&version, 0, sizeof(version)); /* padding too: versions are compared as octets */
	version.device = st->st_dev;
	version.inode = st->st_ino;
	version.size = st->st_size;
	version.modified = st->st_mtim;
	version.changed = st->st_ctim;
	return version;
}

static void look_job(void *arg)
{
	struct look *look = arg;
	struct version found;
	struct stat st;
	char *text;
	size_t n;
	int fd;

	look->watched = file_watch_add(look->path);
	if (failed(look->error = users_open(look->path, &fd, &st)))
		return;
	found = version_of(&st);
	if (memcmp(&found, &look->known, sizeof(found)) != 0) {
		look->error = users_slurp(fd, look->path, &text, &n);
		if (!failed(look->error)) {
			look->changed = true;
			look->known = found;
			look->error = users_parse(look->path, text, n, NULL, NULL, &look->users);
		}
	}
	close(fd);
}

static struct cached *cached_get(const char *path)
{
	struct cached *cached;

	for (cached = cache; cached; cached = cached->next)
		if (strcmp(cached->path, path) == 0)
			return cached;
	cached = mem_zalloc(1, sizeof(*cached));
	cached->path = mem_strdup(path);
	gate_init(&cached->gate, 1);
	cached->next = cache;
	cache = cached;
	return cached;
}

static void cached_take(struct cached *cached, const struct look *look)
{
	cached->parsed = look->known;
	cached->wrong = look->error;
	if (!look->users)
		return;
	users_free(cached->users);
	cached->users = look->users;
	log_debug("users_file_read", f_text("file", cached->path),
		f_uint("logins", cached->users->n));
}

/* With a good copy at hand nobody sees the failure, so the log must tell; once per cause. */
static void cached_warn(struct cached *cached, struct err e, bool changed)
{
	if (failed(cached->logged) && !changed && strcmp(cached->logged.detail, e.detail) == 0)
		return;
	cached->logged = e;
	log_warning("users_file_failed", f_text("file", cached->path), f_err(e));
}

static struct err cached_outcome(struct cached *cached, struct err e, bool changed)
{
	if (!failed(e)) {
		cached->logged = ok();
		return e;
	}
	if (!cached->users)
		return err_make(ERR_TEMP, "%s", e.detail);
	cached_warn(cached, e, changed);
	return ok();
}

/* Whether a look would find what the last one found. */
static bool is_as_seen(const struct cached *cached)
{
	return cached->watched && runtime_now() - cached->looked < FILE_WATCH_TRUST &&
	       file_watch_number() == cached->number;
}

fiber_fn static struct err look_again(struct cached *cached, struct look *look)
{
	struct err e = gate_enter(&cached->gate);

	if (failed(e))
		return e;
	look->known = cached->parsed;
	cached->watched = false;
	cached->looked = runtime_now();
	cached->number = file_watch_number();
	offload(look_job, look);
	cached->watched = look->watched && !failed(look->error);
	gate_leave(&cached->gate);
	return ok();
}

fiber_fn struct err users_cached(const char *path, const struct users **ret)
{
	struct cached *cached = cached_get(path);
	struct look look = { .path = cached->path };
	struct err e;

	if (cached->users && is_as_seen(cached)) {
		*ret = cached->users;
		return ok();
	}
	if (failed(e = look_again(cached, &look)))
		return e;
	if (look.changed)
		cached_take(cached, &look);
	e = cached_outcome(cached, failed(look.error) ? look.error : cached->wrong, look.changed);
	if (!failed(e))
		*ret = cached->users;
	return e;
}

const char *users_cached_typical_hash(void)
{
	const struct cached *largest = NULL;

	for (const struct cached *cached = cache; cached; cached = cached->next)
		if (cached->users && (!largest || cached->users->n > largest->users->n))
			largest = cached;
	return largest ? users_typical_hash(largest->users) : NULL;
}
