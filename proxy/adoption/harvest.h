/*
 * harvest - the unique-ids of many users, from an old POP3 server into a file.
 *
 * Several at a time, each by a fiber. Who fails is reported, and the others go on, until too many
 * in a row fail for a reason that is the server's: then it stops, to be run again later.
 */
#ifndef POPGATE_ADOPTION_HARVEST_H
#define POPGATE_ADOPTION_HARVEST_H

#include "proxy/adoption/harvest_file.h"

struct harvest {
	/* What to do. */
	const struct pop3_server *server;
	struct harvest_users *users; /* those that are done are passed over */
	struct harvest_file *file;
	unsigned jobs; /* how many at a time */
	/* After each user; e: ok, or why it failed. n: messages written. */
	void (*report)(struct harvest *harvest, const struct harvest_user *user, struct err e,
		const struct pop3_maildrop *maildrop, size_t n);
	/* How it stands. */
	size_t next, running;
	size_t n_read, n_failed, n_before; /* users; read before */
	size_t n_messages;                 /* of those that are read, or in reading */
	unsigned failures_in_a_row;
	struct err stop; /* why it stopped before the end; ok: it did not */
};

/* Starts the fibers; they are done when the loop has nothing left to do. */
void harvest_start(struct harvest *harvest);

#endif
