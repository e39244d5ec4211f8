#include "tests/unit/login/fixture.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/login/hash.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/mem.h"
#include "proxy/verbs/verbs.h"

static char *out, *err;

/* In a child; without exit, since libuv's would wait there for threads that the fork left behind.
 */
__attribute__((noreturn)) static void run_verb(char **argv)
{
	int argc = 0, status;

	while (argv[argc])
		argc++;
	status = verb_users(argc, argv);
	fflush(stdout);
	_exit(status);
}

static void redirect(const char *path, int flags, int to)
{
	int fd = open(path, flags, 0600);

	if (fd < 0 || dup2(fd, to) < 0)
		_exit(99);
	close(fd);
}

/* Runs the verb in a process of its own; the exit status. Output lands in out and err. */
static int users(const char *input, const char *const *arguments)
{
	const char *stdin_file = path_of("stdin");
	char *argv[8] = { (char *)(uintptr_t) "users" };
	int status;
	pid_t pid;

	for (int i = 0; arguments[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)arguments[i];
	write_file(stdin_file, input);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		redirect(stdin_file, O_RDONLY, STDIN_FILENO);
		redirect(path_of("stdout"), O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
		redirect(path_of("stderr"), O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
		run_verb(argv);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(out);
	free(err);
	out = read_file(path_of("stdout"));
	err = read_file(path_of("stderr"));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
#define USERS(input, ...) users((input), (const char *const[]){ __VA_ARGS__, NULL })

static int teardown(void **state)
{
	free(steal(out));
	free(steal(err));
	return folder_teardown(state);
}

struct question {
	const char *hash, *password;
	struct err error;
	bool match;
};

static void ask(void *arg)
{
	struct question *q = arg;
	cleanup(secret_cleanup) struct secret *password = secret_of(q->password);

	q->error = hash_verify(q->hash, password, &q->match);
}

/* Whether the file's first line is login's, with a hash of this password. */
static bool fits(const char *path, const char *login, const char *password)
{
	cleanup(free_cleanup) char *text = read_file(path);
	struct question q = { .password = password };
	size_t n = strlen(login);

	text[strcspn(text, "\n")] = '\0';
	assert_true(strncmp(text, login, n) == 0 && text[n] == ':');
	q.hash = text + n + 1;
	in_fiber(ask, &q);
	assert_ok(q.error);
	return q.match;
}

static void test_set_list_remove(void **state)
{
	const char *path = path_of("verb.users");

	(void)state;
	assert_int_equal(USERS("pass word\nmore\n", "set", "--file", path, "ann@a.example"), 0);
	assert_string_equal(out, "ann@a.example: added\n");
	assert_true(fits(path, "ann@a.example", "pass word"));
	assert_int_equal(USERS("other\r\n", "set", "--file", path, "ann@a.example"), 0);
	assert_string_equal(out, "ann@a.example: password changed\n");
	assert_true(fits(path, "ann@a.example", "other"));
	assert_int_equal(USERS("last", "set", "-f", path, "bob"), 0);
	assert_int_equal(USERS("", "list", "--file", path), 0);
	assert_string_equal(out, "ann@a.example\tyescrypt\nbob\tyescrypt\n");
	assert_int_equal(USERS("", "remove", "--file", path, "ann@a.example"), 0);
	assert_string_equal(out, "ann@a.example: removed\n");
	assert_true(fits(path, "bob", "last"));
	assert_int_equal(USERS("", "remove", "--file", path, "ann@a.example"), 1);
	assert_non_null(strstr(err, "ann@a.example: no such login"));
}

static void test_scram_keys_take_the_place_of_a_hash(void **state)
{
	const char *path = path_of("scram.users");
	char *text;

	(void)state;
	assert_int_equal(USERS("old\n", "set", "--file", path, "ann"), 0);
	assert_int_equal(USERS("pass word\n", "set", "--scram", "--file", path, "ann"), 0);
	assert_string_equal(out, "ann: password changed\n");
	assert_true(fits(path, "ann", "pass word"));
	text = read_file(path);
	assert_memory_equal(text, "ann:{SCRAM-SHA-256}", 19);
	assert_ptr_equal(strchr(text, '\n') + 1, text + strlen(text)); /* one line */
	free(text);
	assert_int_equal(USERS("", "list", "--file", path), 0);
	assert_string_equal(out, "ann\tscram-sha-256\n");
	assert_int_equal(USERS("a\ab\n", "set", "--scram", "--file", path, "ann"), 2);
	assert_non_null(strstr(err, "without control characters"));
	assert_true(fits(path, "ann", "pass word"));
	assert_int_equal(USERS("new\n", "set", "--file", path, "ann"), 0);
	assert_int_equal(USERS("", "list", "--file", path), 0);
	assert_string_equal(out, "ann\tyescrypt\n");
	assert_int_equal(USERS("", "remove", "--scram", "--file", path, "ann"), 2);
	assert_int_equal(USERS("", "list", "-s", "--file", path), 2);
}

static void test_bad_passwords_and_logins_change_nothing(void **state)
{
	const char *path = path_of("untouched.users");
	char too_long[600];

	(void)state;
	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(USERS("", "set", "--file", path, "ann"), 2);
	assert_non_null(strstr(err, "no password on standard input"));
	assert_int_equal(USERS("\n", "set", "--file", path, "ann"), 2);
	assert_non_null(strstr(err, "empty password"));
	assert_int_equal(USERS(too_long, "set", "--file", path, "ann"), 2);
	assert_int_equal(USERS("secret\n", "set", "--file", path, "a:b"), 2);
	assert_int_equal(USERS("secret\n", "set", "--file", path, "a\nb"), 2);
	assert_int_equal(USERS("secret\n", "set", "--file", path, ""), 2);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void test_missing_and_malformed_files(void **state)
{
	const char *path = path_of("wrong.users");

	(void)state;
	assert_int_equal(USERS("", "list", "--file", path), 2);
	assert_non_null(strstr(err, "wrong.users: No such file"));
	assert_int_equal(USERS("", "remove", "--file", path, "ann"), 2);
	assert_non_null(strstr(err, "wrong.users: No such file"));
	write_file(path, "ann:secret\nbob\n");
	assert_int_equal(USERS("", "list", "--file", path), 2);
	assert_non_null(strstr(err, "wrong.users:1: "));
	assert_non_null(strstr(err, "wrong.users:2: "));
	assert_string_equal(out, "");
}

static void test_usage(void **state)
{
	(void)state;
	assert_int_equal(users("", (const char *const[]){ NULL }), 2);
	assert_int_equal(USERS("", "add", "--file", "x", "ann"), 2);
	assert_int_equal(USERS("", "set", "ann"), 2);
	assert_int_equal(USERS("", "set", "--file", "x"), 2);
	assert_int_equal(USERS("", "set", "--file", "x", "ann", "bob"), 2);
	assert_int_equal(USERS("", "list", "--file", "x", "ann"), 2);
	assert_int_equal(USERS("", "list", "--file"), 2);
	assert_int_equal(USERS("", "list", "--colour"), 2);
	assert_non_null(strstr(err, "--help"));
	assert_int_equal(USERS("", "--help"), 0);
	assert_non_null(strstr(out, "Usage: popgate users set"));
	assert_string_equal(err, "");
}

/* Everything the terminal shows until text comes. */
static void await(int fd, struct buffer *shown, const char *text)
{
	for (;;) {
		char *at = buffer_reserve(shown, 2);
		ssize_t n;

		*at = '\0';
		if (shown->end > 0 && strstr(shown->data, text))
			return;
		n = read(fd, at, 1);
		assert_int_equal(n, 1);
		shown->end++;
	}
}

static int on_terminal(const char *path, const char *first, const char *second, char **shown)
{
	char *argv[] = { (char *)(uintptr_t) "users", (char *)(uintptr_t) "set",
		(char *)(uintptr_t) "--file", (char *)(uintptr_t)path, (char *)(uintptr_t) "ann",
		NULL };
	struct buffer text = { 0 };
	int fd, status;
	pid_t pid;

	fflush(stdout);
	pid = forkpty(&fd, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0)
		run_verb(argv);
	await(fd, &text, "Password for ann: ");
	assert_int_equal(write(fd, first, strlen(first)), strlen(first));
	if (second) {
		await(fd, &text, "Password for ann again: ");
		assert_int_equal(write(fd, second, strlen(second)), strlen(second));
	}
	while (read(fd, buffer_reserve(&text, 2), 1) == 1)
		text.end++;
	text.data[text.end] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fd);
	*shown = text.data;
	return status;
}

static void test_terminal_is_asked_twice_and_shows_nothing(void **state)
{
	const char *path = path_of("terminal.users");
	char *shown;

	(void)state;
	assert_int_equal(WEXITSTATUS(on_terminal(path, "secret\n", "secrex\n", &shown)), 2);
	assert_non_null(strstr(shown, "the two passwords differ"));
	assert_null(strstr(shown, "secre"));
	free(shown);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(on_terminal(path, "secret\n", "secret\n", &shown), 0);
	assert_null(strstr(shown, "secret"));
	free(shown);
	assert_true(fits(path, "ann", "secret"));
}

static void test_interrupt_at_the_prompt_ends_the_verb(void **state)
{
	int status;
	char *shown;

	(void)state;
	status = on_terminal(path_of("interrupted.users"), "\003", NULL, &shown);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
	free(shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_list_remove),
		cmocka_unit_test(test_scram_keys_take_the_place_of_a_hash),
		cmocka_unit_test(test_bad_passwords_and_logins_change_nothing),
		cmocka_unit_test(test_missing_and_malformed_files),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_terminal_is_asked_twice_and_shows_nothing),
		cmocka_unit_test(test_interrupt_at_the_prompt_ends_the_verb),
	};

	return cmocka_run_group_tests_name("users verb", tests, folder_setup, teardown);
}
