/*
 * registry - the durable memory of unique-ids, behind one interface for several stores (SQLite
 * now).
 *
 * Per maildrop (tenant and login): the next number to give. Per message, named by its folder and
 * its key in the store: its number where the unique-id is not computed, its measured size, whether
 * it is hidden, since when it is missing. A number given once is never given again: the counter
 * moves in the same durable transaction that writes the entries, before anyone is shown them.
 * Entries of vanished messages go, their numbers stay spent.
 *
 * A store knows rows and transactions only. What is to be written, and why, is decided by the
 * caller's callbacks (remember.c), so that all stores behave alike.
 *
 * Owned by the worker, opened after the fork. Suspends: load, change.
 * Errors: ERR_TEMP (locked, full, unreachable) or ERR_PERM (no permission, corrupt, newer schema);
 * ERR_TIMEOUT and ERR_CANCELED while waiting for a turn. After an error nothing was written.
 */
#ifndef POPGATE_MAILDROP_REGISTRY_H
#define POPGATE_MAILDROP_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"

struct registry;

/* Opens what config->state names; creates or upgrades the schema. STATE_NONE: ok and NULL. Blocks;
 * called before the worker serves, and by `serve` once before the fork to report problems early
 * (then closed again). */
struct err registry_open(const struct config *config, struct registry **ret);
void registry_close(struct registry *registry); /* NULL-safe; no call may be under way */

/* A maildrop and those of its folders that a call concerns. Strings are borrowed. */
struct registry_maildrop {
	const char *tenant, *login;
	const char *const *folders;
	size_t n_folders;
};

#define REGISTRY_NO_SIZE    UINT64_MAX
#define REGISTRY_NUMBER_MAX ((uint64_t)INT64_MAX)
#define REGISTRY_SIZE_MAX   ((uint64_t)INT64_MAX)

/* One message as the registry remembers it. */
struct registry_entry {
	size_t folder;             /* index into registry_maildrop.folders */
	uint32_t uidvalidity, uid; /* IMAP; else 0 */
	const char *key;           /* Maildir base name; IMAP: "" */
	uint64_t number;           /* given by the registry; 0: none, the unique-id is computed */
	uint64_t size;             /* octets that a RETR measured, or REGISTRY_NO_SIZE */
	int64_t arrival;           /* seconds since 1970; 0 unknown */
	int64_t missing; /* since when (seconds since 1970) listings lack it; 0: they do not */
	bool hidden;     /* deleted for POP3, still in the store */
};

/* Is given every entry of the maildrop's folders, in ascending order of (folder, uidvalidity, uid,
 * octets of key), before that once NULL: a pass begins. The entry is borrowed for the call. */
typedef void registry_visit(const struct registry_entry *entry, void *arg);

/* What a plan writes with. keep: adds the entry or merges it into the one that is there: a number,
 * a size or an arrival given is taken over where none was (a size also where one was), hidden stays
 * once set, missing is replaced. drop: removes the entry; if its missing is not 0, only while the
 * stored one is the same (nobody has seen the message again). */
struct registry_writer {
	uint64_t next; /* the next number to give; a plan takes it by next++ */
	struct err (*keep)(struct registry_writer *writer, const struct registry_entry *entry);
	struct err (*drop)(struct registry_writer *writer, const struct registry_entry *entry);
};

/* Writes the changes. Whatever it returns but ok undoes the transaction. */
typedef struct err registry_plan(struct registry_writer *writer, void *arg);

/* Both callbacks may run on a thread of the pool (so: no fiber call, no log), and once more from
 * the start where a store has to repeat its transaction. */

/* Reads what is known. Writes nothing. */
fiber_fn struct err registry_load(struct registry *registry,
	const struct registry_maildrop *maildrop, registry_visit *visit, void *arg);
/* In one transaction that no other writer overlaps: visits the entries as they are then (visit
 * NULL: does not), runs the plan, stores entries and counter. ok: all of it is on disk. */
fiber_fn struct err registry_change(struct registry *registry,
	const struct registry_maildrop *maildrop, registry_visit *visit, registry_plan *plan,
	void *arg);

/* One kind of store. All operations are required; they are what the functions above call. */
struct registry_ops {
	const char *name; /* "sqlite" */
	fiber_fn struct err (*load)(struct registry *registry,
		const struct registry_maildrop *maildrop, registry_visit *visit, void *arg);
	fiber_fn struct err (*change)(struct registry *registry,
		const struct registry_maildrop *maildrop, registry_visit *visit,
		registry_plan *plan, void *arg);
	void (*close)(struct registry *registry);
};

struct registry {
	const struct registry_ops *ops; /* first member of each store's own struct */
};

/* The embedded store: a file, created with mode 0600, its folder must exist. busy_timeout: how long
 * (ms) a call waits for other processes that write. */
struct err registry_sqlite_open(const char *path, int busy_timeout, struct registry **ret);

#endif
