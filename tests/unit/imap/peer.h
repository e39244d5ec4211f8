/*
 * peer - a scripted IMAP server: a fiber at the other end of a socket pair.
 *
 * A script is straight-line code: greet, expect a command, answer it. The first thing that is not
 * as expected is kept in `failure`, the connection is closed, and what follows does nothing.
 */
#ifndef POPGATE_TESTS_IMAP_PEER_H
#define POPGATE_TESTS_IMAP_PEER_H

#include "backends/imap/imap.h"
#include "proxy/runtime/line.h"
#include "proxy/runtime/secret.h"
#include "proxy/runtime/wait.h"

struct peer {
	struct stream *stream;
	struct line_reader *lines;
	char tag[16];       /* of the last command */
	char *command;      /* the last command without its tag */
	struct buffer wire; /* every command so far, without tags, a newline behind each */
	char *failure;
	struct world *world;
	void (*script)(struct peer *peer);
};

/* Notes what went wrong, unless something did before, and closes. */
__attribute__((format(printf, 2, 3))) void peer_fail(struct peer *peer, const char *format, ...);
/* Reads the next command; its tag is answered by peer_answer. */
fiber_fn void peer_command(struct peer *peer);
/* Reads the next command, which must be this, tag left out. */
fiber_fn void peer_expect(struct peer *peer, const char *command);
/* Reads a line that is no command: the rest of one. */
fiber_fn void peer_expect_line(struct peer *peer, const char *line);
__attribute__((format(printf, 2, 3))) fiber_fn void peer_send(
	struct peer *peer, const char *format, ...);
fiber_fn void peer_send_octets(struct peer *peer, const void *data, size_t n);
/* The last tag and text: "OK done". */
fiber_fn void peer_answer(struct peer *peer, const char *text);
/* Lets the client run until it waits: before clock_advance, which moves only deadlines in force. */
fiber_fn void peer_settle(struct peer *p);
/* The client must close now, having sent nothing more. */
fiber_fn void peer_expect_end(struct peer *peer);
/* Reads to the end, whatever comes. */
fiber_fn void peer_drain(struct peer *peer);
fiber_fn void peer_close(struct peer *peer);

/* The usual beginning: greeting with capabilities (UIDPLUS and MOVE after login), login of
 * user/secret, SELECT of INBOX with UIDVALIDITY 7. */
fiber_fn void peer_greet(struct peer *peer);
fiber_fn void peer_login(struct peer *peer, const char *capabilities);
fiber_fn void peer_select(struct peer *peer, unsigned exists);
fiber_fn void peer_begin(struct peer *peer, unsigned exists);
/* LOGOUT, and the end. */
fiber_fn void peer_end(struct peer *peer);
/* The answer to the listing of messages with UIDs 1 to n, of 100 octets each. */
fiber_fn void peer_list(struct peer *peer, unsigned n);

#define LIST_COMMAND "UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS)"

#define WORLD_PEERS 300

/* A gateway's side: an account of its own for each test. */
struct world {
	struct peer peer;
	/* What the server does on the connections that are made after the first; those beyond fail.
	 */
	void (*later[WORLD_PEERS])(struct peer *peer);
	struct peer later_peers[WORLD_PEERS];
	size_t connects;
	struct tenant tenant;
	struct account account;
	struct secret *password;
	const struct account *actor; /* whose it is; NULL: the account's */
	struct arena *arena;
	int fd; /* the client's end of the first connection */
	struct fiber *client;
	void (*act)(struct world *world);
	/* What came of it. */
	struct backend *backend;
	struct backend_list_request request;
	struct backend_listing listing;
	struct err e;
};

/* cmocka's setup and teardown, also for the group. */
int world_new(void **state);
int world_free(void **state);
int runtime_setup(void **state);
int runtime_teardown(void **state);

/* Runs both sides to their end and asserts that the script went as written and nothing is left. */
void world_run(struct world *w, void (*server)(struct peer *), void (*act)(struct world *));

/* Steps for `act`; each does nothing after an error. */
fiber_fn void world_open(struct world *w);
fiber_fn void world_list(struct world *w);
fiber_fn void world_close(struct world *w);
/* Whole acts. */
fiber_fn void act_open(struct world *w);
fiber_fn void act_list(struct world *w);

/* Asserts that the world's error is of this scope and its detail holds the text. */
void assert_error(const struct world *w, enum err_scope scope, const char *text);
void assert_wire(struct world *w, const char *commands);

/* A sink that keeps what it gets. */
struct collector {
	struct sink sink; /* first */
	struct buffer got;
	size_t fail_at;                                /* fails once it got so much; 0: never */
	size_t full_at;                                /* is full then; 0: never */
	void (*on_write)(struct collector *collector); /* NULL: nothing */
	void *arg;
};
void collector_init(struct collector *c);
void assert_got(struct collector *c, const char *text, size_t n); /* and frees it */

#endif
