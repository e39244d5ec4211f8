/*
 * uidlist - the files in which other servers keep the UIDs and unique-ids of a Maildir's messages,
 * line by line.
 *
 * dovecot-uidlist, versions 1 and 3:
 *
 *	3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1
 *	25006 W1394 P000065aa4c08d3ef G8a01… :1276528487.M364837P9451.host,S=1355:2,S
 *
 * The fields of an entry are a letter and its value: G the GUID, P the POP3 unique-id where it was
 * saved, empty when that is the file's name. In version 1 an entry is a UID and a file name.
 *
 * courierpop3dsizelist of Courier's POP3 server, versions 2 and 3 (next UID, UIDVALIDITY; size,
 * UID:UIDVALIDITY and, in version 3, whether the headers are UTF-8):
 *
 *	/3 251 1275660208
 *	1276528487.M364837P9451.host:2,S 1394 250:1275660208:0
 *
 * Pure. A line that makes no sense is left out.
 */
#ifndef POPGATE_MAILDIR_UIDLIST_H
#define POPGATE_MAILDIR_UIDLIST_H

#include <stdbool.h>
#include <stdint.h>

/* "UID" number "-" number, or a file name of which every octet became three. */
#define UIDLIST_UIDL_SIZE 768

/* What was read so far. Zero-initialise. */
struct uidlist {
	unsigned version;
	uint32_t uidvalidity; /* Dovecot */
	uint32_t last;        /* UID; they ascend */
};

/* One entry. Strings lie in its line, but for uidl in buffer. */
struct uidlist_entry {
	uint32_t uidvalidity, uid; /* 0: beyond 32 bits, or none */
	const char *file;          /* with its info part */
	const char *guid, *uidl;   /* NULL: none; guid "": the file's name up to a colon, and so
				    * uidl */
	char buffer[UIDLIST_UIDL_SIZE];
};

struct uidlist_format {
	const char *name; /* of the file, in the folder */
	/* The first line; false: in no version that is known. */
	bool (*header)(struct uidlist *list, const char *line);
	/* Any other line; it is cut into pieces. */
	bool (*entry)(struct uidlist *list, char *line, struct uidlist_entry *ret);
};

extern const struct uidlist_format uidlist_dovecot, uidlist_courier;

#endif
