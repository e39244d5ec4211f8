/*
 * fingerprint - tells whether two messages are the same by what their headers say, wherever they
 * lie: a number made of the Message-ID (RFC 5322 section 3.6.4), or, for want of one, of Date, From
 * and Subject.
 *
 * Made from the header block alone, so that a POP3 server's TOP, an IMAP server's
 * BODY[HEADER.FIELDS (…)] and a file of a Maildir give the same number. Line ends and folding do
 * not count (RFC 5322 section 2.2.3), nor does white space around a value.
 */
#ifndef POPGATE_BACKENDS_FINGERPRINT_H
#define POPGATE_BACKENDS_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

/* The fields that count, as an IMAP server is asked for them. */
#define FINGERPRINT_FIELDS "MESSAGE-ID DATE FROM SUBJECT"

/* Header lines as a message begins with them, up to its empty line or the end of what there is; any
 * octets. 1 to 2^63 - 1 (the first octets of a SHA-256); 0: none of the fields is there. */
uint64_t fingerprint_of_headers(const char *headers, size_t n);

#endif
