/*
 * quota - the maildirsize file of a Maildir++ with quota: its limits and what they are held
 * against.
 *
 * The first line holds the limits ("1000000S,1000C": octets, messages); each further one a change
 * of both sums ("octets messages"). Its writers begin it anew from time to time.
 */
#ifndef POPGATE_MAILDIR_QUOTA_H
#define POPGATE_MAILDIR_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/quota.h"

/* What maildirsize of an open Maildir says. Without it, or where it makes no sense, nothing is
 * known. Blocks. */
struct backend_quota maildir_quota_read(int root_fd);

/* The same of the maildirsize file itself, open for reading, as far as it is in memory. false: it
 * is not. Does not block. */
bool maildir_quota_glance(int fd, struct backend_quota *ret);

/* What a writer owes: appends "-octets -messages" to the maildirsize of the Maildir at root, if
 * there is one and it is below the 5120 octets from which on whoever reads it next counts anew.
 * Failing is no error: the file is an estimate that its readers renew. Blocks. */
void maildir_quota_removed(const char *root, uint64_t octets, size_t messages);

#endif
