/* check_proofs - the keys of mechanisms that prove a login without a password: gssapi and ntlm. */
#include "config/load.h"

/* Whether a shared key was given a value that was refused, which is reported there. */
static bool is_refused(const struct loader *l, const struct block *block, const char *path)
{
	return l->reports.errors > 0 && (block_gives(block, path) || block_gives(&l->root, path));
}

/* A mechanism and the file it lives on: one without the other. */
static void check_pair(struct loader *l, const struct block *block, unsigned bit,
	const char *mechanism, const char *path, const char *value)
{
	bool taken = block->shared->auth.mechanisms & bit;

	if (taken && !*value && !is_refused(l, block, path))
		block_report(l, block, "auth.mechanisms", CONFIG_ERROR,
			"nothing to check %s against, expected %s too", mechanism, path);
	else if (!taken && *value && block_gives(block, path))
		block_report(l, block, path, CONFIG_WARNING,
			"without effect, since auth.mechanisms has no %s", mechanism);
}

void check_proofs(struct loader *l, const struct block *block)
{
	const struct auth_settings *auth = &block->shared->auth;

	check_pair(l, block, MECH_GSSAPI, "gssapi", "auth.keytab_file", auth->keytab_file);
	check_pair(l, block, MECH_NTLM, "ntlm", "auth.ntlm_users_file", auth->ntlm_users_file);
	if ((auth->mechanisms & MECH_NTLM) && block_gives(block, "imap") &&
		!*block->shared->imap.master_user)
		block_report(l, block, "auth.mechanisms", CONFIG_ERROR,
			"with ntlm the client shows no password that the IMAP server could be "
			"given, expected imap.master_user, by which it is entered");
	if (auth->realms.n > 1 && *auth->login_domain)
		block_report(l, block, "auth.login_domain", CONFIG_ERROR,
			"users of the same name in several auth.realms would be one login, "
			"expected one realm, or no auth.login_domain");
}
