/*
 * What a PostgreSQL server can do to the registry: refuse, vanish, come back, fall silent, be
 * killed in the middle of a change.
 */
#include "postgresql.h"
#include "stores.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/runtime/wait.h"

#define PATIENCE 10000 /* ms, of place_set_up's registry */
#define PAUSE    1000  /* ms between two trials to reach a server */

static int64_t sql(const char *text)
{
	return store->sql(&place, text);
}

static struct err open_uri(const char *uri)
{
	struct registry *other = NULL;
	struct err e = registry_postgresql_open(uri, PATIENCE, &other);

	registry_close(other);
	return e;
}

/* The place's database, as another role. */
static void uri_of(const char *role, char *ret, size_t size)
{
	char database[32];

	snprintf(database, sizeof(database), "%s", strstr(place.address, "@/") + 2);
	*strchr(database, '?') = '\0';
	postgresql_uri(role, database, ret, size);
}

/* What a call says, in a fiber that others may meddle with. */
struct attempt {
	struct registry *registry;
	struct fiber *fiber;
	struct registry_entry entry;
	uint64_t limit; /* ms; 0 none */
	uint64_t revision;
	struct err e;
	bool over;
};

static void look(struct attempt *a)
{
	a->e = registry_revision(a->registry, &user, &a->revision);
}

static void run_look(void *arg)
{
	look(arg);
	((struct attempt *)arg)->over = true;
}

/* Writes the entry over whatever is there. */
static void write_entry(struct attempt *a)
{
	struct registry_change change = { .keep = &a->entry, .n_keep = 1 };

	a->revision = 0;
	while (!a->revision) {
		a->e = registry_revision(a->registry, &user, &change.revision);
		if (failed(a->e))
			return;
		a->e = registry_change(a->registry, &user, &change, &a->revision);
		if (failed(a->e))
			return;
	}
}

static void run_write(void *arg)
{
	struct attempt *a = arg;

	if (a->limit) {
		deadline(a->limit);
		write_entry(a);
	} else {
		write_entry(a);
	}
	a->over = true;
}

static struct err look_now(void)
{
	struct attempt a = { .registry = registry };

	in_fiber(run_look, &a);
	return a.e;
}

static struct err write_now(uint32_t uid)
{
	struct attempt a = { .registry = registry, .entry = imap_entry(1, uid) };

	in_fiber(run_write, &a);
	return a.e;
}

static void addresses_are_refused(void **state)
{
	(void)state;
	assert_error(open_uri("postgresql://u:geheim@h/d"), ERR_PERM, "passfile=");
	assert_error(open_uri("postgresql://u@h/d?password=geheim"), ERR_PERM, "passfile=");
	assert_error(open_uri("postgresql://u@h/d?nonsense=1"), ERR_PERM, "not one that libpq");
	assert_error(open_uri("postgresql://u@a:1,b:2,c/d?port=1,2"), ERR_PERM, "3 hosts");
}

static void server_refuses_a_role_and_a_database(void **state)
{
	char uri[256];

	(void)state;
	uri_of("nobody_at_all", uri, sizeof(uri));
	assert_error(open_uri(uri), ERR_PERM, "role \"nobody_at_all\" does not exist");
	postgresql_uri("postgres", "no_such_database", uri, sizeof(uri));
	assert_error(open_uri(uri), ERR_PERM, "database \"no_such_database\" does not exist");
}

static void write_passfile(const char *path, const char *password)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, "*:*:*:*:%s\n", password);
	fclose(file);
	chmod(path, 0600);
}

static void passwords_come_from_a_file(void **state)
{
	char uri[256], path[96], full[512];

	(void)state;
	sql("CREATE ROLE careful LOGIN PASSWORD 'geheim'");
	sql("GRANT ALL ON SCHEMA public TO careful; GRANT ALL ON ALL TABLES IN SCHEMA public TO "
	    "careful");
	uri_of("careful", uri, sizeof(uri));
	snprintf(path, sizeof(path), "%s/passfile", place.folder);
	snprintf(full, sizeof(full), "%s&passfile=%s", uri, path);
	assert_error(open_uri(full), ERR_PERM, "no password supplied");
	write_passfile(path, "falsch");
	assert_error(open_uri(full), ERR_PERM, "28P01: password authentication failed");
	write_passfile(path, "geheim");
	assert_ok(open_uri(full));
	sql("DROP OWNED BY careful; DROP ROLE careful");
}

