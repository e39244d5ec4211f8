/* registry_expiry - see the header. */
#include "proxy/maildrop/registry_expiry.h"

#include "proxy/runtime/log.h"
#include "proxy/runtime/wait.h"

/* One transaction's: others want to write, too. */
#define AT_ONCE 100

#define HOUR_MS ((uint64_t)60 * 60 * 1000)
#define DAY_MS  (24 * HOUR_MS)

static struct {
	struct registry *registry;
	uint64_t age;
	uv_timer_t timer;
} expiry;

fiber_fn struct err registry_expiry_run(struct registry *registry, uint64_t age, size_t *ret_n)
{
	int64_t before = (int64_t)(registry_clock() / 1000000) - (int64_t)(age / 1000);
	size_t n = AT_ONCE;
	struct err e = ok();

	*ret_n = 0;
	while (n == AT_ONCE && !failed(e)) {
		if (failed(e = registry_expire(registry, before, AT_ONCE, &n)))
			break;
		*ret_n += n;
		e = wait_turn();
	}
	return e;
}

static void run(void *arg)
{
	struct err e;
	size_t n;

	(void)arg;
	e = registry_expiry_run(expiry.registry, expiry.age, &n);
	if (n)
		log_info("idle maildrops forgotten", f_uint("maildrops", n));
	if (failed(e) && e.scope != ERR_CANCELED)
		log_warning("idle maildrops cannot be forgotten", f_err(e));
}

static void on_due(uv_timer_t *timer)
{
	(void)timer;
	(void)fiber_spawn("expiry", run, NULL);
}

void registry_expiry_start(struct registry *registry, uint64_t age)
{
	if (!registry || age == DURATION_NEVER)
		return;
	expiry.registry = registry;
	expiry.age = age;
	(void)uv_timer_init(runtime_loop(), &expiry.timer);
	(void)uv_timer_start(
		&expiry.timer, on_due, 1 + arc4random_uniform((uint32_t)HOUR_MS), DAY_MS);
	uv_unref((uv_handle_t *)&expiry.timer);
}

void registry_expiry_stop(void)
{
	if (!expiry.registry)
		return;
	uv_close((uv_handle_t *)&expiry.timer, NULL);
	expiry.registry = NULL;
}
