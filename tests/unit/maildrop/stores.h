/*
 * stores - the stores of the registry under test, and calls to them.
 *
 * What suspends runs in a fiber of its own and is waited for, so that assertions stay on the main
 * stack.
 */
#ifndef POPGATE_TEST_MAILDROP_STORES_H
#define POPGATE_TEST_MAILDROP_STORES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "proxy/maildrop/registry.h"

/* Where a test's database is. */
struct place {
	char folder[64];   /* a temporary one, of this test alone */
	char address[256]; /* the database, as the store's open has it */
};

/* One kind of store. */
struct test_store {
	const char *name;
	/* Once per program, before the first make; false: this machine cannot run it. */
	bool (*start)(void);
	void (*stop)(void);
	/* A new, empty database in place->folder, which exists. */
	void (*make)(struct place *place);
	void (*remove)(const struct place *place);
	/* patience: how long (ms) a call waits for others. */
	struct err (*open)(const struct place *place, int patience, struct registry **ret);
	/* Runs SQL behind the registry's back; the first column of the first row, or 0. */
	int64_t (*sql)(const struct place *place, const char *text);
	const char *count_maildrops, *count_folders; /* for it */
};

extern const struct test_store sqlite_store;
extern const struct test_store postgresql_store; /* postgresql.c */

/* The store that tests run on, and what place_set_up has opened. */
extern const struct test_store *store;
extern struct place place;
extern struct registry *registry;

/* cmocka setup and teardown: an empty database, and a registry on it. */
int place_set_up(void **state);
int place_tear_down(void **state);
/* A new temporary folder and a database in it, not opened. */
void place_make(void);
void place_remove(void);
void reopen(void);
struct registry *open_another(void);

/* Runs job(arg) in a fiber until it is over. The loop must be set up. */
void in_fiber(void (*job)(void *arg), void *arg);

/* A process beside this one. The parent of such must have no loop and no registry open. */
struct child {
	pid_t pid;
	int out; /* what it reports */
};
/* Runs job(out, arg) in a new process with a loop of its own, and a registry on the place's
 * database in `registry`; then it ends with 0. fault: POPGATE_FAULT, or NULL. */
void child_start(
	struct child *child, void (*job)(int out, unsigned arg), unsigned arg, const char *fault);
/* The next report of that size; false: there is none any more. */
bool child_report(struct child *child, void *report, size_t size);
/* Waits for its end; the signal that ended it, or 0. It must not have failed. */
int child_end(struct child *child);
/* cmocka setup and teardown for parents: an empty database. */
int processes_set_up(void **state);
int processes_tear_down(void **state);
#define processes_test(f) cmocka_unit_test_setup_teardown(f, processes_set_up, processes_tear_down)

/* The maildrop that most tests use: user of tenant, folders INBOX and Junk. */
extern const struct registry_maildrop user;

struct err load_record(struct registry *at, const struct registry_maildrop *maildrop,
	struct arena *arena, struct registry_record *ret);
struct err change_record(struct registry *at, const struct registry_maildrop *maildrop,
	const struct registry_change *change, uint64_t *ret_revision);
uint64_t revision_of(struct registry *at, const struct registry_maildrop *maildrop);

/* Carries out a change from the revision that is there; what it leaves at 0 (next, flags, seen)
 * stays as it is. The new revision. */
uint64_t write_record(struct registry_change change);
uint64_t keep(struct registry_entry entry);
uint64_t drop(struct registry_entry entry);

struct registry_entry maildir_entry(const char *key, const char *unique_id);
struct registry_entry imap_entry(uint32_t uidvalidity, uint32_t uid);

/* A line per entry, with all that it has; in arena. */
const char *record_as_text(const struct registry_record *record, struct arena *arena);
void assert_entries(
	struct registry *at, const struct registry_maildrop *maildrop, const char *expected);

/* What registry_clock says instead of the time; 0: the time. Needs -Wl,--wrap=registry_clock. */
extern uint64_t fake_clock;
uint64_t __real_registry_clock(void);
uint64_t __wrap_registry_clock(void);

/* Functions and not only macros: a struct err per assertion would swell the frames. */
void check_ok(struct err e, const char *file, int line);
void check_error(
	struct err e, enum err_scope expected, const char *text, const char *file, int line);
#define assert_ok(expression) check_ok((expression), __FILE__, __LINE__)
/* Fails with that scope, and the detail holds the text. */
#define assert_error(expression, expected, text)                                                   \
	check_error((expression), (expected), (text), __FILE__, __LINE__)

#define store_test(f) cmocka_unit_test_setup_teardown(f, place_set_up, place_tear_down)

/* Runs the tests on each of the stores that this machine can run; the number that failed. */
int run_on_stores(const char *name, const struct CMUnitTest *tests, size_t n,
	const struct test_store *const *stores, size_t n_stores);

#endif
