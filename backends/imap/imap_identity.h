/*
 * imap_identity - what a server names a message by wherever it lies: EMAILID (RFC 8474) or Gmail's
 * X-GM-MSGID.
 */
#ifndef POPGATE_BACKENDS_IMAP_IDENTITY_H
#define POPGATE_BACKENDS_IMAP_IDENTITY_H

#include <libetpan/libetpan.h>

#include "proxy/runtime/mem.h"

/* Teaches libetpan to read EMAILID; once for all connections. */
void imap_identity_init(void);

/* The name that this item of a FETCH answer tells, behind an "E" or a "G", from mem; NULL when it
 * tells none. */
const char *imap_identity_of(const struct mailimap_msg_att_item *item, struct arena *mem);

#endif