static void role_may_not_make_tables(void **state)
{
	char uri[256];

	(void)state;
	sql("DROP TABLE popgate_schema, popgate_maildrop, popgate_folder, popgate_message");
	sql("CREATE ROLE guest LOGIN");
	uri_of("guest", uri, sizeof(uri));
	assert_error(open_uri(uri), ERR_PERM, "permission denied for schema public");
	sql("DROP ROLE guest");
}

static void connections_are_used_up(void **state)
{
	char uri[256];

	(void)state;
	sql("CREATE ROLE lonely LOGIN CONNECTION LIMIT 0");
	uri_of("lonely", uri, sizeof(uri));
	assert_error(open_uri(uri), ERR_TEMP, "too many connections for role");
	sql("DROP ROLE lonely");
}

/* The one connection that the server gives to this role is shared. */
static void server_gives_no_more_connections(void **state)
{
	enum { N = 10, ROUNDS = 3 };
	static struct attempt a[N];
	struct registry *other;
	char uri[256];

	(void)state;
	sql("CREATE ROLE single LOGIN CONNECTION LIMIT 1; GRANT ALL ON ALL TABLES IN SCHEMA public "
	    "TO single; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO single");
	uri_of("single", uri, sizeof(uri));
	assert_ok(registry_postgresql_open(uri, PATIENCE, &other));
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < N; i++) {
			a[i] = (struct attempt){ .registry = other,
				.entry = imap_entry(1, (uint32_t)i) };
			(void)fiber_spawn("one of many", run_write, &a[i]);
		}
		runtime_run();
		for (int i = 0; i < N; i++)
			assert_ok(a[i].e);
		if (round == 1)
			sql("ALTER ROLE single CONNECTION LIMIT 3");
		clock_advance(PAUSE);
	}
	assert_true(sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'single'") > 1);
	registry_close(other);
	sql("DROP OWNED BY single; DROP ROLE single");
}

static void schema_is_of_a_newer_popgate(void **state)
{
	(void)state;
	sql("UPDATE popgate_schema SET version = 99");
	assert_error(open_uri(place.address), ERR_PERM, "version 99");
}

static void upgrade_goes_on_where_it_broke_off(void **state)
{
	(void)state;
	sql("UPDATE popgate_schema SET version = 0; DROP TABLE popgate_message");
	reopen();
	assert_ok(write_now(1));
	assert_int_equal(sql("SELECT version FROM popgate_schema"), 1);
}

static void only_open(int out, unsigned arg)
{
	(void)arg;
	if (write(out, "x", 1) != 1)
		_exit(1);
}

/* All are let go at one moment: behind somebody whose table comes to nothing. */
static void many_make_the_schema_at_once(void **state)
{
	struct child children[8];
	PGconn *first = PQconnectdb(place.address);

	(void)state;
	PQclear(PQexec(first, "BEGIN; CREATE TABLE popgate_schema (id bigint)"));
	for (unsigned i = 0; i < 8; i++)
		child_start(&children[i], only_open, 0, NULL);
	while (sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") < 8)
		(void)usleep(1000);
	PQfinish(first);
	for (unsigned i = 0; i < 8; i++) {
		char x;

		assert_true(child_report(&children[i], &x, 1));
		assert_int_equal(child_end(&children[i]), 0);
	}
	assert_int_equal(sql("SELECT count(*) FROM popgate_schema"), 1);
}

#ifdef POPGATE_FAULT_POINTS
static void killed_while_making_the_schema(void **state)
{
	int signal;

	(void)state;
	for (unsigned at = 1;; at++) {
		struct child child;
		char fault[16];

		sql("DROP TABLE IF EXISTS"
		    " popgate_schema, popgate_maildrop, popgate_folder, popgate_message");
		snprintf(fault, sizeof(fault), "*:%u", at);
		child_start(&child, only_open, 0, fault);
		signal = child_end(&child);
		child_start(&child, only_open, 0, NULL);
		assert_int_equal(child_end(&child), 0);
		assert_int_equal(sql("SELECT version FROM popgate_schema"), 1);
		if (signal == 0) {
			assert_true(at > 3);
			return;
		}
	}
}
#endif

static void server_was_restarted(void **state)
{
	(void)state;
	assert_ok(write_now(1));
	postgresql_shut_down();
	postgresql_restart();
	assert_ok(look_now());
	postgresql_crash();
	postgresql_restart();
	assert_ok(write_now(2));
	assert_entries(registry, &user, "0:1.1\n0:1.2\n");
}

static void idle_connections_were_terminated(void **state)
{
	(void)state;
	assert_ok(write_now(1));
	sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
	    " WHERE datname = current_database() AND pid <> pg_backend_pid()");
	assert_ok(write_now(2));
}

