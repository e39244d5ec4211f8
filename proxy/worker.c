#include "proxy/worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proxy/accept.h"
#include "proxy/login/sasl.h"
#include "proxy/maildrop/registry.h"
#include "proxy/maildrop/registry_expiry.h"
#include "proxy/pop3/session.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/log.h"

static struct {
	struct service service;
	int status_fd;
	uv_signal_t drain, retire;
	uv_timer_t grace;
} worker;

static void on_stopped(void)
{
	(void)close(worker.status_fd);
}

static void on_grace_over(uv_timer_t *timer)
{
	(void)timer;
	log_info("sessions cut off", f_uint("fibers", fiber_count()));
	fiber_cancel_all();
}

static void on_drain(uv_signal_t *handle, int signal_number)
{
	(void)handle;
	(void)signal_number;
	accept_stop();
	if (!uv_is_active((uv_handle_t *)&worker.grace))
		(void)uv_timer_start(
			&worker.grace, on_grace_over, worker.service.config->shutdown_grace, 0);
}

static void on_retire(uv_signal_t *handle, int signal_number)
{
	(void)handle;
	(void)signal_number;
	accept_stop();
}

/* Referenced by nothing that keeps the loop alive: the worker ends with its last session. */
static void open_handles(void)
{
	sigset_t none;

	(void)uv_timer_init(runtime_loop(), &worker.grace);
	(void)uv_signal_init(runtime_loop(), &worker.drain);
	(void)uv_signal_init(runtime_loop(), &worker.retire);
	(void)uv_signal_start(&worker.drain, on_drain, WORKER_DRAIN);
	(void)uv_signal_start(&worker.retire, on_retire, WORKER_RETIRE);
	uv_unref((uv_handle_t *)&worker.grace);
	uv_unref((uv_handle_t *)&worker.drain);
	uv_unref((uv_handle_t *)&worker.retire);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_handles(void)
{
	sigset_t all;

	/* What comes now comes too late, and must not kill. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	uv_close((uv_handle_t *)&worker.grace, NULL);
	uv_close((uv_handle_t *)&worker.drain, NULL);
	uv_close((uv_handle_t *)&worker.retire, NULL);
	registry_expiry_stop();
	runtime_run();
}

/* The account, and the end together with the master. The kernel forgets the latter when the account
 * changes, hence the order. */
static struct err settle(const struct worker_setup *setup)
{
	struct err e = run_as_apply(setup->run_as);

	if (failed(e))
		return e;
	(void)prctl(PR_SET_PDEATHSIG, WORKER_DRAIN);
	if (getppid() != setup->master)
		return err_make(ERR_CANCELED, "the master is gone");
	return ok();
}

static int cannot_start(struct err e)
{
	log_error("worker cannot start", f_err(e));
	return WORKER_CANNOT_START;
}

int worker_run(const struct worker_setup *setup)
{
	struct registry *registry = NULL;
	struct err e;

	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	e = settle(setup);
	if (failed(e))
		return cannot_start(e);
	runtime_init();
	sasl_prepare(setup->config);
	e = registry_open(setup->config, &registry);
	if (failed(e))
		return cannot_start(e);
	worker.service = (struct service){
		.config = setup->config,
		.registry = registry,
		.tls = setup->tls,
	};
	worker.status_fd = setup->status_fd;
	open_handles();
	registry_expiry_start(registry, setup->config->state_expire);
	accept_start(&worker.service, setup->listen, on_stopped);
	(void)!write(worker.status_fd, "r", 1);
	runtime_run();
	close_handles();
	registry_close(registry);
	runtime_close();
	return 0;
}
