/*
 * Random histories: mail comes and goes, servers lose count, databases fail and return to what they
 * were, and sessions do all this at once.
 *
 * Whoever runs is chosen by the seed, at every place where a session may wait; so a seed that is
 * printed tells all.
 *	POPGATE_SEED=n    only that history
 *	POPGATE_HISTORIES how many
 */
#include "history.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/maildrop/cache.h"

#define HISTORIES 150
#define STEPS     60
#define ACTORS    3

static struct folder folder;
static struct registry *database;
static struct history history;

/* Whose turn it is. One fiber runs, the others wait for theirs, also while it waits for the disk.
 */
struct actor {
	struct fiber *fiber;
	bool busy; /* has something to do */
	struct session session;
	struct tenant *tenant;
	unsigned begun;
};

static struct actor actors[ACTORS];
static struct fiber *driver;
static struct fiber *running;

static void give_turn(struct fiber *to)
{
	struct fiber *self = fiber_current();

	running = to;
	fiber_wake(to);
	while (running != self)
		fiber_suspend_hard();
}

/* A place where others may come in between. */
static void others(void)
{
	unsigned n = 1, chosen;

	for (size_t i = 0; i < ACTORS; i++)
		n += actors[i].busy;
	chosen = history_random(&history, n);
	for (size_t i = 0; i < ACTORS; i++) {
		if (!actors[i].busy || chosen-- > 0)
			continue;
		if (actors[i].fiber != fiber_current())
			give_turn(actors[i].fiber);
		return;
	}
	if (driver != fiber_current())
		give_turn(driver);
}

/* The registry under all this: fails at times, and takes its time. */
static bool fails(void)
{
	return history.weather.writes_fail && history_random(&history, 8) == 0;
}

static struct err full(void)
{
	return err_make(ERR_TEMP, "no space left on device");
}

fiber_fn static struct err slow_revision(
	struct registry *registry, const struct registry_maildrop *maildrop, uint64_t *ret)
{
	struct err e;

	(void)registry;
	others();
	e = registry_revision(database, maildrop, ret);
	others();
	return e;
}

fiber_fn static struct err slow_load(struct registry *registry,
	const struct registry_maildrop *maildrop, struct arena *arena, struct registry_record *ret)
{
	struct err e;

	(void)registry;
	others();
	if (fails())
		return full();
	e = registry_load(database, maildrop, arena, ret);
	others();
	return e;
}

/* The connection may break when all is written. */
fiber_fn static struct err slow_change(struct registry *registry,
	const struct registry_maildrop *maildrop, const struct registry_change *change,
	uint64_t *ret_revision)
{
	struct err e;

	(void)registry;
	others();
	if (fails())
		return full();
	e = registry_change(database, maildrop, change, ret_revision);
	others();
	return fails() ? full() : e;
}

static const struct registry_ops slow_ops = {
	.name = "slow",
	.revision = slow_revision,
	.load = slow_load,
	.change = slow_change,
};
static struct registry slow = { .ops = &slow_ops };

/* One POP3 session. */

static void begin(struct actor *actor)
{
	const struct weather *w = &history.weather;
	struct session *session = &actor->session;
	static const char *const also[] = { "Junk" };

	session_init_beside(session, w->maildir ? STORE_MAILDIR : STORE_IMAP, &history.mail);
	session->tenant.uidl.max_changed = 100;
	session->tenant.maildrop.on_delete = w->hides ? DELETE_HIDE : DELETE_EXPUNGE;
	if (w->also)
		session->tenant.maildrop.also = (struct string_list){ (const char **)also, 1 };
	/* One tenant for all of them, as in life. */
	*actor->tenant = session->tenant;
	session->account.tenant = actor->tenant;
	session->script.pause = others;
	session->script.hides_uidnext = w->hides_uidnext;
	session->script.no_marks = w->no_marks;
	session->script.no_emailids = w->no_emailids;
	session->script.no_fingerprints = w->no_fingerprints;
	actor->begun = ++history.tick;
}

