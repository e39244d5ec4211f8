/*
 * id_block - files of unique-ids, a maildrop at a time.
 *
 * Blocks, as id_file. Holds one maildrop in memory.
 */
#ifndef POPGATE_ADOPTION_ID_BLOCK_H
#define POPGATE_ADOPTION_ID_BLOCK_H

#include "proxy/adoption/id_file.h"
#include "proxy/maildrop/adopted.h"

/* The lines of one maildrop. */
struct id_block {
	const char *tenant, *login;
	unsigned line;          /* of the first */
	struct id_row maildrop; /* cleared where there is none */
	struct id_row *messages;
	unsigned *lines; /* of each message */
	size_t n;
	bool complete; /* else the file ends before it does, or its number of messages is wrong */
	bool any_adopted, any_known; /* messages of an old server; entries of popgate */
};

struct id_blocks;

/* Borrows the reader. */
struct id_blocks *id_blocks_new(struct id_reader *reader);
void id_blocks_free(struct id_blocks *blocks); /* NULL-safe */
DEFINE_CLEANUP(id_blocks, id_blocks_free)

/* The next one, valid until the next call. *ret_more false: there is none. ERR_INVALID, ERR_TEMP as
 * id_read; the only thing to do then is to stop. */
struct err id_blocks_next(struct id_blocks *blocks, struct id_block *ret, bool *ret_more);

/* The messages of an old server as entries of folder 0, in arena; of those with one and the same id
 * the first. now: seconds since 1970. */
void id_block_adopt(
	const struct id_block *block, int64_t now, struct arena *arena, struct adopted *ret);

/* The least counter of a record that shows the unique-id; 0: any. */
uint64_t id_number_behind(const char *unique_id);

#endif
