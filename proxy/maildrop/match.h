/*
 * match - which of the messages that listings lack a new one is.
 *
 * A message that gets another name in the store (the server renumbered, the mail moved to another
 * server, a Maildir became an IMAP mailbox, ids were adopted from an old POP3 server) is the same
 * message to its reader. It is found by, in this order:
 *	1. emailid
 *	2. arrival and size, unless the fingerprints are known and differ
 *	3. fingerprint (of equal ones those with the same size first)
 *	4. for what was adopted without arrival and fingerprint: size, of what had arrived by then
 * Each step takes what the steps before have left; equal candidates are paired in order.
 * A pure function: no I/O, no clock.
 */
#ifndef POPGATE_MAILDROP_MATCH_H
#define POPGATE_MAILDROP_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/runtime/mem.h"

#define MATCH_NONE UINT32_MAX

/* What tells one message from another; as in backend_message and registry_entry. */
struct match_item {
	const char *emailid;  /* NULL or "": unknown */
	const char *key;      /* Maildir: base name; else NULL or "" */
	uint64_t fingerprint; /* 0: unknown */
	uint64_t size;        /* UINT64_MAX: unknown */
	int64_t arrival;      /* 0: unknown */
	int64_t until;        /* adopted: it can be no message that arrived later; 0: unknown */
	uint16_t folder;      /* one of the same folder is taken before one of another */
	bool adopted;         /* of an old server: nothing else of it may be known */
};

enum match_rules {
	/* The folder was renumbered, or the entries are adopted: everything above counts. */
	MATCH_ALL,
	/* The folder was renumbered some time ago, and its mail is still coming back: all but the
	 * last resorts, fingerprint or size alone, which new mail may meet as well. */
	MATCH_LIKELY,
	/* Ordinary traffic: some messages went, others came. That a new one is an old one under
	 * another name must be certain: the emailid; the Maildir name up to the sizes in it (",S=",
	 * ",W=", which a server may mend); fingerprint and arrival, whatever an editor did to the
	 * size. */
	MATCH_CERTAIN,
};

/* For each of the fresh the index into lost, or MATCH_NONE. Both in their order of age. In arena.
 */
const uint32_t *match(const struct match_item *lost, size_t n_lost, const struct match_item *fresh,
	size_t n_fresh, enum match_rules rules, struct arena *arena);

#endif
