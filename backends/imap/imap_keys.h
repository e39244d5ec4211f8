/*
 * imap_keys - what a session entered the server with, kept so that it can enter again.
 *
 * Owns:  copies of the secrets, wiped by imap_keys_done.
 * Never: Kerberos credentials that the client handed on: who entered by them enters once.
 */
#ifndef POPGATE_BACKENDS_IMAP_KEYS_H
#define POPGATE_BACKENDS_IMAP_KEYS_H

#include <stdbool.h>

#include "backends/backend.h"
#include "proxy/runtime/digest.h"

struct imap;

struct imap_keys {
	struct secret *password, *token; /* both NULL: the master user's, or none */
	const struct account *actor;
	bool fit;           /* to enter again */
	struct err refused; /* ERR_AUTH once the server said no to them: it is not asked again */
};

/* credentials are borrowed, but for the actor, which must live as long as the account. */
void imap_keys_keep(struct imap *imap, const struct store_credentials *credentials);
/* To be borrowed as long as the keys live. */
struct store_credentials imap_keys_lend(const struct imap *imap);
/* Equal for two sessions only if they enter the same server by the same settings and credentials
 * for the same mailbox. The keys must be fit. */
struct digest imap_keys_digest(const struct imap *imap);
void imap_keys_done(struct imap *imap);

#endif
