/* known - see the header. */
#include "proxy/maildrop/known.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/maildrop/adopted.h"
#include "proxy/maildrop/bits.h"
#include "proxy/maildrop/cache.h"
#include "proxy/runtime/pool.h"
#include "proxy/runtime/wait.h"

/* Messages from which on sorting and joining take longer than others should wait, and the part of
 * the pool that does it at most (pool.h). */
#define COMPUTE_LONG  5000
#define COMPUTE_SHARE 4

/* Computing over n messages: of many in the thread pool, a few at a time, since the other sessions
 * would have to wait for it. */
fiber_fn static struct err compute(void (*job)(void *arg), void *arg, size_t n)
{
	static struct gate gate;
	struct err e;

	if (n < COMPUTE_LONG) {
		job(arg);
		return ok();
	}
	if (!gate.tail)
		gate_init(&gate, pool_places(COMPUTE_SHARE));
	if (failed(e = gate_enter(&gate)))
		return err_context(e, "a large maildrop");
	offload(job, arg);
	gate_leave(&gate);
	return ok();
}

struct base_job {
	struct login *login;
	struct registry_record record;
	struct err e;
};

static void make_base(void *arg)
{
	struct base_job *job = arg;
	struct maildrop *drop = job->login->drop;

	job->e = snapshot_of_record(drop->account, drop->folders, &job->record, &drop->base);
}

fiber_fn static struct err load_base(struct login *login)
{
	struct base_job job = { .login = login };
	struct err e;

	e = registry_load(login->drop->registry, &login->name, login->scratch, &job.record);
	if (!failed(e))
		e = compute(make_base, &job, job.record.n_entries);
	return failed(e) ? e : job.e;
}

fiber_fn struct err login_read(struct login *login)
{
	struct maildrop *drop = login->drop;
	struct snapshot *cached = cache_get(drop->account);
	uint64_t revision;
	struct err e;

	if (!cached)
		return load_base(login);
	drop->base = snapshot_ref(cached);
	e = registry_revision(drop->registry, &login->name, &revision);
	if (failed(e) || revision == drop->base->revision)
		return e;
	snapshot_unref(steal(drop->base));
	return load_base(login);
}

/* What the last listing of a folder showed, as far as that can be told from what was added to the
 * registry behind its back (by a session whose listing was stale, by QUIT). */
static void judge(const struct snapshot *base, struct snapshot_folder *folder)
{
	struct mark mark = mark_parse(folder->mark);
	const struct backend_message *messages = base->messages + folder->first;
	size_t n = folder->n;

	folder->judged = true;
	while (n && messages[n - 1].uid && messages[n - 1].uid >= mark.uidnext)
		n--;
	folder->n_known = n;
	for (size_t i = 0; i < n; i++)
		if (bit_get(base->surplus, folder->first + i) ||
			messages[i].uidvalidity != mark.uidvalidity)
			return;
	folder->known = true;
}

static struct backend_known known_of_folder(const struct login *login, size_t index)
{
	const struct snapshot *base = login->drop->base;
	struct snapshot_folder *folder = &base->folders[index];
	struct backend_known none = { 0 };

	if (folder->absent || login->drop->folders->repeated[index])
		return none;
	if (!folder->judged)
		judge(base, folder);
	if (!folder->known)
		return none;
	return (struct backend_known){
		.mark = arena_strdup(login->scratch, mark_parse(folder->mark).store),
		.messages = base->messages + folder->first,
		.n = folder->n_known,
		.stands = &folder->stands,
	};
}

static const struct backend_known *known_of(const struct login *login)
{
	size_t n = login->drop->base->n_folders;
	struct backend_known *known = arena_zalloc(login->scratch, n, sizeof(*known));

	for (size_t i = 0; i < n; i++)
		known[i] = known_of_folder(login, i);
	return known;
}

fiber_fn struct err login_list(struct login *login)
{
	struct maildrop *drop = login->drop;
	struct backend_list_request request = {
		.known = known_of(login),
		.identify = true,
	};
	struct err e;

	e = drop->backend->ops->list(drop->backend, drop->arena, &request, &login->listing);
	if (failed(e))
		return e;
	drop->quota = login->listing.quota;
	return login->listing.n < UINT32_MAX ? ok() : err_make(ERR_LIMIT, "2^32 messages or more");
}

static void set_floors(struct login *login)
{
	size_t n = login->drop->folders->n_mail;

	login->floors = arena_alloc(login->scratch, n * sizeof(*login->floors));
	for (size_t i = 0; i < n; i++)
		login->floors[i] = mark_parse(login->record.folders[i].mark);
}

static void make_record(void *arg)
{
	struct login *login = arg;

	login->record = snapshot_record(login->drop->base, login->drop->folders, login->scratch);
}

static int by_name(const void *a, const void *b)
{
	return compare_names(a, b);
}

/* Unique-ids of another server, for a login that comes for the first time. */
fiber_fn static struct err adopt(struct login *login)
{
	const struct maildrop *drop = login->drop;
	struct registry_record *record = &login->record;
	struct registry_entry *entries;
	struct adopted adopted;
	struct err e;

	e = adopted_entries(drop->account->tenant, drop->account->login, drop->opened,
		login->scratch, &adopted);
	if (failed(e) || adopted.n == 0)
		return e;
	entries = arena_alloc(login->scratch, (record->n_entries + adopted.n) * sizeof(*entries));
	if (record->n_entries)
		memcpy(entries, record->entries, record->n_entries * sizeof(*entries));
	memcpy(entries + record->n_entries, adopted.entries, adopted.n * sizeof(*entries));
	record->entries = entries;
	record->n_entries += adopted.n;
	qsort(entries, record->n_entries, sizeof(*entries), by_name);
	if (record->next < adopted.next)
		record->next = adopted.next;
	return ok();
}

fiber_fn struct err login_begin_join(struct login *login)
{
	struct err e = compute(make_record, login, login->drop->base->n);

	if (!failed(e) && login->record.revision == 0)
		e = adopt(login);
	if (!failed(e))
		set_floors(login);
	return e;
}

fiber_fn struct err login_read_again(struct login *login)
{
	login->stale = true;
	return registry_load(login->drop->registry, &login->name, login->scratch, &login->record);
}

static struct join join_of(const struct login *login)
{
	const struct maildrop *drop = login->drop;

	return (struct join){
		.account = drop->account,
		.folders = drop->folders,
		.record = &login->record,
		.listing = &login->listing,
		.floors = login->floors,
		.warned = maildrop_quota_warns(drop) ? &drop->quota : NULL,
		.now = drop->opened,
		.stale = login->stale,
		.scratch = login->scratch,
	};
}

struct join_job {
	struct join join;
	struct err e;
};

static void run_join(void *arg)
{
	struct join_job *job = arg;

	job->e = join_run(&job->join);
}

fiber_fn struct err login_join(struct login *login, struct join **ret)
{
	struct join_job *job = arena_alloc(login->scratch, sizeof(*job));
	struct err e;

	*job = (struct join_job){ .join = join_of(login) };
	*ret = &job->join;
	e = compute(run_join, job, login->listing.n + login->record.n_entries);
	return failed(e) ? e : job->e;
}
