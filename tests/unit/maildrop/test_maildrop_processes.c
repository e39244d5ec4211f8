/*
 * Several processes on one registry, and processes killed in the middle of it.
 *
 * The parent never starts the runtime: each session runs in a child, which reports the ids that it
 * has shown through a pipe, as "key id" lines of one write each.
 */
#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN     4
#define FIRST_ROUNDS 10
#define KEYS         60
#define KEY_FORMAT   "message-%05u"
#define ROUNDS       12
#define MAX_MESSAGES 100000

static struct folder folder;
static struct session session; /* of a child */

static int set_up(void **state)
{
	(void)state;
	folder_make(&folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	folder_remove(&folder);
	return 0;
}

struct child {
	pid_t pid;
	FILE *out; /* what it reports */
};

static void start_child(struct child *child, void (*job)(int out, unsigned arg), unsigned arg)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		close(fds[0]);
		runtime_init();
		job(fds[1], arg);
		runtime_close();
		_exit(0);
	}
	close(fds[1]);
	child->out = fdopen(fds[0], "r");
	assert_non_null(child->out);
}

static void end_child(struct child *child, int signal_expected)
{
	int status;

	fclose(child->out);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_int_equal(
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), signal_expected);
}

static void report(int out, const struct mail *mail)
{
	for (size_t i = 1; i <= maildrop_count(session.drop); i++) {
		char line[96];
		/* The mail arrives in the order of its place, so number and place agree. */
		int n = snprintf(line, sizeof(line), "%s %s\n", mail->messages[i - 1].key,
			maildrop_unique_id(session.drop, i));

		if (write(out, line, (size_t)n) != n)
			_exit(3);
	}
}

/* In a child: fails by exit status. */
static void child_check(struct err e)
{
	if (!failed(e))
		return;
	fprintf(stderr, "child: %s\n", e.detail);
	_exit(2);
}

static void add_message(struct mail *mail, unsigned i)
{
	char key[32];

	snprintf(key, sizeof(key), KEY_FORMAT, i);
	mail_add_maildir(mail, 0, key, 1000 + i);
}

/* The first listing of a maildrop: the even children see fewer messages than the odd ones. */
static void list_once(int out, unsigned arg)
{
	struct mail mail = { 0 };
	struct registry *registry;

	for (unsigned i = 0; i < KEYS - (arg % 2 ? 0 : KEYS / 2); i++)
		add_message(&mail, i);
	child_check(registry_sqlite_open(folder.database, 10000, &registry));
	session_init(&session, STORE_MAILDIR, &mail);
	child_check(session_open(&session, registry));
	report(out, &mail);
	session_done(&session);
	registry_close(registry);
	mail_done(&mail);
}

/* What all children have shown, by message. */
struct shown {
	unsigned long ids[MAX_MESSAGES]; /* 0: not yet */
	unsigned n;                      /* highest message + 1 */
};

/* Reads one report; false at the end. A message shown before must have the same id. */
static bool take_report(struct shown *shown, FILE *in)
{
	unsigned message;
	unsigned long id;

	if (fscanf(in, KEY_FORMAT " %lu\n", &message, &id) != 2)
		return false;
	assert_true(message < MAX_MESSAGES && id > 0);
	if (shown->ids[message])
		assert_int_equal(shown->ids[message], id);
	shown->ids[message] = id;
	if (message >= shown->n)
		shown->n = message + 1;
	return true;
}

