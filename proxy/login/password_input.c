#include "proxy/login/password_input.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, 0 };

static volatile sig_atomic_t caught;

static void catch (int number)
{
	caught = number;
}

/* Octet by octet, so that what follows the line stays in a pipe. */
static struct err read_line(struct secret **ret)
{
	struct buffer line = { 0 };
	ssize_t n = 0;
	size_t used;
	struct err e = ok();

	buffer_reserve(&line, SECRET_MAX + 1); /* at once: growing would leave copies behind */
	while (line.end <= SECRET_MAX && (n = read(STDIN_FILENO, line.data + line.end, 1)) == 1 &&
		line.data[line.end] != '\n')
		line.end++;
	used = line.end - (line.end > 0 && line.data[line.end - 1] == '\r');
	if (n < 0)
		e = err_errno(ERR_INVALID, errno, "standard input");
	else if (line.end > SECRET_MAX)
		e = err_make(ERR_INVALID, "the line on standard input is too long");
	else if (n == 0 && line.end == 0)
		e = err_make(ERR_INVALID, "no password on standard input");
	else
		*ret = secret_new(line.data, used);
	buffer_wipe(&line);
	return e;
}

/* Waits for a line of the terminal, or for a signal. The signals are let in only while poll waits,
 * so that none can slip in between the look at `caught` and the wait. */
static void wait_for_line(const sigset_t *mask)
{
	struct pollfd terminal = { .fd = STDIN_FILENO, .events = POLLIN };

	while (!caught && ppoll(&terminal, 1, NULL, mask) < 0 && errno == EINTR)
		;
}

/* Reads a line with echo off; a signal that came meanwhile is left in `caught`. */
static struct err read_silently(
	const struct termios *terminal, const char *prompt, const char *again, struct secret **ret)
{
	struct sigaction action = { .sa_handler = catch }, old[sizeof(signals) / sizeof(*signals)];
	struct termios silent = *terminal;
	sigset_t blocked, mask;
	struct err e;

	sigemptyset(&blocked);
	for (int i = 0; signals[i]; i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &mask);
	caught = 0;
	for (int i = 0; signals[i]; i++)
		sigaction(signals[i], &action, &old[i]);
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	fprintf(stderr, "%s%s: ", prompt, again);
	wait_for_line(&mask);
	e = caught ? err_make(ERR_INVALID, "interrupted") : read_line(ret);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, terminal);
	for (int i = 0; signals[i]; i++)
		sigaction(signals[i], &old[i], NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return e;
}

/* A signal takes its course when the echo is back. */
static struct err ask(const char *prompt, const char *again, struct secret **ret)
{
	struct termios terminal;
	struct err e;

	if (tcgetattr(STDIN_FILENO, &terminal) < 0)
		return err_errno(ERR_INVALID, errno, "the terminal");
	e = read_silently(&terminal, prompt, again, ret);
	fputc('\n', stderr);
	if (caught)
		raise(caught);
	return e;
}

struct err password_input(const char *prompt, bool twice, struct secret **ret)
{
	cleanup(secret_cleanup) struct secret *first = NULL, *second = NULL;
	struct err e;

	if (!isatty(STDIN_FILENO))
		return read_line(ret);
	if (failed(e = ask(prompt, "", &first)))
		return e;
	if (twice) {
		if (failed(e = ask(prompt, " again", &second)))
			return e;
		if (!secret_equal(first, second))
			return err_make(ERR_INVALID, "the two passwords differ");
	}
	*ret = steal(first);
	return ok();
}
