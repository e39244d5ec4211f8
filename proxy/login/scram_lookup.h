/*
 * scram_lookup - the SCRAM keys of a login, or keys that nobody has.
 *
 * A client learns iterations and salt before it has proved anything, so a login without keys gets
 * some too, which look like the file's others and are the same at every try, at every gateway that
 * has this users file: the salt is a keyed hash of the login. The key is taken from the file's
 * first two entries; when one of them changes, the salts of unknown logins do.
 */
#ifndef POPGATE_LOGIN_SCRAM_LOOKUP_H
#define POPGATE_LOGIN_SCRAM_LOOKUP_H

#include "config/config.h"
#include "proxy/login/scram.h"
#include "proxy/routing/routing.h"
#include "proxy/runtime/fiber.h"

/* query->login: as the client sent it. *known: they are the login's own. Errors: as users_cached.
 */
fiber_fn struct err scram_lookup(const struct config *config, const struct route_query *query,
	struct scram_keys *ret, bool *known);

#endif
