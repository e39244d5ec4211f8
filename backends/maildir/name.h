/*
 * name - what the file name of a Maildir message tells.
 *
 *	1700000000.M123456P789.host,S=2048,W=2100:2,FS
 *	|--------- base name -------------------||info|
 *
 * The base name stays as long as the message does. The info part (":2," and flag letters in ASCII
 * order, or "") and the folder (new or cur) are changed by whoever sets a flag. Pure.
 */
#ifndef POPGATE_MAILDIR_NAME_H
#define POPGATE_MAILDIR_NAME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file name with its NUL. */
#define MAILDIR_NAME_SIZE (NAME_MAX + 1)

/* Delivery time as the base name tells it; both 0 when it does not. */
struct maildir_time {
	int64_t seconds;
	uint32_t microseconds;
};

/* The number at the start of s and how many digits it has; one beyond 64 bits has none. */
size_t maildir_parse_digits(const char *s, uint64_t *ret);

/* Where the info part of a file name begins: at ":2,", else at its end. */
size_t maildir_name_base(const char *name);

/* The leading seconds and the digits of "M" in the second part. */
struct maildir_time maildir_name_time(const char *base);

/* The order of messages in a listing: by time, then by base name. As strcmp. */
int maildir_name_compare(const struct maildir_time *time_a, const char *base_a,
	const struct maildir_time *time_b, const char *base_b);

/* Whether the base name holds ",KEY=digits"; key is 'S' (octets of the file) or 'W' (octets with
 * CRLF line ends). */
bool maildir_name_size(const char *base, char key, uint64_t *ret);

bool maildir_name_has_flag(const char *info, char flag);

/* Writes base and info into out, with `flag` among its letters ('\0': only makes sure that there is
 * an info part); other letters stay as they are. False when the name would be too long. */
bool maildir_name_flagged(
	const char *base, const char *info, char flag, char out[static MAILDIR_NAME_SIZE]);

#endif
