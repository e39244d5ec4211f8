/*
 * sizes - what a file name did not tell about a message: its size, its arrival, whose it is.
 */
#ifndef POPGATE_MAILDIR_SIZES_H
#define POPGATE_MAILDIR_SIZES_H

#include "backends/maildir/maildir.h"

/* One message of which something is to be learned. */
struct maildir_wanted {
	size_t index;
	bool look;     /* size and exact where not exact, arrival where 0 */
	bool identify; /* its fingerprint */
};

struct maildir_learning {
	struct backend_message *messages;
	const struct maildir_wanted *wanted;
	size_t n_wanted;
	bool measure;  /* reads what no name and no earlier reading tells; what cannot be read keeps
			* its stored size */
	bool remember; /* in this process, for later listings: nobody else does */
};

/* Fills in what is wanted. A message that is gone, or is no plain file, gets a NULL key. */
fiber_fn struct err maildir_learn(struct maildir *maildir, const struct maildir_learning *learning);

#endif
