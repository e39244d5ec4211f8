/*
 * sizes - what a file name did not tell about a message: its size, its arrival.
 */
#ifndef POPGATE_MAILDIR_SIZES_H
#define POPGATE_MAILDIR_SIZES_H

#include "backends/maildir/maildir.h"

/* Fills in size and exact where not exact, and arrival where 0, of the messages at todo[0..n).
 * measure: reads what no name and no earlier reading tells; what cannot be read keeps its stored
 * size. A message that is gone, or is no plain file, gets a NULL key. */
fiber_fn struct err maildir_learn(struct maildir *maildir, struct backend_message *messages,
	const size_t *todo, size_t n, bool measure);

#endif
