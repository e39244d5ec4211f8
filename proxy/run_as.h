/*
 * run_as - the account that workers change to. Looked up by the master, applied by each child, for
 * good.
 */
#ifndef POPGATE_RUN_AS_H
#define POPGATE_RUN_AS_H

#include <stdbool.h>
#include <sys/types.h>

#include "proxy/runtime/err.h"

struct run_as {
	bool change; /* false: stay who we are */
	const char *name;
	uid_t uid;
	gid_t gid;
};

/* name "": no change. ERR_INVALID when there is no such account, or when we are neither root nor
 * that account. name is borrowed. */
struct err run_as_lookup(const char *name, struct run_as *ret);

/* Takes over the account's user, group and supplementary groups, and makes sure that there is no
 * way back. ERR_PERM: the process must not go on. */
struct err run_as_apply(const struct run_as *account);

#endif
