/*
 * world - a Maildir in a temporary folder, and the backend on it, for tests.
 *
 * Every call of the backend runs in a fiber of its own, so that tests are straight-line code on the
 * main stack and may assert there.
 */
#ifndef POPGATE_TESTS_MAILDIR_WORLD_H
#define POPGATE_TESTS_MAILDIR_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backends/backend.h"

struct world {
	char *dir;     /* removed at the end */
	char *maildir; /* dir/example.org/joe/Maildir */
	struct tenant tenant;
	struct account account;
	struct arena *arena;
	struct backend *backend;
	struct backend_list_request request;
	struct backend_listing listing;
};

/* For cmocka's group setup and teardown: the loop. */
int loop_setup(void **state);
int loop_teardown(void **state);

/* For cmocka's setup and teardown of a test: *state is a new world with an empty Maildir. */
int world_setup(void **state);
int world_teardown(void **state);

/* Paths below are relative to the Maildir. Parents must exist. */
void make_maildir(const struct world *w, const char *path);
void put_octets(const struct world *w, const char *path, const void *data, size_t n);
void put(const struct world *w, const char *path, const char *text);
void set_mtime(const struct world *w, const char *path, int64_t seconds);
void move(const struct world *w, const char *from, const char *to);
void drop(const struct world *w, const char *path);
bool exists(const struct world *w, const char *path);
/* The path in full, in the world's arena. */
const char *full(const struct world *w, const char *path);
/* The content, in the world's arena. */
const char *content(const struct world *w, const char *path);
/* How many names a directory holds, "." and ".." left out. */
size_t count_names(const struct world *w, const char *path);

/* The backend's operations. list asserts that both go well. */
struct err world_open(struct world *w);
struct err world_list(struct world *w);
void list(struct world *w);
/* The index of a key in the listing; fails the test when it is not there. */
size_t index_of(const struct world *w, const char *key);
const struct backend_message *message_of(const struct world *w, const char *key);

struct collector {
	struct sink sink;
	struct buffer data;
	size_t limit;                                 /* full from so many octets on; 0: never */
	void (*on_first)(struct world *w, void *arg); /* called at the first write */
	void *arg;
	struct world *world;
	struct err e; /* returned by write */
};
struct collector collector(struct world *w);
struct err fetch(struct world *w, const char *key, enum fetch_part part, struct collector *out);
/* FETCH_TOP of a message of the listing. */
struct err fetch_top(struct world *w, size_t index, uint64_t lines, struct collector *out);
/* Fetches all and compares. */
void assert_fetches(struct world *w, const char *key, const char *text);

struct err update(struct world *w, const struct backend_update *what, enum removal_result *results);
/* Removes one message and asserts that it went well. */
void remove_one(struct world *w, const char *key, enum on_delete how);
/* Marks one message seen. */
void mark_seen(struct world *w, const char *key);

struct err legacy(struct world *w, const struct backend_message *messages, size_t n,
	struct backend_legacy *ret);

/* Asserts the scope and a part of the detail. */
void assert_error(struct err e, enum err_scope scope, const char *detail);

#endif
