/*
 * fixture - a mail store in memory with a scripted backend, registries in a temporary folder, and
 * sessions on them.
 *
 * What suspends runs in a fiber of its own and is waited for, so that assertions stay on the main
 * stack.
 */
#ifndef POPGATE_TEST_MAILDROP_FIXTURE_H
#define POPGATE_TEST_MAILDROP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/maildrop/maildrop.h"

/* The registry's clock, which numbers and revisions start from. 1 at first. */
extern uint64_t fake_clock;
uint64_t __wrap_registry_clock(void);

#define MAIL_FOLDERS 8

/* A folder as an IMAP server counts it. */
struct mail_folder {
	uint32_t uidvalidity, uidnext;
	uint32_t restorations; /* how often the server has lost what it knew of UIDs; it cannot tell
				* that by its counters, but that they are not the same any more */
	bool absent;
};

/* The mail of one user, shared by the sessions on it. */
struct mail {
	struct backend_message *messages; /* the store's truth */
	size_t n, room;
	struct mail_folder folders[MAIL_FOLDERS];
	struct arena *arena;
	struct backend_quota quota;
};

/* Appends; in the order of arrival and UID. */
void mail_add_imap(struct mail *mail, uint16_t folder, uint32_t uidvalidity, uint32_t uid);
void mail_add_maildir(struct mail *mail, uint16_t folder, const char *key, int64_t arrival);
/* The message at that place disappears. */
void mail_remove(struct mail *mail, size_t at);
void mail_done(struct mail *mail);

/* How the backend behaves and what it was asked. Zero: everything works. */
struct script {
	void (*pause)(void); /* called before it lists and after; NULL: nothing */
	bool hides_uidnext;  /* as servers do that tell none */
	bool no_fingerprints, no_emailids;
	bool no_marks;             /* every listing is from scratch */
	unsigned fetched_messages; /* messages of which a listing did not know already */
	unsigned unchanged;        /* folders that it found unchanged */
	struct err list_error, fetch_error, update_error;
	const enum removal_result *results; /* by position in remove; NULL: all are done */
	bool forgetful;                     /* claims removals without doing them */
	unsigned updates;                   /* calls */
	struct backend_update asked;        /* the last one, its arrays copied */
};

struct session {
	struct tenant tenant; /* settings may be changed before session_open */
	struct account account;
	struct script script;
	struct arena *arena;
	struct maildrop *drop;
	struct maildrop_opening opening;
	struct maildrop_outcome outcome;
	const char *fetched; /* what the last session_fetch pushed, in the arena */
	struct {
		struct backend backend;
		struct mail *mail;
		const struct backend_message *listed;
		size_t n_listed;
	} backend;
};

/* A session of user@example at a tenant with default settings. */
void session_init(struct session *session, enum store_kind store, struct mail *mail);
/* The same, beside others of the same tenant. */
void session_init_beside(struct session *session, enum store_kind store, struct mail *mail);
struct err session_open(struct session *session, struct registry *registry);
struct err session_fetch(struct session *session, size_t number, enum fetch_part part);
struct err session_update(struct session *session);
void session_done(struct session *session);
/* "id id id": the unique-ids of all numbers, in the session's arena. */
const char *session_ids(const struct session *session);

/* Runs job(arg) in a fiber until it is over. */
void in_fiber(void (*job)(void *arg), void *arg);

/* A new temporary folder; the path of a file in it. Removed with all its files by folder_remove. */
struct folder {
	char path[64];
	char database[96];
};
void folder_make(struct folder *folder);
void folder_remove(const struct folder *folder);

struct registry *registry_at(const struct folder *folder);
/* Runs SQL behind the registry's back; returns the first column of the first row, or 0. */
int64_t sql(const struct folder *folder, const char *text);
/* The sum of the sizes and the times of the database's files: moves with every write. */
uint64_t folder_fingerprint(const struct folder *folder);

/* Functions and not only macros: a struct err per assertion would swell the frames. */
void check_ok(struct err e, const char *file, int line);
void check_error(
	struct err e, enum err_scope expected, const char *text, const char *file, int line);
#define assert_ok(expression) check_ok((expression), __FILE__, __LINE__)
/* Fails with that scope, and the detail holds the text. */
#define assert_error(expression, expected, text)                                                   \
	check_error((expression), (expected), (text), __FILE__, __LINE__)

#endif
