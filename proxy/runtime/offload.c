#include "proxy/runtime/mem.h"
#include "proxy/runtime/wait.h"

/* On the stack of the fiber, which stays suspended until the loop has the answer. */
struct offload {
	uv_work_t work;
	void (*job)(void *arg);
	void *arg;
	struct fiber *fiber;
};

static void in_thread(uv_work_t *work)
{
	struct offload *offload = (struct offload *)work;

	offload->job(offload->arg);
}

static void when_done(uv_work_t *work, int status)
{
	struct offload *offload = (struct offload *)work;

	(void)status;
	fiber_wake(offload->fiber);
}

fiber_fn void offload(void (*job)(void *arg), void *arg)
{
	struct offload request = { .job = job, .arg = arg, .fiber = fiber_current() };

	(void)uv_queue_work(runtime_loop(), &request.work, in_thread, when_done);
	fiber_suspend_hard();
}

/* The loop frees it after the fiber let go of it. */
struct alone {
	uv_async_t over; /* first */
	uv_thread_t thread;
	void (*job)(void *arg);
	void *arg;
	struct fiber *fiber;
	bool done;
};

static void in_own_thread(void *arg)
{
	struct alone *alone = arg;

	alone->job(alone->arg);
	(void)uv_async_send(&alone->over);
}

static void when_over(uv_async_t *over)
{
	struct alone *alone = (struct alone *)over;

	alone->done = true;
	fiber_wake(alone->fiber);
}

static void when_closed(uv_handle_t *over)
{
	free(over);
}

fiber_fn struct err offload_alone(void (*job)(void *arg), void *arg, atomic_bool *stop)
{
	struct alone *alone = mem_zalloc(1, sizeof(*alone));
	int status = uv_async_init(runtime_loop(), &alone->over, when_over);

	if (status != 0) {
		free(alone);
		return err_make(ERR_TEMP, "uv_async_init: %s", uv_strerror(status));
	}
	alone->job = job;
	alone->arg = arg;
	alone->fiber = fiber_current();
	status = uv_thread_create(&alone->thread, in_own_thread, alone);
	if (status == 0) {
		if (fiber_suspend() != WAKE_READY)
			atomic_store(stop, true);
		while (!alone->done)
			fiber_suspend_hard();
		(void)uv_thread_join(&alone->thread);
	}
	uv_close((uv_handle_t *)&alone->over, when_closed);
	return status == 0 ? ok() : err_make(ERR_TEMP, "no thread: %s", uv_strerror(status));
}
