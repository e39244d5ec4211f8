#include "proxy/worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "backends/backend.h"
#include "proxy/accept.h"
#include "proxy/login/sasl.h"
#include "proxy/maildrop/cache.h"
#include "proxy/maildrop/registry_expiry.h"
#include "proxy/maildrop/registry_health.h"
#include "proxy/orders.h"
#include "proxy/pop3/session.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/log_output.h"
#include "proxy/runtime/wait.h"

static struct {
	struct service service;
	int orders_fd;
	uv_signal_t drain, retire;
	uv_timer_t grace, publish, log;
	uv_poll_t orders;
	struct fiber *watch; /* NULL: there is no registry, or it is over */
} worker;

/* What the session table knows of octets is so old at most, and what /readyz knows of the registry.
 * Milliseconds. */
#define PUBLISH_EVERY 2000
#define WATCH_EVERY   5000
/* For the last lines of the log, where they do not go at once. */
#define LAST_LINES 2000

static void tell_master(enum order_kind kind)
{
	const struct order order = { .kind = kind };

	(void)orders_send(worker.orders_fd, &order, -1);
}

fiber_fn static void watch_main(void *arg)
{
	(void)arg;
	while (!failed(wait_sleep(WATCH_EVERY)))
		registry_health_probe(worker.service.registry);
	worker.watch = NULL;
}

static void on_stopped(void)
{
	tell_master(ORDER_STOPPED);
	imap_backend.keep(false);
	if (worker.watch)
		fiber_cancel(worker.watch);
}

static void on_publish(uv_timer_t *timer)
{
	(void)timer;
	session_publish_all();
}

static void on_log_timer(uv_timer_t *timer)
{
	log_flush();
	if (!log_pending())
		(void)uv_timer_stop(timer);
}

static void on_log_pending(void)
{
	(void)uv_timer_start(&worker.log, on_log_timer, LOG_FLUSH_EVERY, LOG_FLUSH_EVERY);
}

static void on_order(uv_poll_t *handle, int status, int events)
{
	struct order order;
	int fd;

	(void)events;
	switch (status < 0 ? ORDER_OVER : orders_receive(worker.orders_fd, &order, &fd)) {
	case ORDER_NONE:
		break;
	case ORDER_TAKEN:
		if (order.kind == ORDER_LOG && fd >= 0)
			log_output_adopt(fd);
		else if (fd >= 0)
			(void)close(fd);
		if (order.kind == ORDER_CLOSE)
			(void)session_kill(order.id);
		break;
	case ORDER_OVER:
		(void)uv_poll_stop(handle);
		break;
	}
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

static void open_timers(void)
{
	(void)uv_timer_init(runtime_loop(), &worker.grace);
	(void)uv_timer_init(runtime_loop(), &worker.publish);
	(void)uv_timer_init(runtime_loop(), &worker.log);
	(void)uv_timer_start(&worker.publish, on_publish, PUBLISH_EVERY, PUBLISH_EVERY);
	uv_unref((uv_handle_t *)&worker.grace);
	uv_unref((uv_handle_t *)&worker.publish);
	uv_unref((uv_handle_t *)&worker.log);
	log_output_on_pending(on_log_pending);
}

/* Referenced by nothing that keeps the loop alive: the worker ends with its last session. */
static void open_handles(void)
{
	sigset_t none;

	open_timers();
	(void)uv_poll_init(runtime_loop(), &worker.orders, worker.orders_fd);
	(void)uv_poll_start(&worker.orders, UV_READABLE, on_order);
	uv_unref((uv_handle_t *)&worker.orders);
	(void)uv_signal_init(runtime_loop(), &worker.drain);
	(void)uv_signal_init(runtime_loop(), &worker.retire);
	(void)uv_signal_start(&worker.drain, on_drain, WORKER_DRAIN);
	(void)uv_signal_start(&worker.retire, on_retire, WORKER_RETIRE);
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
	log_output_on_pending(NULL);
	uv_close((uv_handle_t *)&worker.grace, NULL);
	uv_close((uv_handle_t *)&worker.publish, NULL);
	uv_close((uv_handle_t *)&worker.log, NULL);
	uv_close((uv_handle_t *)&worker.orders, NULL);
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
	log_finish(LAST_LINES);
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
	worker.orders_fd = setup->orders_fd;
	open_handles();
	registry_expiry_start(registry, setup->config->state_expire);
	imap_backend.keep(true);
	accept_start(&worker.service, setup->listen, on_stopped);
	if (registry)
		worker.watch = fiber_spawn("registry watch", watch_main, NULL);
	tell_master(ORDER_SERVING);
	runtime_run();
	close_handles();
	cache_clear();
	registry_close(registry);
	runtime_close();
	log_finish(LAST_LINES);
	return 0;
}
