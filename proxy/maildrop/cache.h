/*
 * cache - the last snapshot of each maildrop that a worker has served.
 *
 * A login whose maildrop is still at the snapshot's revision reads one row of the registry and
 * shares the rest; so many sessions of one maildrop cost little more memory than one. A worker
 * lives for one configuration: a tenant's address names it. Bounded; the least recently used go
 * first. One thread.
 */
#ifndef POPGATE_MAILDROP_CACHE_H
#define POPGATE_MAILDROP_CACHE_H

#include "proxy/maildrop/snapshot.h"

#define CACHE_OCTETS                                                                               \
	((size_t)64 << 20) /* of snapshots; what sessions hold besides does not count */

/* Borrowed; NULL: there is none. */
struct snapshot *cache_get(const struct account *account);
/* Takes a reference. Only complete snapshots. What was there is replaced. */
void cache_put(const struct account *account, struct snapshot *snapshot);
void cache_drop(const struct account *account);
/* To be called when the snapshot of the account has grown; it may go then. */
void cache_weigh(const struct account *account);
/* At the worker's end, and for tests. */
void cache_clear(void);

#endif
