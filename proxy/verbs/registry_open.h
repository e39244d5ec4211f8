/*
 * registry_open - the registry of a configuration, for verbs that work on it beside the gateway.
 */
#ifndef POPGATE_VERBS_REGISTRY_OPEN_H
#define POPGATE_VERBS_REGISTRY_OPEN_H

#include "proxy/maildrop/registry.h"

/* Opens it as the account that workers change to, for good. create: false: ERR_PERM where there is
 * none, since to open it would make it, and nobody would see the mistake in its name. */
struct err verb_open_registry(const struct config *config, bool create, struct registry **ret);

#endif
