/*
 * mailbox - a Maildir of numbered messages, how they are asked for, and what that costs: for the
 * tests of reading ahead.
 */
#ifndef POPGATE_TESTS_MAILDIR_MAILBOX_H
#define POPGATE_TESTS_MAILDIR_MAILBOX_H

#include <limits.h>

#include "backends/maildir/read_ahead.h"
#include "world.h"

/* Jobs in the thread pool so far. */
extern unsigned visits;
/* Directories read to the end so far, and reads of files. */
extern unsigned reads, file_reads;
/* No read gives more octets than that; 0: as many as there are. */
extern size_t read_max;
/* Octets that can be read without a wait, until a visit to the pool has to bring more. */
extern size_t in_memory;
/* So much later each look at uv_hrtime is than it was before; nanoseconds. */
extern uint64_t hrtime_step;

/* The message with index i in a listing of nothing but these. In cur/ with a flag that no search
 * tries by itself. */
const char *key_of(const struct world *w, size_t i);
const char *path_of(const struct world *w, size_t i);

/* Delivers message i: headers, and so many octets in all, none of which is another message's at the
 * same place. */
void put_numbered(const struct world *w, size_t i, size_t octets);
/* Delivers and lists n messages of that size. */
void fill(struct world *w, size_t n, size_t octets);

/* What was kept of messages, and not yet asked for. */
size_t n_kept(const struct world *w);
uint64_t octets_kept(const struct world *w);

/* Where it does not matter how many. */
#define ANY_VISITS UINT_MAX

/* Asks for message i and asserts that it comes as it is in the file now, and how many visits that
 * took. retr: all of it; top: at least its headers and those lines. */
void assert_retr(struct world *w, size_t i, unsigned expected_visits);
void assert_top(struct world *w, size_t i, uint64_t lines, unsigned expected_visits);
/* Asserts that it fails. */
void assert_no_retr(struct world *w, size_t i, enum err_scope scope);

/* For cmocka's setup. */
int mailbox_setup(void **state);

#endif
