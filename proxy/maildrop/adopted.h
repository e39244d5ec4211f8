/*
 * adopted - unique-ids taken over from another server, before their messages have been met here.
 *
 * They are entries of the registry in the maildrop's first folder: key ADOPTED_KEY and what tells
 * them apart, uidvalidity and uid 0, the unique-id in legal form, size, fingerprint and arrival as
 * far as they are known, missing: when they were adopted. The next login matches them to messages
 * (match.h), which take over the unique-id.
 */
#ifndef POPGATE_MAILDROP_ADOPTED_H
#define POPGATE_MAILDROP_ADOPTED_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/maildrop/registry.h"

struct adopted {
	struct registry_entry *entries; /* of folder 0, in the order of a record's */
	size_t n;
	uint64_t next; /* the least counter of a record that holds them: their numbers are spent */
};

/* What a file of unique-ids (uidl harvest) holds for the login of the tenant, in arena; now:
 * seconds since 1970. n 0: nothing. Suspends. ERR_TEMP: the file cannot be read. */
fiber_fn struct err adopted_from_file(const char *path, const char *tenant, const char *login,
	int64_t now, struct arena *arena, struct adopted *ret);

/* The same of the tenant's uidl.adopt_file; n 0 also where there is none. */
fiber_fn struct err adopted_entries(const struct tenant *tenant, const char *login, int64_t now,
	struct arena *arena, struct adopted *ret);

#endif