static int compare_ids(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

static void assert_no_duplicates(const struct shown *shown)
{
	unsigned long *ids = mem_zalloc(shown->n + 1, sizeof(*ids));

	memcpy(ids, shown->ids, shown->n * sizeof(*ids));
	qsort(ids, shown->n, sizeof(*ids), compare_ids);
	for (unsigned i = 1; i < shown->n; i++)
		if (ids[i])
			assert_int_not_equal(ids[i - 1], ids[i]);
	free(ids);
}

/* Also the first to make the file: schema and all. */
static void list_first(void)
{
	struct shown *shown = mem_zalloc(1, sizeof(*shown));
	struct child children[CHILDREN];

	for (unsigned i = 0; i < CHILDREN; i++)
		start_child(&children[i], list_once, i);
	for (unsigned i = 0; i < CHILDREN; i++) {
		while (take_report(shown, children[i].out))
			;
		end_child(&children[i], 0);
	}
	assert_int_equal(shown->n, KEYS);
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_not_equal(shown->ids[i], 0);
	assert_no_duplicates(shown);
	free(shown);
}

static void processes_agree_on_first_ids(void **state)
{
	for (unsigned round = 0; round < FIRST_ROUNDS; round++) {
		list_first();
		tear_down(state);
		set_up(state);
	}
}

/* Until killed: new mail comes, sessions list it, the newest but one is deleted, and so on. Each
 * child goes on from the message that it is told. */
static void live(int out, unsigned first)
{
	struct mail mail = { 0 };
	struct registry *registry;

	child_check(registry_sqlite_open(folder.database, 10000, &registry));
	for (unsigned i = first; i < MAX_MESSAGES; i++) {
		add_message(&mail, i);
		session_init(&session, STORE_MAILDIR, &mail);
		child_check(session_open(&session, registry));
		report(out, &mail);
		if (i % 3 == 2) {
			maildrop_mark(session.drop, maildrop_count(session.drop));
			child_check(session_update(&session));
		}
		session_done(&session);
	}
	_exit(4);
}

/* Lists the messages that were shown so far, all of them (also the deleted ones, as if they were
 * back): none may get the id of another. */
static void list_all(int out, unsigned n)
{
	struct mail mail = { 0 };
	struct registry *registry;

	for (unsigned i = 0; i < n; i++)
		if (i % 3 != 2)
			add_message(&mail, i);
	child_check(registry_sqlite_open(folder.database, 10000, &registry));
	session_init(&session, STORE_MAILDIR, &mail);
	child_check(session_open(&session, registry));
	report(out, &mail);
	session_done(&session);
	registry_close(registry);
	mail_done(&mail);
}

/* Killed at whatever step it has come to by the time that so many reports were read: the pipe holds
 * more, so that this is anywhere. */
static void killed_while_writing(void **state)
{
	struct shown *shown = mem_zalloc(1, sizeof(*shown));
	struct child child;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		start_child(&child, live, shown->n);
		for (unsigned i = 0; i < 20 + 37 * round; i++)
			assert_true(take_report(shown, child.out));
		kill(child.pid, SIGKILL);
		while (take_report(shown, child.out))
			;
		end_child(&child, SIGKILL);
		start_child(&child, list_all, shown->n);
		while (take_report(shown, child.out))
			;
		end_child(&child, 0);
		assert_no_duplicates(shown);
	}
	free(shown);
}

/* Two at once on the same maildrop, one of which is killed: the other goes on. */
static void killed_beside_another(void **state)
{
	struct shown *shown = mem_zalloc(1, sizeof(*shown));
	struct child victim, other;

	(void)state;
	start_child(&victim, live, 0);
	start_child(&other, live, MAX_MESSAGES / 2);
	for (unsigned i = 0; i < 200; i++)
		assert_true(take_report(shown, victim.out));
	kill(victim.pid, SIGKILL);
	while (take_report(shown, victim.out))
		;
	end_child(&victim, SIGKILL);
	for (unsigned i = 0; i < 400; i++)
		assert_true(take_report(shown, other.out));
	kill(other.pid, SIGKILL);
	while (take_report(shown, other.out))
		;
	end_child(&other, SIGKILL);
	assert_no_duplicates(shown);
	free(shown);
}

#define process_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		process_test(processes_agree_on_first_ids),
		process_test(killed_while_writing),
		process_test(killed_beside_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
