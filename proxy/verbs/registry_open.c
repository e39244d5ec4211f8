#include "proxy/verbs/registry_open.h"

#include <unistd.h>

#include "proxy/verbs/common.h"

struct err verb_open_registry(const struct config *config, bool create, struct registry **ret)
{
	struct err e = verb_become_worker(config);

	if (failed(e))
		return e;
	if (!create && config->state_kind == STATE_SQLITE && access(config->state, F_OK) != 0)
		return err_make(ERR_PERM, "%s: there is no such database", config->state);
	return registry_open(config, ret);
}
