/*
 * imap_capability - what a server can do, by its own word: a CAPABILITY answer, or the response
 * code that comes with a greeting or a login (RFC 3501 sections 7.1 and 7.2.1).
 * Pure.
 */
#ifndef POPGATE_BACKENDS_IMAP_CAPABILITY_H
#define POPGATE_BACKENDS_IMAP_CAPABILITY_H

#include <stdbool.h>
#include <stddef.h>

enum imap_capability {
	IMAP_STARTTLS = 1 << 0,
	IMAP_LOGINDISABLED = 1 << 1,
	IMAP_AUTH_PLAIN = 1 << 2,
	IMAP_SASL_IR = 1 << 3,
	IMAP_ID = 1 << 4,
	IMAP_UIDPLUS = 1 << 5,
	IMAP_MOVE = 1 << 6,
	IMAP_QUOTA = 1 << 7,
	IMAP_AUTH_GSSAPI = 1 << 8,
	IMAP_AUTH_XOAUTH2 = 1 << 9,
	IMAP_AUTH_OAUTHBEARER = 1 << 10,
	IMAP_QRESYNC = 1 << 11,
	IMAP_ESEARCH = 1 << 12,
	IMAP_OBJECTID = 1 << 13,
	IMAP_X_GM_EXT_1 = 1 << 14,
};

/* What was told last; told false: nothing since it was forgotten. */
struct imap_capabilities {
	bool told;
	unsigned bits; /* of enum imap_capability */
};

/* Takes what a line of n octets tells: "* CAPABILITY …", or the code of an OK. */
void imap_capability_take(struct imap_capabilities *capabilities, const char *line, size_t n);

#endif
