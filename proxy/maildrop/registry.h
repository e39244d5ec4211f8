/*
 * registry - the durable memory of unique-ids, behind one interface for several stores (SQLite,
 * PostgreSQL).
 *
 * Per maildrop (tenant and login) it keeps a record: a revision, a counter of numbers, flags; per
 * folder the mark of the last listing (see backend_folder); and an entry for every message that the
 * listing showed, for those that listings lack of late, and for what was adopted from another
 * server.
 *
 * Who changes a record does so from a revision that he has read. The change is carried out in one
 * transaction if the record is still at that revision; else nothing is written, and he reads again.
 * So nobody needs a lock between reading and writing, and a store knows rows and transactions only:
 * what is to be written, and why, is decided by its callers.
 *
 * Revisions and numbers are never used twice, not even where the database was set back to an older
 * copy or a standby that lacked the last writes took over: both are at least the present time in
 * microseconds (registry_clock). Whoever counts slower than a million a second stays ahead of all
 * that was given before.
 *
 * Owned by the worker, opened after the fork. Suspends: all but open and close.
 * Errors: ERR_TEMP (locked, full, unreachable) or ERR_PERM (no permission, corrupt, newer schema);
 * ERR_TIMEOUT and ERR_CANCELED while waiting for a turn. After an error nothing was written, save
 * when the connection to a database server broke, or was given up, at the moment of the commit: the
 * revision tells whoever reads again.
 */
#ifndef POPGATE_MAILDROP_REGISTRY_H
#define POPGATE_MAILDROP_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "config/config.h"
#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/mem.h"

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

/* How the key of an entry begins that was adopted and has met no message yet, which no file's name
 * can; what follows makes it a name of its own. */
#define ADOPTED_KEY "/"

#define REGISTRY_NO_SIZE    UINT64_MAX
#define REGISTRY_NUMBER_MAX ((uint64_t)INT64_MAX)
#define REGISTRY_SIZE_MAX   ((uint64_t)INT64_MAX)

/* One message as the registry remembers it. Named by folder, uidvalidity, uid and key. Strings are
 * never NULL in what the registry gives. */
struct registry_entry {
	const char *key; /* Maildir: base name; adopted and not met: ADOPTED_KEY…; IMAP: "" */
	const char *unique_id; /* as shown to clients; "": computed from uidvalidity and uid */
	const char *emailid;   /* as in backend_message; "": unknown */
	uint64_t fingerprint;  /* as in backend_message; 0: unknown */
	uint64_t size;         /* as the store said when it was listed, or REGISTRY_NO_SIZE */
	uint64_t measured; /* octets that a RETR sent where size is not that, or REGISTRY_NO_SIZE */
	int64_t arrival;   /* seconds since 1970; 0 unknown */
	int64_t missing;   /* since when (seconds since 1970) listings lack it; 0: they do not */
	uint32_t uidvalidity, uid; /* IMAP; else 0 */
	uint16_t folder;           /* index into the folders of the call or record */
	bool exact;                /* size is what RETR sends */
	bool hidden;               /* deleted for POP3, still in the store */
};

static inline bool entry_adopted(const struct registry_entry *entry)
{
	return strncmp(entry->key, ADOPTED_KEY, strlen(ADOPTED_KEY)) == 0;
}

enum registry_flag {
	/* New messages of IMAP get numbers: a computed unique-id might have been shown before. */
	REGISTRY_NUMBERS = 1 << 0,
	/* An operator has accepted that the next login changes many unique-ids. */
	REGISTRY_ACCEPTED = 1 << 1,
};

struct registry_folder {
	const char *name;
	const char *mark; /* of the listing that the entries are of; "": of none */
};

/* What is known of a maildrop. */
struct registry_record {
	uint64_t revision; /* 0: nothing */
	uint64_t next;     /* no number from here on was given by the time of this revision */
	unsigned flags;
	int64_t seen; /* last login that was noted, seconds since 1970; 0 none */
	struct registry_folder *folders;
	size_t n_folders;
	struct registry_entry *entries; /* ascending by folder, uidvalidity, uid, octets of key */
	size_t n_entries;
};

/* What is to become of it. */
struct registry_change {
	uint64_t
		revision; /* that of the record which the change was made from; 0: there was none */
	uint64_t next;    /* the counter is raised to it, never lowered */
	unsigned flags;   /* all of them, as they are to be */
	int64_t seen;
	const char *const *marks; /* of each folder of the call; NULL for one that stays as it is */
	const struct registry_entry
		*drop; /* first these go: by their names; one not there is no error */
	size_t n_drop;
	const struct registry_entry *keep; /* then these are written, whole, over what is there */
	size_t n_keep;
};

