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