static void server_is_gone_and_comes_back(void **state)
{
	(void)state;
	postgresql_shut_down();
	assert_error(look_now(), ERR_TEMP, postgresql_folder());
	assert_error(write_now(1), ERR_TEMP, postgresql_folder());
	assert_error(open_uri(place.address), ERR_TEMP, postgresql_folder());
	postgresql_restart();
	clock_advance(PAUSE);
	assert_ok(write_now(1));
}

static void pass_patience(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		assert_ok(wait_turn());
	clock_advance(PATIENCE);
}

static void server_is_silent(void **state)
{
	enum { N = 6 };
	static struct attempt a[N];

	(void)state;
	assert_ok(look_now());
	postgresql_stop_answering();
	for (int i = 0; i < N; i++)
		a[i] = (struct attempt){ .registry = registry };
	(void)fiber_spawn("waits", run_look, &a[0]);
	(void)fiber_spawn("time", pass_patience, NULL);
	runtime_run();
	assert_error(a[0].e, ERR_TEMP, "within 10000 ms");
	/* The next ones need not find out again. */
	assert_error(look_now(), ERR_TEMP, "of late");
	/* Nor do all try to connect, later. */
	clock_advance(PAUSE);
	for (int i = 1; i < N; i++)
		a[i].fiber = fiber_spawn("tries", run_look, &a[i]);
	while (uv_run(runtime_loop(), UV_RUN_ONCE) && fiber_count() > 1)
		;
	assert_int_equal(fiber_count(), 1);
	assert_false(a[1].over);
	for (int i = 2; i < N; i++)
		assert_error(a[i].e, ERR_TEMP, "of late");
	fiber_cancel(a[1].fiber);
	runtime_run();
	assert_int_equal(a[1].e.scope, ERR_CANCELED);
	postgresql_answer_again();
	assert_ok(look_now());
}

/* Holds the lock of the user's row until it is told to let go. */
static PGconn *hold_row(void)
{
	PGconn *pg = PQconnectdb(place.address);

	PQclear(PQexec(pg, "BEGIN"));
	PQclear(PQexec(pg, "SELECT * FROM popgate_maildrop FOR UPDATE"));
	assert_int_equal(PQtransactionStatus(pg), PQTRANS_INTRANS);
	return pg;
}

static bool somebody_waits(void)
{
	return sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") > 0;
}

