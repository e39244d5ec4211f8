/*
 * registry_health - whether the registry can be reached, as the workers find it: in memory shared
 * with the master, which has no registry of its own.
 */
#ifndef POPGATE_MAILDROP_REGISTRY_HEALTH_H
#define POPGATE_MAILDROP_REGISTRY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/maildrop/registry.h"

/* In the master, before the fork. Without it nothing is noted. */
void registry_health_map(void);
/* What a call to the registry came to. Only ERR_TEMP and ERR_PERM speak against it. */
void registry_health_note(struct err e);
/* Reads a maildrop that nobody has, so that trouble and its end are noticed without a session. */
fiber_fn void registry_health_probe(struct registry *registry);

/* Whether the latest call succeeded; true before the first. */
bool registry_healthy(void);
/* Calls that failed, since the start. */
uint64_t registry_failures(void);

#endif
