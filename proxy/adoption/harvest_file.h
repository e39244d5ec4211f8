/*
 * harvest_file - the file that a harvest writes: a maildrop at a time, each on disk before it
 * counts.
 *
 * A harvest that was interrupted leaves at most the beginning of one maildrop at the end; it is cut
 * off when the file is opened again. One process at a time has the file.
 * Owns: its descriptor. Open blocks; add suspends.
 */
#ifndef POPGATE_ADOPTION_HARVEST_FILE_H
#define POPGATE_ADOPTION_HARVEST_FILE_H

#include "backends/pop3/pop3_source.h"
#include "proxy/adoption/harvest_users.h"

struct harvest_file;

/* Opens it, or makes it with mode 0600; marks the users whose maildrops are in it. ERR_INVALID: it
 * is another kind of file; ERR_TEMP: it cannot be read or written, or another harvest has it. */
struct err harvest_file_open(
	const char *path, struct harvest_users *users, struct harvest_file **ret);
void harvest_file_close(struct harvest_file *file); /* NULL-safe */

/* Appends a maildrop; ok: it is on disk. Messages without a unique-id are left out; *ret_n is how
 * many were written. After a failure the file is only good for closing. */
fiber_fn struct err harvest_file_add(struct harvest_file *file, const char *login,
	const struct pop3_maildrop *maildrop, size_t *ret_n);

#endif