/* The present time in microseconds since 1970: where revisions and numbers start from. */
uint64_t registry_clock(void);

/* For who has lost so many changes of one record to others, before he reads it again: who loses
 * often waits a moment of some chance, so that those who meet do not go on to meet. ERR_TEMP when
 * that makes no sense any more: there is a storm of logins to this maildrop. */
fiber_fn struct err registry_step_back(unsigned losses);

/* Only the revision; 0: the maildrop is unknown. Cheap: one row, or where the store can tell that
 * nobody wrote since it was read last, not even that: then it does not suspend. */
fiber_fn struct err registry_revision(
	struct registry *registry, const struct registry_maildrop *maildrop, uint64_t *ret);

/* The record, of one moment, in arena, which nobody else may use meanwhile. folders of the maildrop
 * NULL: all that the registry knows, by name; else exactly those, unknown ones with no mark and no
 * entries. */
fiber_fn struct err registry_load(struct registry *registry,
	const struct registry_maildrop *maildrop, struct arena *arena, struct registry_record *ret);

/* Carries out the change. ok and *ret_revision the new one: all of it is on disk. ok and 0:
 * somebody else wrote since; nothing was written. */
fiber_fn struct err registry_change(struct registry *registry,
	const struct registry_maildrop *maildrop, const struct registry_change *change,
	uint64_t *ret_revision);

/* The maildrop that follows (tenant, login) in the order of those; both NULL: the first. ret's
 * tenant is NULL behind the last. For going through all of them; folders are left NULL. */
fiber_fn struct err registry_next(struct registry *registry, const char *tenant, const char *login,
	struct arena *arena, struct registry_maildrop *ret);

/* Forgets maildrops whose last noted login and last change (its revision is a time) were both
 * before the time given and all of whose unique-ids can be computed anew: no entry with a unique-id
 * of its own, hidden, or measured, no flag. At most max of them in one transaction; *ret_n is how
 * many. */
fiber_fn struct err registry_expire(
	struct registry *registry, int64_t seen_before, size_t max, size_t *ret_n);

/* Verifies the database: the store's own check, then every maildrop's rows (no unique-id twice in
 * one, all of legal form, numbers below the counter, marks without rows). Each trouble is reported
 * as one line; ok also when there were some. *ret_maildrops counts on while it runs. */
typedef void registry_report(const char *text, void *arg);
fiber_fn struct err registry_check(
	struct registry *registry, registry_report *report, void *arg, size_t *ret_maildrops);

/* One kind of store. All operations but recall are required; they are what the functions above
 * call. */
struct registry_ops {
	const char *name; /* "sqlite", "postgresql" */
	/* The revision without a look into the store; false: it takes one, as always where this is
	 * NULL. Does not suspend. */
	bool (*recall)(
		struct registry *registry, const struct registry_maildrop *maildrop, uint64_t *ret);
	fiber_fn struct err (*revision)(
		struct registry *registry, const struct registry_maildrop *maildrop, uint64_t *ret);
	fiber_fn struct err (*load)(struct registry *registry,
		const struct registry_maildrop *maildrop, struct arena *arena,
		struct registry_record *ret);
	fiber_fn struct err (*change)(struct registry *registry,
		const struct registry_maildrop *maildrop, const struct registry_change *change,
		uint64_t *ret_revision);
	fiber_fn struct err (*next)(struct registry *registry, const char *tenant,
		const char *login, struct arena *arena, struct registry_maildrop *ret);
	fiber_fn struct err (*expire)(
		struct registry *registry, int64_t seen_before, size_t max, size_t *ret_n);
	/* The store's own check of its files; a server's is its administrator's affair. */
	fiber_fn struct err (*check)(struct registry *registry, registry_report *report, void *arg);
	void (*close)(struct registry *registry);
};

struct registry {
	const struct registry_ops *ops; /* first member of each store's own struct */
};

/* The embedded store: a file, created with mode 0600, its folder must exist. busy_timeout: how long
 * (ms) a call waits for other processes that write. */
struct err registry_sqlite_open(const char *path, int busy_timeout, struct registry **ret);

/* PostgreSQL and what speaks its protocol: conninfo is a postgresql:// URI. command_timeout: how
 * long (ms) a call waits for a connection, and then for each sign of life of the server. Open
 * succeeds only when the server answers. */
struct err registry_postgresql_open(
	const char *conninfo, uint64_t command_timeout, struct registry **ret);

#endif
