/*
 * registry_record - what the stores of the registry have in common: a record is put together in an
 * arena, a revision follows another.
 *
 * For registry_*.c. No call suspends or fails; any thread, while nobody else uses the arena.
 */
#ifndef POPGATE_MAILDROP_REGISTRY_RECORD_H
#define POPGATE_MAILDROP_REGISTRY_RECORD_H

#include "proxy/maildrop/registry.h"

/* Zero-initialise, then record_begin; record_done in any case. */
struct record_builder {
	struct registry_record *record;
	struct arena *arena;
	struct registry_entry *entries; /* malloc'ed while they grow */
	size_t room;
	char *text; /* where the next string goes */
	size_t text_left, text_size;
};

/* Empties ret. With folders in the maildrop the record has those, else none yet. */
void record_begin(struct record_builder *builder, const struct registry_maildrop *maildrop,
	struct arena *arena, struct registry_record *ret);
/* A copy in the arena of the n octets, strings side by side; "" for none, NULL too. */
const char *record_text(struct record_builder *builder, const char *text, size_t n);
/* The next entry to fill in; zeroed, but for sizes that are not known and strings that are "". */
struct registry_entry *record_entry(struct record_builder *builder);
/* The record is complete. */
void record_end(struct record_builder *builder);
/* Frees what record_end has not handed over. */
void record_done(struct record_builder *builder);

/* The revision of a write after that of revision old (0: none); beyond REGISTRY_NUMBER_MAX only
 * where a damaged database said so. */
uint64_t registry_revision_after(uint64_t old);

#endif
