/* work - the registry and its maildrops, for the uidl verbs. */
#include <string.h>
#include <strings.h>

#include "proxy/runtime/fiber.h"
#include "proxy/verbs/registry_open.h"
#include "proxy/verbs/uidl/uidl.h"

static struct err run_with_registry(
	struct uidl_work *work, bool create, fiber_fn void (*run)(void *work))
{
	struct err e;

	runtime_init();
	e = verb_open_registry(work->config, create, &work->registry);
	if (!failed(e)) {
		(void)fiber_spawn("uidl", run, work);
		runtime_run();
		registry_close(work->registry);
	}
	runtime_close();
	return e;
}

enum verb_status uidl_run(
	const char *word, struct uidl_work *work, bool create, fiber_fn void (*run)(void *work))
{
	struct err e;

	work->status = VERB_NO;
	work->config = verb_load(verb_config_file(work->options.config_file), false);
	if (!work->config)
		return VERB_USAGE;
	if (work->config->state_kind == STATE_NONE) {
		work->status = uidl_usage(
			word, "the configuration says state: none, nothing is remembered");
	} else {
		e = run_with_registry(work, create, run);
		if (failed(e))
			fprintf(stderr, "popgate uidl %s: %s\n", word, e.detail);
	}
	config_free(work->config);
	return work->status;
}

const struct account *uidl_account(
	const struct uidl_work *work, const char *login, struct arena *arena)
{
	struct route_query query = work->options.route;

	query.login = login;
	return route(work->config, &query, arena, NULL, NULL);
}

/* As the maildrop names it: IMAP's INBOX has no case. */
static const char *folder_identity(const char *folder)
{
	return strcasecmp(folder, "INBOX") == 0 ? "INBOX" : folder;
}

const char *uidl_main_folder(const struct account *account)
{
	return folder_identity(account->tenant->maildrop.folder);
}

/* Of a maildrop that is known by its tenant's name only. */
static const char *main_folder_of(const struct config *config, const char *tenant)
{
	for (size_t i = 0; i < config->n_tenants; i++)
		if (strcmp(config->tenants[i].name, tenant) == 0)
			return folder_identity(config->tenants[i].maildrop.folder);
	return "INBOX";
}

fiber_fn static struct err visit_one(const struct uidl_work *work,
	const struct registry_maildrop *maildrop, const char *main_folder, uidl_visit *visit,
	void *arg, size_t *n)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_record record;
	struct err e = registry_load(work->registry, maildrop, arena, &record);

	if (failed(e) || record.revision == 0)
		return e;
	visit(maildrop, &record, main_folder, arg);
	++*n;
	return ok();
}

fiber_fn static struct err visit_all(
	const struct uidl_work *work, uidl_visit *visit, void *arg, size_t *n)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new(), *last = arena_new();
	struct registry_maildrop maildrop = { 0 };
	struct err e;

	for (;;) {
		struct arena *other = last;

		e = registry_next(
			work->registry, maildrop.tenant, maildrop.login, arena, &maildrop);
		if (failed(e) || !maildrop.tenant)
			return e;
		e = visit_one(work, &maildrop, main_folder_of(work->config, maildrop.tenant), visit,
			arg, n);
		if (failed(e))
			return e;
		/* The names that the next is asked for by stay in this one. */
		arena_reset(other);
		last = arena;
		arena = other;
	}
}

fiber_fn struct err uidl_each(
	const struct uidl_work *work, uidl_visit *visit, void *arg, size_t *ret_n)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	struct registry_maildrop maildrop = { 0 };
	const struct account *account;

	*ret_n = 0;
	if (work->options.all)
		return visit_all(work, visit, arg, ret_n);
	account = uidl_account(work, work->options.argument, arena);
	if (!account)
		return err_make(ERR_PERM, "nobody serves %s", work->options.argument);
	maildrop.tenant = account->tenant->name;
	maildrop.login = account->login;
	return visit_one(work, &maildrop, uidl_main_folder(account), visit, arg, ret_n);
}

fiber_fn void uidl_show(
	const char *word, struct uidl_work *work, uidl_visit *visit, void *arg, size_t *ret_n)
{
	struct err e = uidl_each(work, visit, arg, ret_n);

	if (!failed(e) && *ret_n == 0 && !work->options.all)
		e = err_make(ERR_PERM, "nothing is remembered of %s", work->options.argument);
	if (failed(e))
		fprintf(stderr, "popgate uidl %s: %s\n", word, e.detail);
	else if (fflush(stdout) != 0 || ferror(stdout))
		fprintf(stderr, "popgate uidl %s: the output could not be written\n", word);
	else
		work->status = VERB_DONE;
}
