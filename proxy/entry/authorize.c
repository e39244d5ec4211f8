#include "proxy/entry/authorize.h"

#include <string.h>

bool asks_for_another(const struct credentials *credentials)
{
	return *credentials->authorization &&
	       strcmp(credentials->authorization, credentials->login) != 0;
}

static bool is_master(const struct account *actor)
{
	const struct string_list *masters = &actor->tenant->auth.masters;

	for (size_t i = 0; i < masters->n; i++)
		if (strcmp(masters->items[i], actor->login) == 0 ||
			strcmp(masters->items[i], AUTH_MASTERS_ALL) == 0)
			return true;
	return false;
}

struct err authorize(const struct account *actor, const struct account *owner)
{
	bool same_tenant = owner && owner->tenant == actor->tenant;

	/* Equal after the login_name rules, too: "Ann" and "ann@default.example". */
	if (same_tenant && strcmp(actor->login, owner->login) == 0)
		return ok();
	if (same_tenant && is_master(actor))
		return ok();
	return err_make(ERR_PERM, "%s may not open another's mailbox in tenant %s", actor->login,
		actor->tenant->name);
}
