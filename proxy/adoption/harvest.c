#include "proxy/adoption/harvest.h"

/* So many users in a row that could not be read are no accident of theirs. */
#define FAILURES_MAX 10

static void count_message(size_t done, size_t n, void *arg)
{
	struct harvest *h = arg;

	(void)done;
	(void)n;
	h->n_messages++;
}

fiber_fn static struct err read_user(struct harvest *h, const struct harvest_user *user,
	struct arena *arena, struct pop3_maildrop *maildrop, size_t *n)
{
	struct err e = pop3_source_read(
		h->server, user->login, user->password, count_message, h, arena, maildrop);

	if (failed(e))
		return e;
	if (!maildrop->has_ids)
		return err_make(ERR_PERM, "the server has no UIDL: there are no ids to keep");
	return harvest_file_add(h->file, user->new_login, maildrop, n);
}

/* Whose fault it was decides whether the next ones are worth a try. */
static void judge(struct harvest *h, struct err e)
{
	if (!failed(e) || e.scope == ERR_AUTH)
		h->failures_in_a_row = 0;
	else if (e.scope == ERR_PERM || ++h->failures_in_a_row == FAILURES_MAX)
		h->stop = failed(h->stop) ? h->stop : e;
}

fiber_fn static void run_job(void *arg)
{
	struct harvest *h = arg;

	while (!failed(h->stop) && h->next < h->users->n) {
		struct harvest_user *user = &h->users->items[h->next++];
		struct pop3_maildrop maildrop = { 0 };
		struct arena *arena;
		struct err e;
		size_t n = 0;

		if (user->done) {
			h->n_before++;
			continue;
		}
		arena = arena_new();
		e = read_user(h, user, arena, &maildrop, &n);
		user->done = !failed(e);
		if (failed(e))
			h->n_failed++;
		else
			h->n_read++;
		judge(h, e);
		h->report(h, user, e, &maildrop, n);
		arena_free(arena);
	}
	h->running--;
}

void harvest_start(struct harvest *h)
{
	h->stop = ok();
	for (unsigned i = 0; i < h->jobs; i++) {
		h->running++;
		(void)fiber_spawn("harvest", run_job, h);
	}
}
