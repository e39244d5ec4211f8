/*
 * overview - the gateway as the admin interface shows it, gathered from what the master holds.
 */
#ifndef POPGATE_OVERVIEW_H
#define POPGATE_OVERVIEW_H

#include "proxy/admin/admin.h"
#include "proxy/crew.h"
#include "proxy/generation.h"

/* Fills in what generation and crew tell; in arena. */
void overview(const struct generation *generation, const struct crew *crew, struct arena *arena,
	struct admin_gateway *ret);

#endif
