#include "proxy/systemd.h"

#include <inttypes.h>
#include <time.h>

#include <systemd/sd-daemon.h>

#include "proxy/crew.h"
#include "proxy/runtime/mem.h"

static struct {
	struct systemd_socket *sockets;
	size_t n_sockets;
	uint64_t alive_every; /* ms; 0: there is no watchdog */
	uint64_t alive_at;
} manager;

static void take_sockets(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	if (n <= 0)
		return;
	/* Never freed: names and sockets belong to the process for as long as it lives. */
	manager.sockets = mem_zalloc((size_t)n, sizeof(*manager.sockets));
	manager.n_sockets = (size_t)n;
	for (size_t i = 0; i < manager.n_sockets; i++)
		manager.sockets[i] =
			(struct systemd_socket){ SD_LISTEN_FDS_START + (int)i, names[i] };
	free(names);
}

void systemd_open(void)
{
	uint64_t watchdog = 0;

	take_sockets();
	if (sd_watchdog_enabled(1, &watchdog) > 0) {
		/* Twice in the time allowed, as sd_watchdog_enabled(3) advises. */
		manager.alive_every = watchdog / 1000 / 2;
		manager.alive_at = crew_now();
	}
}

size_t systemd_sockets(const struct systemd_socket **ret)
{
	*ret = manager.sockets;
	return manager.n_sockets;
}

void systemd_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void systemd_reloading(void)
{
	struct timespec now;

	/* The time lets the manager tell this reload from an earlier one (Type=notify-reload). */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading",
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void systemd_stopping(uint64_t within, const char *status)
{
	(void)sd_notifyf(
		0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=%s", within * 1000, status);
}

uint64_t systemd_alive_at(void)
{
	return manager.alive_every > 0 ? manager.alive_at : UINT64_MAX;
}

void systemd_alive(const char *status)
{
	if (manager.alive_every == 0 || crew_now() < manager.alive_at)
		return;
	(void)sd_notifyf(0, "WATCHDOG=1\nSTATUS=%s", status);
	manager.alive_at = crew_now() + manager.alive_every;
}
