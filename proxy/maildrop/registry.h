/*
 * registry - the durable memory of unique-ids, behind one interface for several stores (SQLite
 * now).
 *
 * Per maildrop (named by tenant, login and folder): the next number, and per message its backend
 * key, its unique-id where that is not computed, its measured size, whether it is hidden. A number
 * given once is never given again: the counter moves in the same durable transaction that writes
 * the ids, before anyone is shown them. Entries of vanished messages go, their numbers stay spent.
 * Owned by the worker, opened after the fork; calls run in the thread pool and suspend.
 * Errors: ERR_TEMP (locked, full, unreachable) or ERR_PERM (no permission, corrupt, newer schema).
 */
#ifndef POPGATE_MAILDROP_REGISTRY_H
#define POPGATE_MAILDROP_REGISTRY_H

#include "config/config.h"
#include "proxy/runtime/fiber.h"

struct registry;

/* Opens what config->state names; creates or upgrades the schema. STATE_NONE: ok and NULL. Blocks;
 * called before the worker serves, and by `serve` once before the fork to report problems early
 * (then closed again). */
struct err registry_open(const struct config *config, struct registry **ret);
void registry_close(struct registry *registry); /* NULL-safe */

#endif