/* What it asks to be removed: the letters' ids need not outlive that. */
static void mark_some(struct actor *actor)
{
	struct maildrop *drop = actor->session.drop;

	for (size_t i = 1; i <= maildrop_count(drop); i++) {
		struct letter *letter = history_letter(&history, maildrop_size(drop, i));

		if (history_random(&history, 6) || letter->copied)
			continue;
		maildrop_mark(drop, i);
		letter->asked = !history.weather.hides;
		if (history.weather.hides && !letter->hidden_from)
			letter->hidden_from = ++history.tick;
	}
}

static void note_hidden(struct actor *actor, bool done)
{
	struct maildrop *drop = actor->session.drop;

	for (size_t i = 1; i <= maildrop_count(drop); i++) {
		struct letter *letter = history_letter(&history, maildrop_size(drop, i));

		if (history.weather.hides && maildrop_marked(drop, i) && done && !letter->hidden_by)
			letter->hidden_by = ++history.tick;
	}
}

static void quit(struct actor *actor)
{
	struct session *session = &actor->session;
	struct err e;

	mark_some(actor);
	e = maildrop_update(session->drop, &session->outcome);
	history_note(&history, "quit: %zu of %zu %s", session->outcome.removed,
		session->outcome.asked, e.detail);
	history_take_removals(&history);
	note_hidden(actor, !failed(e));
}

static void one_session(struct actor *actor)
{
	struct session *session = &actor->session;
	struct err e;

	begin(actor);
	history.n_opening++;
	history_note(&history, "session %d", (int)(actor - actors));
	e = maildrop_open(&session->account, &session->backend.backend, &slow, session->arena,
		&session->opening, &session->drop);
	history_note(&history, "login %d: %s", (int)(actor - actors),
		failed(e) ? e.detail : session->opening.note.detail);
	for (size_t i = 1; !failed(e) && i <= maildrop_count(session->drop); i++)
		history_note(&history, "  %llu %s",
			(unsigned long long)maildrop_size(session->drop, i),
			maildrop_unique_id(session->drop, i));
	if (failed(e) && !history.weather.writes_fail)
		history_fail(&history, "a login failed: %s", e.detail);
	history.n_opening--;
	if (!failed(e)) {
		history_judge(&history, session, actor->begun);
		others();
		if (history_random(&history, 3) == 0)
			quit(actor);
	}
	session_done(session);
}

static void actor_main(void *arg)
{
	struct actor *actor = arg;

	while (running != fiber_current())
		fiber_suspend_hard();
	one_session(actor);
	actor->busy = false;
	running = driver;
	fiber_wake(driver);
}

static void start_actor(void)
{
	for (size_t i = 0; i < ACTORS; i++) {
		if (actors[i].busy)
			continue;
		actors[i].busy = true;
		actors[i].fiber = fiber_spawn("actor", actor_main, &actors[i]);
		return;
	}
}

static void finish_actors(void)
{
	for (size_t i = 0; i < ACTORS; i++)
		while (actors[i].busy)
			give_turn(actors[i].fiber);
}

/* Between sessions. */

static void copy_file(const char *from, const char *to)
{
	static char block[4096];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, block, sizeof(block))) > 0)
		assert_int_equal(write(out, block, (size_t)n), n);
	close(in);
	close(out);
}

static void backup_path(char *path, size_t n)
{
	snprintf(path, n, "%s/backup.db", folder.path);
}

static void save_database(void)
{
	char path[128];

	registry_close(database);
	backup_path(path, sizeof(path));
	copy_file(folder.database, path);
	database = registry_at(&folder);
	history_save(&history);
}

/* The process lives on, as it does where the database is a server's. */
static void return_database(void)
{
	char path[128];

	registry_close(database);
	backup_path(path, sizeof(path));
	copy_file(path, folder.database);
	database = registry_at(&folder);
	history_return(&history);
}

static void restart(void)
{
	cache_clear();
	registry_close(database);
	database = registry_at(&folder);
}

