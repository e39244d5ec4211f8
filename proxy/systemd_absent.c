/* Instead of systemd.c, where libsystemd was not there at build. */
#include "proxy/systemd.h"

void systemd_open(void)
{
}

size_t systemd_sockets(const struct systemd_socket **ret)
{
	*ret = NULL;
	return 0;
}

void systemd_ready(const char *status)
{
	(void)status;
}

void systemd_reloading(void)
{
}

void systemd_stopping(uint64_t within, const char *status)
{
	(void)within;
	(void)status;
}

uint64_t systemd_alive_at(void)
{
	return UINT64_MAX;
}

void systemd_alive(const char *status)
{
	(void)status;
}
