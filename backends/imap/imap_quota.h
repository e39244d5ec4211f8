/*
 * imap_quota - the quota of the maildrop's folder (RFC 9208, RFC 2087).
 *
 * The answers are read here, not by libetpan: the stream shows each line that libetpan need not
 * see.
 */
#ifndef POPGATE_BACKENDS_IMAP_QUOTA_H
#define POPGATE_BACKENDS_IMAP_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

#include "backends/quota.h"

/* What the QUOTA answers to one command told. Zero-initialise. */
struct imap_quota {
	struct backend_quota quota; /* of several roots, for each resource the fullest one's */
	bool open;                  /* the name of a root is a literal: its resources follow */
};

/* Takes a physical line, its LF included. first: a logical line begins with it. What is not as it
 * must be is passed over. Pure. */
void imap_quota_line(struct imap_quota *quota, const char *line, size_t n, bool first);

#endif
