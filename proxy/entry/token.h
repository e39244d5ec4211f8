/*
 * token - from a bearer token that the tenant judges itself to credentials that are proved.
 *
 * Who logs in is then whom the token names; whose mailbox is meant is whom the client named, and
 * may be another's (authorize.h). A client may name nobody where only one tenant can be meant.
 * Suspends: token_prove.
 */
#ifndef POPGATE_ENTRY_TOKEN_H
#define POPGATE_ENTRY_TOKEN_H

#include "proxy/entry/entry.h"

/* ok: *ret are the credentials to go on with, the caller's (credentials_done); empty, login NULL,
 * where the request's own serve: they are no token, or one that the store judges. *ret_tenant:
 * whose settings the token was judged by, also on failure; else as it was. ERR_AUTH: it is bad, or
 * somebody else's; else as oauth_verify. */
fiber_fn struct err token_prove(const struct config *config, const struct entry_request *request,
	struct credentials *ret, const struct tenant **ret_tenant);

#endif