/* Lets the fibers go on until one of them waits for the lock. */
static void run_until_waiting(void)
{
	while (!somebody_waits())
		(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
}

static void change_is_cancelled_and_timed(void **state)
{
	struct attempt canceled = { .registry = registry, .entry = imap_entry(1, 7) };
	struct attempt timed = canceled;
	PGconn *holder;

	(void)state;
	assert_ok(write_now(1));
	holder = hold_row();
	canceled.fiber = fiber_spawn("canceled", run_write, &canceled);
	run_until_waiting();
	fiber_cancel(canceled.fiber);
	runtime_run();
	assert_int_equal(canceled.e.scope, ERR_CANCELED);

	timed.limit = 60;
	in_fiber(run_write, &timed);
	assert_int_equal(timed.e.scope, ERR_TIMEOUT);
	PQfinish(holder);
	assert_ok(write_now(2));
	assert_entries(registry, &user, "0:1.1\n0:1.2\n");
}

enum { LARGE = 25000 };

static void run_large_write(void *arg)
{
	struct attempt *a = arg;
	struct registry_entry *entries = mem_zalloc(LARGE, sizeof(*entries));
	struct registry_change change = { .keep = entries, .n_keep = LARGE };

	for (uint32_t i = 0; i < LARGE; i++)
		entries[i] = imap_entry(2, i + 1);
	a->e = registry_revision(a->registry, &user, &change.revision);
	if (!failed(a->e))
		a->e = registry_change(a->registry, &user, &change, &a->revision);
	free(entries);
	a->over = true;
}

static void change_is_cancelled_at_any_moment(void **state)
{
	struct attempt a = { 0 };

	(void)state;
	for (unsigned turns = 1; a.e.scope != ERR_OK || turns == 1; turns += turns / 4 + 1) {
		int64_t n;

		a = (struct attempt){ .registry = registry };
		a.fiber = fiber_spawn("canceled", run_large_write, &a);
		for (unsigned i = 0; i < turns && !a.over; i++)
			(void)uv_run(runtime_loop(), UV_RUN_NOWAIT);
		if (!a.over)
			fiber_cancel(a.fiber);
		runtime_run();
		assert_true(a.e.scope == ERR_OK || a.e.scope == ERR_CANCELED);
		assert_ok(write_now(1));
		n = sql("SELECT count(*) FROM popgate_message WHERE uidvalidity = 2");
		assert_true(n == 0 || n == LARGE);
	}
}

/* Whoever holds it may be a gateway that stands still. */
static void lock_is_not_waited_for_forever(void **state)
{
	PGconn *holder;

	(void)state;
	assert_ok(write_now(1));
	registry_close(registry);
	assert_ok(registry_postgresql_open(place.address, 400, &registry));
	holder = hold_row();
	assert_error(write_now(2), ERR_TEMP, "55P03: canceling statement due to lock timeout");
	assert_ok(look_now());
	PQfinish(holder);
	assert_ok(write_now(2));
}

static void terminated_in_the_middle_of_a_change(void **state)
{
	struct attempt a = { .registry = registry, .entry = imap_entry(1, 2) };
	PGconn *holder;

	(void)state;
	assert_ok(write_now(1));
	holder = hold_row();
	(void)fiber_spawn("waits", run_write, &a);
	run_until_waiting();
	sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
	    " WHERE wait_event_type = 'Lock'");
	PQfinish(holder);
	runtime_run();
	assert_ok(a.e);
	assert_entries(registry, &user, "0:1.1\n0:1.2\n");
}

/* Makes the server do something when a row is written: the first `times` times. */
static void make_trigger(const char *table, const char *when, int times, const char *action)
{
	char text[640];

	snprintf(text, sizeof(text),
		"CREATE SEQUENCE times; CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS"
		" $$ BEGIN IF nextval('times') <= %d THEN %s; END IF; RETURN NEW; END $$;"
		"CREATE CONSTRAINT TRIGGER act AFTER INSERT OR UPDATE ON %s %s"
		" FOR EACH ROW EXECUTE FUNCTION act()",
		times, action, table, when);
	sql(text);
}

static void drop_trigger(void)
{
	sql("DROP FUNCTION act CASCADE; DROP SEQUENCE times");
}

#define AT_COMMIT "DEFERRABLE INITIALLY DEFERRED"
#define RAISE(c)  "RAISE EXCEPTION 'made up' USING ERRCODE = '" c "'"
#define DIE       "PERFORM pg_terminate_backend(pg_backend_pid())"

static void conflicts_are_repeated(void **state)
{
	static const struct {
		const char *table, *when;
	} places[] = { { "popgate_maildrop", "" }, { "popgate_message", "" },
		{ "popgate_message", AT_COMMIT } };

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		make_trigger(places[i].table, places[i].when, 2, RAISE("40001"));
		assert_ok(write_now(i + 1));
		assert_int_equal(sql("SELECT last_value FROM times"), 3);
		drop_trigger();
	}
	assert_entries(registry, &user, "0:1.1\n0:1.2\n0:1.3\n");
	make_trigger("popgate_message", "", 1000, RAISE("40P01"));
	assert_error(write_now(9), ERR_TEMP, "40P01: made up");
	drop_trigger();
}

static void disk_is_full(void **state)
{
	(void)state;
	assert_ok(write_now(1));
	make_trigger("popgate_message", "", 1, RAISE("53100"));
	assert_error(write_now(2), ERR_TEMP, "53100: made up");
	assert_entries(registry, &user, "0:1.1\n");
	assert_ok(write_now(2));
	drop_trigger();
}

static void server_became_a_standby(void **state)
{
	(void)state;
	make_trigger("popgate_maildrop", "", 1, RAISE("25006"));
	assert_ok(write_now(1));
	drop_trigger();
	sql("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() ||"
	    " ' SET default_transaction_read_only = on'; END $$");
	assert_error(open_uri(place.address), ERR_TEMP, "read-only");
}

