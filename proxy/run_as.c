#include "proxy/run_as.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

struct err run_as_lookup(const char *name, struct run_as *ret)
{
	const struct passwd *account;

	*ret = (struct run_as){ .name = name };
	if (!*name)
		return ok();
	errno = 0;
	account = getpwnam(name);
	if (!account && errno)
		return err_errno(ERR_INVALID, errno, "run_as: account %s", name);
	if (!account)
		return err_make(ERR_INVALID, "run_as: there is no account %s", name);
	ret->uid = account->pw_uid;
	ret->gid = account->pw_gid;
	if (geteuid() != 0 && geteuid() != ret->uid)
		return err_make(ERR_INVALID,
			"run_as: only root can change to account %s; start as root or leave run_as"
			" away",
			name);
	ret->change = geteuid() == 0 && ret->uid != 0;
	return ok();
}

struct err run_as_apply(const struct run_as *account)
{
	uid_t real, effective, saved;

	if (!account->change)
		return ok();
	if (initgroups(account->name, account->gid) != 0)
		return err_errno(ERR_PERM, errno, "run_as: groups of %s", account->name);
	if (setresgid(account->gid, account->gid, account->gid) != 0)
		return err_errno(ERR_PERM, errno, "run_as: group of %s", account->name);
	if (setresuid(account->uid, account->uid, account->uid) != 0)
		return err_errno(ERR_PERM, errno, "run_as: %s", account->name);
	if (getresuid(&real, &effective, &saved) != 0 || real != account->uid ||
		effective != account->uid || saved != account->uid || getegid() != account->gid ||
		setuid(0) == 0)
		return err_make(ERR_PERM, "run_as: changing to %s had no effect", account->name);
	return ok();
}
