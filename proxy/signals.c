#include "proxy/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "proxy/runtime/fatal.h"
#include "proxy/worker.h"

int signals_open(void)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, WORKER_RETIRE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	/* Whoever reads the log may go before us. */
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		fatal("signalfd: %m");
	return fd;
}

uint32_t signals_next(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? info.ssi_signo : 0;
}
