/*
 * authorize - who may open whose mailbox: the one decision behind SASL authorization identities and
 * delegate logins.
 *
 * The actor is the login that proved itself, the owner the one whose mailbox it wants (RFC 4422
 * section 2). Everybody may open his own. Another's: those in the tenant's auth.masters; with "*"
 * among them everybody may ask, and the IMAP server, which gets both identities and the actor's
 * password, decides. Nobody reaches into another tenant. Pure: no I/O, no fiber.
 */
#ifndef POPGATE_ENTRY_AUTHORIZE_H
#define POPGATE_ENTRY_AUTHORIZE_H

#include "backends/backend.h"
#include "proxy/login/credentials.h"

/* Whether the credentials ask for another's mailbox than their own. */
bool asks_for_another(const struct credentials *credentials);

/* actor: whose credentials were found right; owner: whose mail is to be opened, NULL when no tenant
 * serves that login. ERR_PERM: it may not; the same whether the owner exists or not. */
struct err authorize(const struct account *actor, const struct account *owner);

#endif
