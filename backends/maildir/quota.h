/*
 * quota - what a writer of a Maildir++ with quota owes: a line in maildirsize for what it removed.
 */
#ifndef POPGATE_MAILDIR_QUOTA_H
#define POPGATE_MAILDIR_QUOTA_H

#include <stddef.h>
#include <stdint.h>

/* Appends "-octets -messages" to the maildirsize of the Maildir at root, if there is one and it is
 * below the 5120 octets from which on whoever reads it next counts anew. Failing is no error: the
 * file is an estimate that its readers renew. Blocks. */
void maildir_quota_removed(const char *root, uint64_t octets, size_t messages);

#endif
