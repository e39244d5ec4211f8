/*
 * unique_id - the text of a unique-id: 1 to 70 octets in 0x2E-0x7E (RFC 1939 section 7, narrowed by
 * MS-STANOPOP3), a pure function of what names the message in the store.
 *
 * The decimal ones divide the numbers among themselves, so that no two meet:
 *	below 2^64       IMAP, main folder: UIDVALIDITY * 2^32 + UID; Maildir: the registry's number
 *	2^64 to 2^65     beside IMAP messages: 2^64 + the registry's number
 *	2^65 to 2^96     IMAP, other folders: (1 + hash of the folder) * 2^64 + the same
 */
#ifndef POPGATE_MAILDROP_UNIQUE_ID_H
#define POPGATE_MAILDROP_UNIQUE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "config/uidl_format.h"

#define UNIQUE_ID_MAX 70

struct unique_id {
	char text[UNIQUE_ID_MAX + 1];
};

/* Stands for the main folder where a hash is asked for. */
#define UNIQUE_ID_MAIN_FOLDER 0

/* 1 to 2^31-1, from the folder's name alone. */
uint32_t unique_id_folder_hash(const char *folder);

void unique_id_imap(
	struct unique_id *ret, uint32_t folder_hash, uint32_t uidvalidity, uint32_t uid);

/* A number of the registry, for a Maildir message. */
void unique_id_number(struct unique_id *ret, uint64_t number);

/* A number of the registry, beside IMAP messages. */
void unique_id_given(struct unique_id *ret, uint64_t number);

/* From a Maildir base name, for want of a registry. folder: NULL for the main one. Octets outside
 * 0x2E-0x7E, "~" and "/" become "~" and two hex digits, "/" parts folder from name; what would get
 * too long is "~~" and the SHA-256 in hex instead. Two different ones never give the same text. */
void unique_id_name(struct unique_id *ret, const char *folder, const char *name);

/* Whether it is 1 to 70 octets in 0x2E-0x7E. */
bool unique_id_sendable(const char *text);

/* From the text that another server gave, or a template. What is 1 to 70 octets in 0x2E-0x7E and
 * does not begin with "~" stays as it is. Else "~." stands before, and octets outside of that and
 * "~" become "~" and two hex digits; what would get too long is "~~" and the SHA-256 in hex. Two
 * different ones never give the same text. */
void unique_id_adopted(struct unique_id *ret, const char *text);
/* Whether unique_id_adopted has made it of another text. */
bool unique_id_encoded(const char *text);

/* From a template of uidl.format, filled, as unique_id_adopted. false: what the template needs is
 * not known of this message. */
bool unique_id_template(
	struct unique_id *ret, const char *format, const struct uidl_values *values);

#endif
