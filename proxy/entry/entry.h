/*
 * entry - from credentials to an open maildrop: route, verify, open, list.
 *
 * What a POP3 login does between PASS and its +OK, and what `popgate probe` shows step by step; one
 * code for both. Throttling and limits are the caller's.
 * Suspends: authenticate, list, close. Never logs.
 */
#ifndef POPGATE_ENTRY_ENTRY_H
#define POPGATE_ENTRY_ENTRY_H

#include "backends/backend.h"
#include "proxy/login/credentials.h"
#include "proxy/maildrop/maildrop.h"
#include "proxy/routing/routing.h"

struct entry_request {
	struct route_query query; /* its login is that of the credentials */
	const struct credentials *credentials;
	bool ask_quota; /* see account */
};

struct entry {
	struct arena *arena;           /* account and maildrop live in it */
	const struct account *account; /* whose mail */
	const struct account *actor;   /* whose credentials: the account itself, or another */
	struct backend *backend;
	struct maildrop *drop;
	struct maildrop_opening opening; /* once entry_list was called, also when that failed */
};

/* Whether the request, by its form, asks for another's mailbox than the login's own. */
bool entry_for_another(const struct config *config, const struct entry_request *request);

/* Finds the tenant, checks the credentials, opens the store; the mailbox of the authorization
 * identity where authorize.h allows it. On success *ret is owned by the caller
 * (entry_close). On failure *ret stays as it was: there is nothing to close.
 * ret_tenant (may be NULL): the tenant when one matched, also on failure; for counters.
 * ERR_AUTH for everything that a wrong password could be; else as backend_ops.open. */
fiber_fn struct err entry_authenticate(const struct config *config,
	const struct entry_request *request, struct entry *ret, const struct tenant **ret_tenant);

/* Takes the snapshot. registry may be NULL. */
fiber_fn struct err entry_list(struct entry *entry, struct registry *registry);

/* The client will be silent for long: the store gives back what it can have again. Safe on an empty
 * entry. */
void entry_rest(struct entry *entry);

/* Closes the store and frees the arena. Safe on an empty entry. */
fiber_fn void entry_close(struct entry *entry);

#endif
