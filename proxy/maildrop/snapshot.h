/*
 * snapshot - a maildrop's messages at one moment, and what the registry knows of it at one
 * revision: immutable, counted, shared by all sessions of a worker that find nothing changed.
 *
 * Messages are named by their index in the store's listing; a message number is a place in the
 * view, which maps it to an index. All lies in an arena of the snapshot's own.
 * For the files of this folder.
 */
#ifndef POPGATE_MAILDROP_SNAPSHOT_H
#define POPGATE_MAILDROP_SNAPSHOT_H

#include "proxy/maildrop/folders.h"
#include "proxy/maildrop/maildrop.h"
#include "proxy/maildrop/unique_id.h"

struct snapshot_folder {
	const char *mark; /* as the registry has it (mark.h) */
	size_t first, n;  /* its messages */
	bool absent;      /* in the listing */

	/* Found out when it is first asked for; the snapshot stays what it is. */
	bool judged;
	bool known;     /* the mark tells of the messages, */
	size_t n_known; /* of so many of them; */
	bool stands;    /* to the backend (backend_known) */
};

/* Numbers (by index or place) to messages. */
struct view {
	uint32_t *indices;
	size_t n;
	uint64_t octets;
};

struct snapshot {
	struct arena *arena;
	int references;
	size_t size; /* octets of memory, about */

	uint64_t revision; /* of the record that this is of; 0: none */
	uint64_t next;
	unsigned flags;
	int64_t seen;
	bool complete; /* holds all that the registry has at that revision, and nothing else */

	struct snapshot_folder *folders; /* by the store's index */
	size_t n_folders;
	struct backend_message *messages; /* in the order of the listing */
	size_t n;
	const char **ids;   /* NULL, or NULL for one message: computed */
	uint64_t *measured; /* as in registry_entry; NULL: none */
	uint64_t *hidden;   /* bits */
	uint64_t *surplus;  /* bits: listed twice, or of a repeated folder; no part of the record */
	struct registry_entry *apart; /* entries of no message here: missing, adopted, notices … */
	size_t n_apart;
	struct view view; /* whatever the age of messages */

	struct buffer lines[MAILDROP_LINES]; /* what was kept of it (maildrop_keep_lines) */
};

/* Nothing in it; one reference. */
struct snapshot *snapshot_new(size_t n_folders);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot); /* NULL-safe */
DEFINE_CLEANUP(snapshot, snapshot_unref)

/* What a record says that the last listing was. Its strings are copied. */
struct err snapshot_of_record(const struct account *account, const struct folders *folders,
	const struct registry_record *record, struct snapshot **ret);
/* The record of a complete snapshot, in scratch; borrows strings of the snapshot. */
struct registry_record snapshot_record(
	const struct snapshot *snapshot, const struct folders *folders, struct arena *scratch);
/* A listing that nobody remembers (state: none). */
struct err snapshot_of_listing(const struct account *account, const struct folders *folders,
	const struct backend_listing *listing, struct snapshot **ret);

/* Strings of a snapshot lie side by side, unaligned. */
struct text_pool {
	char *at, *end;
};
struct text_pool text_pool_new(struct arena *arena, size_t octets);
const char *text_pool_add(struct text_pool *pool, const char *text);

/* Copies messages with their strings into the snapshot's arena; everything of the snapshot that
 * goes by index is made and empty. */
void snapshot_take_messages(
	struct snapshot *snapshot, const struct backend_message *messages, size_t n);

/* What the registry knows of each of the messages taken: ids, hidden, measured sizes. */
void snapshot_describe(struct snapshot *snapshot, const struct registry_entry *entries);
/* The entries of no message; copied. */
void snapshot_set_apart(struct snapshot *snapshot, const struct registry_entry *entries, size_t n);

/* The last step: view and size. ERR_TEMP when the sizes do not add up in 64 bits. */
struct err snapshot_finish(struct snapshot *snapshot, const struct account *account);

/* The entry of message `index`, whole; borrows strings. */
struct registry_entry snapshot_entry(
	const struct snapshot *snapshot, const struct folders *folders, size_t index);

/* The octets that LIST shows of it. */
uint64_t snapshot_size(
	const struct snapshot *snapshot, const struct maildrop_settings *settings, size_t index);

/* The text of its unique-id; ret is overwritten. */
void snapshot_unique_id(const struct snapshot *snapshot, const struct folders *folders,
	size_t index, struct unique_id *ret);
/* The same of an entry. */
void entry_unique_id(
	const struct registry_entry *entry, const struct folders *folders, struct unique_id *ret);

/* order.c */

int compare_numbers(uint64_t a, uint64_t b);
/* Names of entries: by folder, uidvalidity, uid, key. */
int compare_names(const struct registry_entry *a, const struct registry_entry *b);
/* The name alone of a listed message. */
struct registry_entry name_of_message(
	const struct backend_message *message, const struct folders *folders);

/* Indices in ascending order of names; of messages with the same name the others are noted as
 * surplus, as are those of repeated folders. In arena. */
uint32_t *order_by_name(const struct backend_message *messages, size_t n,
	const struct folders *folders, uint64_t *surplus, struct arena *arena);
/* Sorts indices as the client is to see the messages, oldest first: one IMAP folder goes by UID,
 * which is the order of arrival in it whatever INTERNALDATE says; else by arrival, ties by folder
 * and key. */
void order_by_age(const struct backend_message *messages, uint32_t *indices, size_t n,
	const struct account *account);

/* Whether newer_than keeps the message out at that time. */
bool view_too_old(const struct maildrop_settings *settings, const struct backend_message *message,
	int64_t now);
/* What is shown, by order and window of the settings; now 0: whatever its age. In arena. ERR_TEMP
 * when the sizes do not add up in 64 bits. */
struct err view_make(const struct snapshot *snapshot, const struct account *account, int64_t now,
	struct arena *arena, struct view *ret);

#endif
