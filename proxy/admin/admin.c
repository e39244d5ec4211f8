#include "proxy/admin/admin.h"

#include <string.h>
#include <time.h>

#include "proxy/admin/endpoint.h"
#include "proxy/admin/http.h"
#include "proxy/admin/samples.h"
#include "proxy/runtime/log.h"
#include "proxy/runtime/mem.h"

/* An address that was taken is tried again after so long, in milliseconds. */
#define RETRY 10000

/* What libmicrohttpd is told of, so it stays where it is. */
struct place {
	struct endpoint *endpoint; /* NULL: closed */
	char *wanted;              /* "": nothing */
	bool local;
};

static struct {
	struct place places[ADMIN_FDS];
	uint64_t retry_at;
	uint64_t sample_at;
} admin = { .places = { { .local = false }, { .local = true } }, .retry_at = UINT64_MAX };

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const char *admin_socket_path(const struct config *config, struct arena *arena)
{
	const char *slash;

	if (strcmp(config->admin_socket, ADMIN_SOCKET_AUTO) != 0)
		return config->admin_socket;
	if (config->state_kind != STATE_SQLITE)
		return "";
	slash = strrchr(config->state, '/');
	if (!slash)
		return "admin.sock";
	return arena_printf(arena, "%.*s/admin.sock", (int)(slash - config->state), config->state);
}

void admin_start(const struct admin_master *master)
{
	http_set_master(master);
	samples_start(now_ms());
	admin.sample_at = samples_run(now_ms());
}

static void close_place(struct place *place)
{
	if (!place->endpoint)
		return;
	endpoint_close(place->endpoint);
	free(place->endpoint);
	place->endpoint = NULL;
}

/* Listens where it is wanted, first, and then no longer where it was. */
static struct err open_place(struct place *place)
{
	struct endpoint *endpoint;
	struct err e;

	if (place->endpoint && strcmp(place->endpoint->where, place->wanted) == 0)
		return ok();
	if (!*place->wanted) {
		close_place(place);
		return ok();
	}
	endpoint = mem_zalloc(1, sizeof(*endpoint));
	e = endpoint_open(endpoint, place->wanted, place->local);
	if (failed(e)) {
		free(endpoint);
		return e;
	}
	close_place(place);
	place->endpoint = endpoint;
	log_info("admin", f_text(place->local ? "socket" : "address", place->wanted));
	return ok();
}

static struct err open_places(void)
{
	struct err first = ok();

	admin.retry_at = UINT64_MAX;
	for (size_t i = 0; i < ADMIN_FDS; i++) {
		struct err e = open_place(&admin.places[i]);

		if (!failed(e))
			continue;
		admin.retry_at = now_ms() + RETRY;
		if (!failed(first))
			first = e;
	}
	return first;
}

static void want(struct place *place, const char *where)
{
	free(place->wanted);
	place->wanted = mem_strdup(where);
}

struct err admin_configure(const struct config *config)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();

	want(&admin.places[0], config->admin_listen);
	want(&admin.places[1], admin_socket_path(config, arena));
	return open_places();
}

void admin_stop(void)
{
	for (size_t i = 0; i < ADMIN_FDS; i++) {
		close_place(&admin.places[i]);
		free(admin.places[i].wanted);
		admin.places[i].wanted = NULL;
	}
}

size_t admin_poll_set(struct pollfd *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < ADMIN_FDS; i++)
		if (admin.places[i].endpoint)
			fds[n++] =
				(struct pollfd){ .fd = endpoint_poll_fd(admin.places[i].endpoint),
					.events = POLLIN };
	return n;
}

uint64_t admin_due(void)
{
	uint64_t due = admin.sample_at < admin.retry_at ? admin.sample_at : admin.retry_at;

	for (size_t i = 0; i < ADMIN_FDS; i++) {
		const struct endpoint *endpoint = admin.places[i].endpoint;
		uint64_t timeout = endpoint ? endpoint_timeout(endpoint) : UINT64_MAX;

		if (timeout != UINT64_MAX && now_ms() + timeout < due)
			due = now_ms() + timeout;
	}
	return due;
}

void admin_run(void)
{
	admin.sample_at = samples_run(now_ms());
	if (now_ms() >= admin.retry_at) {
		struct err e = open_places();

		/* It was told of when it was first tried. */
		(void)e;
	}
	for (size_t i = 0; i < ADMIN_FDS; i++)
		if (admin.places[i].endpoint)
			endpoint_run(admin.places[i].endpoint);
}

void admin_leave(void)
{
	for (size_t i = 0; i < ADMIN_FDS; i++)
		if (admin.places[i].endpoint)
			endpoint_leave(admin.places[i].endpoint);
}
