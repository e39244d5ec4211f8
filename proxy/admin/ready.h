/*
 * ready - whether the gateway should be sent clients: /readyz.
 */
#ifndef POPGATE_ADMIN_READY_H
#define POPGATE_ADMIN_READY_H

#include "proxy/admin/admin.h"

/* Why not, in a few words for people; NULL: it is ready. */
const char *ready_obstacle(const struct admin_gateway *gateway);
/* "ready", or "not ready: …", with a newline; whether it is. */
bool ready_write(struct buffer *out, const struct admin_gateway *gateway);

#endif
