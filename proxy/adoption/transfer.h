/*
 * transfer - records of the registry out to files of unique-ids, and in again.
 *
 * What goes out and comes in again is the same record, but for its revision and its folders' marks:
 * the next login lists the store in full.
 */
#ifndef POPGATE_ADOPTION_TRANSFER_H
#define POPGATE_ADOPTION_TRANSFER_H

#include "proxy/adoption/id_block.h"

/* The lines of a record, one after the other. main_folder: the one whose computed unique-ids have
 * no folder in them. A row lives until take returns. */
typedef void id_row_take(const struct id_row *row, void *arg);
void id_rows_of_record(const struct registry_maildrop *maildrop,
	const struct registry_record *record, const char *main_folder, id_row_take *take,
	void *arg);

/* The unique-id that clients see of an entry; "": adopted ones have their text too. ret is
 * overwritten. */
struct unique_id;
void id_shown(const struct registry_record *record, const struct registry_entry *entry,
	const char *main_folder, struct unique_id *ret);

enum import_outcome {
	IMPORT_DONE,
	IMPORT_KNOWN,   /* the maildrop has entries of its own, and replace was not asked for */
	IMPORT_REFUSED, /* what the block holds is no record */
};

struct import {
	struct registry *registry;
	const char *tenant, *login; /* whose record it is to be */
	const char *main_folder;    /* where adopted entries go */
	int64_t now;                /* seconds since 1970 */
	bool replace;               /* drop what is known of the maildrop */
	bool dry;                   /* write nothing */
	/* What came of it. */
	enum import_outcome outcome;
	size_t n_entries, n_doubles; /* written; adopted with an id that another has */
	char why[160];               /* of what was refused */
};

/* Writes the block's record. Entries that were adopted before and never met are replaced without
 * being asked to. Suspends. Errors as registry_change. */
fiber_fn struct err import_block(struct import *import, const struct id_block *block);

#endif
