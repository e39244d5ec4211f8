/*
 * downgrade - a message header in ASCII, for a client that did not say UTF8 (RFC 6858).
 *
 * Addresses that are not ASCII become invalid ones whose display name tells the address (section
 * 2.1). Names, comments, Subject and all unstructured fields become RFC 2047 encoded-words (2.3).
 * Parameters of Content-Type and Content-Disposition are written as RFC 2231 has it; the RFC would
 * leave them out (2.2), and the name of an attachment with them. Fields whose syntax has no place
 * for either, such as Message-ID, are left out (2.4). Fields in ASCII stay as they are, octet by
 * octet. Pure.
 */
#ifndef POPGATE_POP3_DOWNGRADE_H
#define POPGATE_POP3_DOWNGRADE_H

#include "proxy/pop3/header_field.h"
#include "proxy/runtime/mem.h"

/* Whether it is not all ASCII. */
static inline bool downgrade_needed(struct text header)
{
	return !text_is_ascii(header);
}

/* Appends the header in ASCII. header: whole lines, ended by CRLF or LF; the empty line behind it
 * may be among them. */
void downgrade_header(struct text header, struct buffer *out);

#endif
