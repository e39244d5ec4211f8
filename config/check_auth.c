/* check_auth - what no key of a tenant's login shows alone. */
#include <string.h>

#include "config/load.h"

bool has_password_source(const struct loader *l, const struct block *block)
{
	const struct auth_settings *auth = &block->shared->auth;

	return block_has(l, block, "auth.users_file", auth->users_file) ||
	       block_has(l, block, "auth.pam_service", auth->pam_service);
}

static bool has_upper_case(const char *text)
{
	while (*text && !(*text >= 'A' && *text <= 'Z'))
		text++;
	return *text;
}

/* Whether the store itself is shown who asks for whose mail, and can refuse. */
static bool store_decides(const struct block *block)
{
	return block_gives(block, "imap") && !*block->shared->imap.master_user;
}

static void check_masters(struct loader *l, const struct block *block)
{
	const struct string_list *masters = &block->shared->auth.masters;

	for (size_t i = 0; i < masters->n; i++) {
		const char *master = masters->items[i];

		if (strcmp(master, AUTH_MASTERS_ALL) == 0 && !store_decides(block))
			block_report(l, block, "auth.masters", CONFIG_ERROR,
				"with \"*\" everybody could open every mailbox here, since no IMAP "
				"server sees who asks; expected logins");
		else if (l->config->login_name.lower_case && has_upper_case(master))
			block_report(l, block, "auth.masters", CONFIG_ERROR,
				"%s fits no login, since login_name.lower_case makes them lower "
				"case, expected it in lower case",
				quoted(l->scratch, master));
	}
}

static void check_proving(struct loader *l, const struct block *block)
{
	const struct tenant *tenant = block->shared;
	const char *name = tenant->auth.mechanisms & MECH_SCRAM_SHA_256 ? "scram-sha-256"
			   : tenant->auth.mechanisms & MECH_EXTERNAL    ? "external"
									: NULL;

	if (name && !*tenant->imap.master_user)
		block_report(l, block, "auth.mechanisms", CONFIG_ERROR,
			"with %s the client shows no password that the IMAP server could be given, "
			"expected imap.master_user, by which it is entered",
			name);
}

static bool any_listener_asks_for_certificates(const struct config *config)
{
	for (size_t i = 0; i < config->n_listeners; i++)
		if (*config->listeners[i].ca_file)
			return true;
	return false;
}

static void check_mechanisms(struct loader *l, const struct block *block)
{
	unsigned mechanisms = block->shared->auth.mechanisms;

	if ((mechanisms & MECH_SCRAM_SHA_256) &&
		!block_has(l, block, "auth.users_file", block->shared->auth.users_file))
		block_report(l, block, "auth.mechanisms", CONFIG_ERROR,
			"scram-sha-256 needs keys that only a users file holds, expected "
			"auth.users_file");
	if ((mechanisms & MECH_EXTERNAL) && !any_listener_asks_for_certificates(l->config))
		block_report(l, block, "auth.mechanisms", CONFIG_WARNING,
			"no listener asks clients for a certificate, so nobody is offered "
			"external; "
			"expected a listener with ca_file");
}

void check_auth(struct loader *l, const struct block *block)
{
	check_masters(l, block);
	check_mechanisms(l, block);
	if (block_gives(block, "imap"))
		check_proving(l, block);
	if (*block->shared->auth.users_file && *block->shared->auth.pam_service)
		block_report(l, block, "auth.pam_service", CONFIG_WARNING,
			"without effect, since auth.users_file checks the passwords");
}
