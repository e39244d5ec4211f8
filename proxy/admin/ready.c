#include "proxy/admin/ready.h"

#include "proxy/maildrop/registry_health.h"

const char *ready_obstacle(const struct admin_gateway *gateway)
{
	if (gateway->draining)
		return "draining";
	if (gateway->serving == 0)
		return "no worker serves";
	if (gateway->config->state_kind != STATE_NONE && !registry_healthy())
		return "the registry cannot be reached";
	return NULL;
}

bool ready_write(struct buffer *out, const struct admin_gateway *gateway)
{
	const char *obstacle = ready_obstacle(gateway);

	if (obstacle)
		buffer_printf(out, "not ready: %s\n", obstacle);
	else
		buffer_printf(out, "ready\n");
	return !obstacle;
}