static void forget_missing(void)
{
	(void)sql(&folder, "UPDATE message SET missing = missing - 8 * 86400 WHERE missing");
	(void)sql(&folder, "UPDATE maildrop SET revision = revision + 1");
	history_forget_missing(&history);
}

static void convert(void)
{
	cache_clear();
	history_convert(&history);
}

static void something_rare(void)
{
	static const char *const names[] = { "restart", "convert", "forget missing",
		"save database", "return database" };
	unsigned chosen = history_random(&history, 5);

	finish_actors();
	history_note(&history, "%s", names[chosen]);
	switch (chosen) {
	case 0:
		restart();
		break;
	case 1:
		convert();
		break;
	case 2:
		forget_missing();
		break;
	case 3:
		if (history.weather.database_returns && !history.saved) {
			save_database();
			history.saved = true;
		}
		break;
	default:
		if (history.saved && history.weather.database_returns)
			return_database();
		history.saved = false;
		break;
	}
}

static void drive(void *arg)
{
	(void)arg;
	driver = running = fiber_current();
	for (unsigned step = 0; step < STEPS && !*history.failure; step++) {
		unsigned chosen = history_random(&history, 20);

		fake_clock += 1000;
		if (chosen == 0)
			something_rare();
		else if (chosen < 9)
			start_actor();
		else
			history_step(&history);
		others();
	}
	finish_actors();
}

static struct weather weather_of(uint64_t seed)
{
	struct history dice = { .random = seed * UINT64_C(0xd1342543de82ef95) + 7 };
	struct weather w = { .maildir = history_random(&dice, 3) == 0 };

	w.also = history_random(&dice, 3) == 0;
	w.no_emailids = history_random(&dice, 3) != 0;
	w.no_fingerprints = history_random(&dice, 4) == 0;
	w.no_arrivals = history_random(&dice, 6) == 0;
	w.hides_uidnext = history_random(&dice, 6) == 0;
	w.no_marks = history_random(&dice, 6) == 0;
	w.uids_go_back = history_random(&dice, 2) == 0;
	w.database_returns = !w.uids_go_back && history_random(&dice, 2) == 0;
	w.writes_fail = history_random(&dice, 4) == 0;
	w.hides = history_random(&dice, 4) == 0;
	return w;
}

static void run_history(uint64_t seed)
{
	struct weather weather = weather_of(seed);
	static struct tenant tenant;

	folder_make(&folder);
	database = registry_at(&folder);
	history_start(&history, seed, &weather);
	history.told = getenv("POPGATE_SEED") != NULL;
	history_note(&history,
		"maildir %d, also %d, without emailids %d, fingerprints %d, arrivals %d, uidnext "
		"%d, marks %d; uids go back %d, database returns %d, writes fail %d, hide %d",
		weather.maildir, weather.also, weather.no_emailids, weather.no_fingerprints,
		weather.no_arrivals, weather.hides_uidnext, weather.no_marks, weather.uids_go_back,
		weather.database_returns, weather.writes_fail, weather.hides);
	for (size_t i = 0; i < ACTORS; i++)
		actors[i] = (struct actor){ .tenant = &tenant };
	in_fiber(drive, NULL);
	cache_clear();
	registry_close(database);
	folder_remove(&folder);
	if (*history.failure)
		print_error("POPGATE_SEED=%llu: %s\n", (unsigned long long)seed, history.failure);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void ids_survive_all_histories(void **state)
{
	uint64_t n = number_from("POPGATE_HISTORIES", HISTORIES);
	uint64_t first = number_from("POPGATE_SEED", 0), failures = 0, steps = 0;

	(void)state;
	if (first)
		n = 1;
	for (uint64_t i = 0; i < n && failures < 10; i++) {
		run_history(first ? first : i + 1);
		failures += *history.failure != '\0';
		steps += history.tick;
		history_end(&history);
	}
	print_message(
		"%llu histories, %llu steps\n", (unsigned long long)n, (unsigned long long)steps);
	assert_int_equal(failures, 0);
}

static int start(void **state)
{
	(void)state;
	runtime_init();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	runtime_close();
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_survive_all_histories),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
