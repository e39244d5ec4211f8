/*
 * version_1 - a SQLite database as the first schema's program left it: two maildrops of Maildir and
 * IMAP messages, one with a notice of quota.
 */
#ifndef POPGATE_TEST_MAILDROP_VERSION_1_H
#define POPGATE_TEST_MAILDROP_VERSION_1_H

#include "stores.h"

void version_1_make(const struct place *at);

#endif
