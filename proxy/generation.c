#include "proxy/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/maildrop/registry.h"

static struct err open_tls(struct generation *g)
{
	const struct config *config = g->config;

	g->tls = mem_zalloc(config->n_listeners, sizeof(struct tls_context *));
	for (size_t i = 0; i < config->n_listeners; i++) {
		const struct listener_config *listener = &config->listeners[i];
		struct err e = ok();

		if (listener->tls != TLS_NONE)
			e = tls_server_new(config->certificates, config->n_certificates,
				listener->minimum_tls, listener->ca_file, &g->tls[i]);
		if (failed(e))
			return err_context(e, "listener %s", listener->name);
	}
	return ok();
}

/* What a worker will do, done in a child: as its account, and so that no library's state (SQLite
 * must not cross a fork) stays in the master. */
static struct err try_registry(const struct generation *g)
{
	struct registry *registry = NULL;
	struct err e = run_as_apply(&g->run_as);

	if (!failed(e))
		e = registry_open(g->config, &registry);
	registry_close(registry);
	return e;
}

__attribute__((noreturn)) static void registry_child(const struct generation *g, int out)
{
	struct err e = try_registry(g);

	(void)!write(out, &e, sizeof(e));
	_exit(0);
}

static struct err wait_for_registry_child(pid_t pid, int in)
{
	struct err e;
	ssize_t n;

	do
		n = read(in, &e, sizeof(e));
	while (n < 0 && errno == EINTR);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(e))
		return err_make(ERR_PERM, "state: the process that tried to open it died");
	return err_context(e, "state");
}

static struct err check_registry(const struct generation *g)
{
	int ends[2];
	struct err e;
	pid_t pid;

	if (g->config->state_kind == STATE_NONE)
		return ok();
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(ERR_TEMP, errno, "pipe");
	pid = fork();
	if (pid == 0)
		registry_child(g, ends[1]);
	e = pid < 0 ? err_errno(ERR_TEMP, errno, "fork") : ok();
	(void)close(ends[1]);
	if (pid > 0)
		e = wait_for_registry_child(pid, ends[0]);
	(void)close(ends[0]);
	return e;
}

struct err generation_open(const char *file, config_report *report, void *arg,
	const struct generation *old, struct generation *ret)
{
	struct generation g = { .number = old ? old->number + 1 : 1 };
	struct err e = config_load(file, report, arg, &g.config);

	if (failed(e))
		return e;
	e = run_as_lookup(g.config->run_as, &g.run_as);
	if (!failed(e))
		e = listen_open(g.config, old ? &old->listen : NULL, &g.listen);
	if (!failed(e))
		e = open_tls(&g);
	if (!failed(e))
		e = check_registry(&g);
	if (failed(e)) {
		generation_close(&g, old);
		return e;
	}
	*ret = g;
	return ok();
}

void generation_close(struct generation *g, const struct generation *successor)
{
	listen_close(&g->listen, successor ? &successor->listen : NULL);
	for (size_t i = 0; g->tls && i < g->config->n_listeners; i++)
		tls_context_free(g->tls[i]);
	free(g->tls);
	config_free(g->config);
	*g = (struct generation){ 0 };
}
