/*
 * share - fair access to the thread pool for what may wait long in it, as files of a tenant do
 * whose file server hangs.
 *
 * Each tenant has a share. The more places its jobs hold, the fewer of those left it may take: one
 * alone gets nearly half of them, and several that hang leave some to all others for a while. Who
 * waits is served in turn, share by share, so that many jobs of one do not go before one of
 * another. What waits for no server (the registry, hashes) needs no share; a quarter of the pool is
 * left to it.
 */
#ifndef POPGATE_RUNTIME_SHARE_H
#define POPGATE_RUNTIME_SHARE_H

#include "proxy/runtime/fiber.h"

struct share;

/* It must outlive its jobs. */
struct share *share_new(void);
void share_free(struct share *share); /* NULL-safe; nothing runs or waits in it */

/* As offload (wait.h), after a wait for a place of the share: that neither deadline nor cancel ends
 * it holds for the wait, too. */
fiber_fn void share_offload(struct share *share, void (*job)(void *arg), void *arg);

#endif
