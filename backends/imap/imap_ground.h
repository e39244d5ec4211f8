/*
 * imap_ground - what an earlier listing found in a folder, for the next one to build on.
 */
#ifndef POPGATE_BACKENDS_IMAP_GROUND_H
#define POPGATE_BACKENDS_IMAP_GROUND_H

#include "backends/imap/imap_listing.h"
#include "backends/imap/imap_mark.h"

struct imap_ground {
	struct imap_mark mark;
	const struct backend_message *messages; /* ascending by UID; the request's own, or own */
	size_t n;
	struct backend_message *own;
	bool firm; /* no UID twice, none that the mark does not cover, and nothing tells that they
		    * may have been given anew */
};

/* The ground for the lister's folder, which is selected. false: the request knows nothing of it. */
bool imap_ground_lay(
	struct imap_ground *ground, const struct lister *l, const struct backend_known *known);
void imap_ground_done(struct imap_ground *ground);

/* By UIDVALIDITY and UIDNEXT, the folder that is selected is another one. */
bool imap_ground_is_renumbered(const struct imap_ground *ground, const struct imap *imap);
/* It is as it was: nothing need be asked. */
bool imap_ground_is_unchanged(const struct imap_ground *ground, const struct imap *imap);

/* Compares it with the lister's folder, which was listed from scratch: what tells a message
 * wherever it lies goes over to the same ones. false: a UID was given to another message; nothing
 * goes over then. */
bool imap_ground_compare(const struct imap_ground *ground, struct lister *l);

#endif
