#include "proxy/runtime/wait.h"

#include <stdbool.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"

struct fd_wait {
	uv_poll_t poll;
	bool open;            /* uv_poll_init succeeded */
	int status;           /* of the last libuv call */
	int polled;           /* the events that poll is started for; 0: stopped */
	struct fiber *waiter; /* cleared by the waiter itself, never by the callback */
};

struct fd_wait *fd_wait_new(int fd)
{
	struct fd_wait *wait = mem_zalloc(1, sizeof(*wait));

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
	if (status < 0)
		wait->polled = 0;
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
	uv_close((uv_handle_t *)&wait->poll, on_close);
}
