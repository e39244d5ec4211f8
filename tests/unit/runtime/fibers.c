#include "fibers.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/runtime/wait.h"

char trace[256];

void note(const char *what)
{
	(void)snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s ", what);
}

/* A connection is begun some turns later where a thread of the pool comes first. */
void pass_time(void *arg)
{
	for (int i = 0; i < 3; i++)
		assert_ok(wait_turn());
	clock_advance(*(const uint64_t *)arg);
}

int loop_setup(void **state)
{
	(void)state;
	trace[0] = '\0';
	runtime_init();
	return 0;
}

int loop_teardown(void **state)
{
	(void)state;
	assert_int_equal(fiber_count(), 0);
	runtime_close();
	return 0;
}

void run_fiber(void (*fn)(void *arg), void *arg)
{
	(void)fiber_spawn("test", fn, arg);
	runtime_run();
}

static void be_child(void (*fn)(void), int out)
{
	const struct rlimit no_core = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)dup2(out, STDERR_FILENO);
	/* cmocka's handler would report a failed test. */
	(void)signal(SIGABRT, SIG_DFL);
	fn();
	_exit(0);
}

void assert_fatal(void (*fn)(void), const char *text)
{
	char output[1024];
	size_t used = 0;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0)
		be_child(fn, ends[1]);
	assert_true(pid > 0);
	(void)close(ends[1]);
	while ((n = read(ends[0], output + used, sizeof(output) - 1 - used)) > 0)
		used += (size_t)n;
	output[used] = '\0';
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	if (!strstr(output, text))
		fail_msg("\"%s\" lacks \"%s\"", output, text);
}
