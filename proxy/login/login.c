#include "proxy/login/login.h"

#include <string.h>

#include "proxy/login/hash.h"
#include "proxy/login/oauth.h"
#include "proxy/login/pam.h"
#include "proxy/login/users.h"
#include "proxy/login/verified.h"

enum source {
	SOURCE_NONE,
	SOURCE_USERS_FILE,
	SOURCE_PAM,
	SOURCE_STORE, /* the IMAP server */
};

static bool is_set(const char *text)
{
	return text && text[0] != '\0';
}

static bool by_master_user(const struct tenant *tenant)
{
	return tenant->store == STORE_IMAP && is_set(tenant->imap.master_user);
}

/* An IMAP server that is entered by master user looks at no user's password, a Maildir at none at
 * all: neither can be the source. */
static enum source source_of(const struct tenant *tenant)
{
	if (is_set(tenant->auth.users_file))
		return SOURCE_USERS_FILE;
	if (is_set(tenant->auth.pam_service))
		return SOURCE_PAM;
	if (tenant->store == STORE_IMAP && !by_master_user(tenant))
		return SOURCE_STORE;
	return SOURCE_NONE;
}

/* What an unknown tenant costs: as much as most logins of this gateway do. */
static const char *unknown_tenant_hash(void)
{
	const char *hash = users_cached_typical_hash();

	return hash ? hash : hash_nobody;
}

/* As hash_verify, without the work where the same password was shown to fit the same hash lately.
 */
static fiber_fn struct err verify_once(
	const char *hash, const struct secret *password, uint64_t lifetime, bool *ret)
{
	struct err e;

	*ret = true;
	if (verified_before(hash, password, lifetime))
		return ok();
	e = hash_verify(hash, password, ret);
	if (!failed(e) && *ret && lifetime)
		verified_note(hash, password);
	return e;
}

/* Spends the work of a wrong password. */
static fiber_fn struct err verify_nobody(const struct secret *password)
{
	cleanup(free_cleanup) char *hash = mem_strdup(unknown_tenant_hash());
	struct err e;
	bool match;

	if (failed(e = hash_verify(hash, password, &match)))
		return e;
	return err_make(ERR_AUTH, "no tenant serves this login");
}

static fiber_fn struct err verify_users_file(
	const struct account *account, const struct secret *password)
{
	const struct auth_settings *auth = &account->tenant->auth;
	const char *path = auth->users_file;
	cleanup(free_cleanup) char *hash = NULL;
	const struct users_entry *entry;
	const struct users *users;
	bool known, match;
	struct err e;

	if (failed(e = users_cached(path, &users)))
		return e;
	entry = users_find(users, account->login);
	known = entry != NULL;
	if (known)
		hash = mem_strdup(entry->hash);
	else if (users_typical_hash(users))
		hash = mem_strdup(users_typical_hash(users));
	else
		hash = mem_strdup(unknown_tenant_hash());
	e = known ? verify_once(hash, password, auth->password_cache, &match)
		  : hash_verify(hash, password, &match);
	if (failed(e))
		return err_context(e, "%s", path);
	if (!known)
		return err_make(ERR_AUTH, "%s: no such login", path);
	if (!match || secret_length(password) == 0)
		return err_make(ERR_AUTH, "%s: wrong password", path);
	return ok();
}

static fiber_fn struct err verify_pam(const struct account *account, const struct secret *password)
{
	struct pam_request request = { .service = account->tenant->auth.pam_service,
		.login = account->login,
		.address = account->client_address,
		.password = password };

	return pam_verify(&request);
}

static fiber_fn struct err verify(const struct account *account, const struct secret *password)
{
	switch (source_of(account->tenant)) {
	case SOURCE_USERS_FILE:
		return verify_users_file(account, password);
	case SOURCE_PAM:
		return verify_pam(account, password);
	case SOURCE_STORE:
		if (secret_length(password) == 0)
			return err_make(ERR_AUTH, "the password is empty");
		return ok();
	case SOURCE_NONE:
		break;
	}
	return err_make(ERR_PERM,
		"tenant %s has nobody to check a password: no users_file, no "
		"pam_service, and no IMAP server that is given the password",
		account->tenant->name);
}

/* Proved or a token: nothing is left to check here, but the store must be entered somehow. */
static struct err enter_without_password(const struct account *account,
	const struct credentials *credentials, struct store_credentials *ret)
{
	const struct tenant *tenant = account->tenant;
	bool proved = credentials->kind == CREDENTIAL_PROVED;

	if (proved && (tenant->store == STORE_MAILDIR || by_master_user(tenant)))
		return ok();
	if (proved && credentials->delegated) {
		ret->delegated = credentials->delegated;
		return ok();
	}
	/* a token that the gateway is to judge comes here proved, or not at all */
	if (credentials->secret && tenant->store == STORE_IMAP && !by_master_user(tenant) &&
		(proved || !oauth_judges(&tenant->auth.oauth2))) {
		ret->token = credentials->secret;
		return ok();
	}
	if (proved)
		return err_make(ERR_PERM,
			"tenant %s: the login is proved, but there is no way to enter the server "
			"for it: no imap.master_user, and no credentials that the client handed on",
			tenant->name);
	return err_make(ERR_AUTH, "tenant %s: nobody there takes a token", tenant->name);
}

fiber_fn struct err login_verify(const struct account *account,
	const struct credentials *credentials, struct store_credentials *ret)
{
	const struct tenant *tenant;
	struct err e;

	*ret = (struct store_credentials){ 0 };
	if (credentials->kind == CREDENTIAL_REFUSED)
		return err_make(ERR_AUTH, "%s", credentials->why);
	if (!account)
		return credentials->kind == CREDENTIAL_PASSWORD
			       ? verify_nobody(credentials->secret)
			       : err_make(ERR_AUTH, "no tenant serves this login");
	if (credentials->kind != CREDENTIAL_PASSWORD)
		return enter_without_password(account, credentials, ret);
	if (failed(e = verify(account, credentials->secret)))
		return e;
	tenant = account->tenant;
	if (tenant->store == STORE_IMAP && !by_master_user(tenant))
		ret->password = credentials->secret;
	return ok();
}
