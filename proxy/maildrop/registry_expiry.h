/*
 * registry_expiry - forgets idle maildrops (state_expire), once a day.
 *
 * Each worker does, at an hour of its own; who comes second finds nothing. Logs.
 */
#ifndef POPGATE_MAILDROP_REGISTRY_EXPIRY_H
#define POPGATE_MAILDROP_REGISTRY_EXPIRY_H

#include "proxy/maildrop/registry.h"

/* From now on, until stop, which must come before the registry is closed; it does not keep the
 * loop running. age in milliseconds; DURATION_NEVER or no registry: never. */
void registry_expiry_start(struct registry *registry, uint64_t age);
/* Also where nothing was started. A turn of the loop frees what start took. */
void registry_expiry_stop(void);

/* Does it once; *ret_n is how many maildrops went, also when it fails on the way. */
fiber_fn struct err registry_expiry_run(struct registry *registry, uint64_t age, size_t *ret_n);

#endif
