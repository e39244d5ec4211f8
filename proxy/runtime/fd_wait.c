#include "proxy/runtime/fd_wait.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

struct fd_wait {
	uv_poll_t poll;
	int fd;
	bool open;            /* uv_poll_init succeeded */
	int status;           /* of the last libuv call */
	int polled;           /* the events that poll is started for; 0: stopped */
	struct fiber *waiter; /* cleared by the waiter itself, never by the callback */
};

/* By descriptor: handles that nobody uses, stopped. The next connection soon has the same number,
 * and to make a handle costs four system calls, to close one a turn of the loop. */
static struct {
	struct fd_wait **of;
	size_t n;
} idle;

/* Files and folders cannot: libuv finds that out when it makes a handle, and later aborts. */
static bool can_be_polled(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static struct fd_wait *take_idle(int fd)
{
	size_t i = (size_t)fd;

	if (fd < 0 || i >= idle.n || !idle.of[i] || !can_be_polled(fd))
		return NULL;
	return steal(idle.of[i]);
}

static bool put_idle(struct fd_wait *wait)
{
	size_t i = (size_t)wait->fd, room = idle.n;

	if (i >= room) {
		room = 2 * i + 64;
		idle.of = mem_resize(idle.of, room, sizeof(struct fd_wait *));
		memset(idle.of + idle.n, 0, (room - idle.n) * sizeof(struct fd_wait *));
		idle.n = room;
	}
	if (idle.of[i])
		return false;
	idle.of[i] = wait;
	return true;
}

struct fd_wait *fd_wait_new(int fd)
{
	struct fd_wait *wait = take_idle(fd);

	if (wait)
		return wait;
	wait = mem_zalloc(1, sizeof(*wait));
	wait->fd = fd;
	wait->status = uv_poll_init(runtime_loop(), &wait->poll, fd);
	wait->open = wait->status == 0;
	return wait;
}

/* Events that nobody waits for are left to the descriptor: the poll stops until the next wait. An
 * error is readiness too: the next recv or send says what it is; libuv has stopped the poll then.
 */
static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct fd_wait *wait = (struct fd_wait *)poll;

	(void)events;
	if (status < 0) {
		/* Where a child has the descriptor, too, epoll would go on to tell of it. */
		(void)uv_poll_stop(poll);
		wait->polled = 0;
	}
	if (wait->waiter) {
		fiber_wake(wait->waiter);
	} else if (wait->polled != 0) {
		wait->polled = 0;
		(void)uv_poll_stop(poll);
	}
}

fiber_fn struct err fd_wait_for(struct fd_wait *wait, int events)
{
	enum wake wake;

	if (wait->waiter)
		fatal("fd_wait_for: fiber %s waits for it", fiber_name(wait->waiter));
	if (wait->open && wait->polled != events) {
		wait->status = uv_poll_start(&wait->poll, events, on_poll);
		wait->polled = events;
	}
	if (wait->status != 0)
		return err_make(
			ERR_TEMP, "cannot poll a descriptor: %s", uv_strerror(wait->status));
	/* Only a wait keeps the loop alive, not a poll left started behind it. */
	uv_ref((uv_handle_t *)&wait->poll);
	wait->waiter = fiber_current();
	wake = fiber_suspend();
	wait->waiter = NULL;
	uv_unref((uv_handle_t *)&wait->poll);
	return wait_result(wake);
}

static void on_close(uv_handle_t *handle)
{
	free(handle);
}

static void stop(struct fd_wait *wait)
{
	if (wait->polled != 0)
		(void)uv_poll_stop(&wait->poll);
	wait->polled = 0;
	wait->status = 0;
}

void fd_wait_free(struct fd_wait *wait)
{
	if (!wait)
		return;
	if (wait->waiter)
		fatal("fd_wait_free: fiber %s waits for it", fiber_name(wait->waiter));
	if (!wait->open) {
		free(wait);
		return;
	}
	stop(wait);
	if (!put_idle(wait))
		uv_close((uv_handle_t *)&wait->poll, on_close);
}

void fd_wait_close_idle(void)
{
	for (size_t i = 0; i < idle.n; i++)
		if (idle.of[i])
			uv_close((uv_handle_t *)&idle.of[i]->poll, on_close);
	free(idle.of);
	idle.of = NULL;
	idle.n = 0;
}
