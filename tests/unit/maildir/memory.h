/*
 * memory - what somebody remembers of a listing, and the time and place in which it is made.
 *
 * readdir, fstat, fstatfs and the clock are wrapped at link time: to see whether a folder is read,
 * to have a clock that ticks as slowly as any kernel's, to be on a file server, and to let time
 * pass.
 */
#ifndef POPGATE_TESTS_MAILDIR_MEMORY_H
#define POPGATE_TESTS_MAILDIR_MEMORY_H

#include <time.h>

#include "world.h"

/* By which directories are stamped, as the backend sees them. */
#define TICK_MS 10

extern unsigned reads;   /* directories read to their end */
extern int64_t later_ms; /* how much later it is for the backend than it is */
extern bool on_server;   /* the Maildir lies on a file server */

/* Nothing in it is the listing's. */
struct memory {
	struct backend_message *messages;
	struct backend_known known[4];
};

/* For cmocka's setup of a test: a new world, at this moment, on this machine. */
int memory_setup(void **state);

void add_ms(struct timespec *t, int64_t ms);

/* Of the last listing. */
struct memory remembered(const struct world *w);
/* Puts folder 0's messages into the opposite order. */
void reverse(struct memory *memory);

/* Lists, built on what is remembered, counting reads from 0; from scratch. */
void list_on(struct world *w, const struct memory *memory);
void list_anew(struct world *w);

/* Lets time pass, so that what changed last is past. */
void rest(const struct world *w);

/* That the last listing is this one. */
void assert_same(const struct world *w, const struct backend_listing *expected);

#endif