static void connection_breaks_before_and_at_the_commit(void **state)
{
	(void)state;
	make_trigger("popgate_maildrop", "", 1, DIE);
	assert_ok(write_now(1));
	drop_trigger();
	make_trigger("popgate_message", "", 1, DIE);
	assert_error(write_now(2), ERR_TEMP, "lost at the commit");
	assert_entries(registry, &user, "0:1.1\n");
	assert_ok(write_now(2));
	drop_trigger();
}

/* A socket that connections are made to and nobody answers at. */
static int silent_socket(const char *folder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void one_of_several_hosts_works(void **state)
{
	char name[32], uri[512];
	int fd = silent_socket(place.folder);
	struct registry *other;

	(void)state;
	snprintf(name, sizeof(name), "%s", strstr(place.address, "@/") + 2);
	*strchr(name, '?') = '\0';
	snprintf(uri, sizeof(uri), "postgresql://postgres@/%s?host=/nowhere,%s,%s", name,
		place.folder, postgresql_folder());
	assert_ok(registry_postgresql_open(uri, 900, &other));
	registry_close(other);
	close(fd);
}

/* What a child reports: a message that the registry has said to have written. */
static void add_whatever_happens(int out, unsigned child)
{
	for (uint32_t uid = 1;; uid++) {
		struct attempt a = { .registry = registry, .entry = imap_entry(child + 1, uid) };

		do {
			in_fiber(run_write, &a);
			clock_advance(PAUSE);
		} while (failed(a.e));
		if (write(out, &uid, sizeof(uid)) != sizeof(uid))
			_exit(0);
	}
}

static void nothing_acknowledged_is_lost(void **state)
{
	enum { CHILDREN = 3, CRASHES = 4, REPORTS = 15 };
	struct child children[CHILDREN];
	uint32_t last[CHILDREN];

	(void)state;
	for (unsigned i = 0; i < CHILDREN; i++)
		child_start(&children[i], add_whatever_happens, i, NULL);
	for (int crash = 0; crash < CRASHES; crash++) {
		for (int n = 0; n < REPORTS; n++)
			for (unsigned i = 0; i < CHILDREN; i++)
				assert_true(child_report(&children[i], &last[i], sizeof(last[i])));
		postgresql_crash();
		postgresql_restart();
	}
	for (unsigned i = 0; i < CHILDREN; i++) {
		char text[128];

		kill(children[i].pid, SIGKILL);
		while (child_report(&children[i], &last[i], sizeof(last[i])))
			;
		assert_int_equal(child_end(&children[i]), SIGKILL);
		snprintf(text, sizeof(text),
			"SELECT count(*) FROM popgate_message WHERE uidvalidity = %u AND uid <= %u",
			i + 1, last[i]);
		assert_int_equal(sql(text), last[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		store_test(addresses_are_refused),
		store_test(server_refuses_a_role_and_a_database),
		store_test(passwords_come_from_a_file),
		store_test(role_may_not_make_tables),
		store_test(connections_are_used_up),
		store_test(server_gives_no_more_connections),
		store_test(schema_is_of_a_newer_popgate),
		store_test(upgrade_goes_on_where_it_broke_off),
		processes_test(many_make_the_schema_at_once),
#ifdef POPGATE_FAULT_POINTS
		processes_test(killed_while_making_the_schema),
#endif
		store_test(server_was_restarted),
		store_test(idle_connections_were_terminated),
		store_test(server_is_gone_and_comes_back),
		store_test(server_is_silent),
		store_test(change_is_cancelled_and_timed),
		store_test(change_is_cancelled_at_any_moment),
		store_test(lock_is_not_waited_for_forever),
		store_test(terminated_in_the_middle_of_a_change),
		store_test(conflicts_are_repeated),
		store_test(disk_is_full),
		store_test(server_became_a_standby),
		store_test(connection_breaks_before_and_at_the_commit),
		store_test(one_of_several_hosts_works),
		processes_test(nothing_acknowledged_is_lost),
	};
	static const struct test_store *const stores[] = { &postgresql_store };

	return run_on_stores("registry", tests, sizeof(tests) / sizeof(tests[0]), stores, 1);
}
