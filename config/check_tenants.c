/* check_tenants - what no key of a tenant shows alone; and tenants that hide each other. */
#include <string.h>
#include <strings.h>

#include "config/address.h"
#include "config/load.h"
#include "config/template.h"
#include "config/uidl_format.h"

#define IMAP_PORT  143
#define IMAPS_PORT 993

static void check_master(struct loader *l, const struct block *block)
{
	struct imap_settings *imap = &block->shared->imap;
	struct err e;

	if (*imap->master_user && !block_gives(block, "imap.master_password_file"))
		block_report(l, block, "imap.master_user", CONFIG_ERROR,
			"without its password, expected imap.master_password_file too");
	if (!*imap->master_user && *imap->master_password_file)
		block_report(l, block, "imap.master_password_file", CONFIG_ERROR,
			"nobody's password, expected imap.master_user too");
	if (*imap->master_user && !has_password_source(l, block) &&
		(block->shared->auth.mechanisms & PASSWORD_MECHANISMS))
		block_report(l, block, "imap.master_user", CONFIG_ERROR,
			"the server is entered by the master's password, so any password would do "
			"for "
			"any login; expected auth.users_file or auth.pam_service, which check it "
			"here");
	if (!*imap->master_user || !*imap->master_password_file)
		return;
	e = secret_from_file(imap->master_password_file, &imap->master_password);
	if (failed(e))
		block_report(l, block, "imap.master_password_file", CONFIG_ERROR,
			"%s, expected a file with the password as its only line", e.detail);
}

/* Tries the files as the IMAP side will use them. */
static void check_imap_files(struct loader *l, const struct block *block)
{
	const struct imap_settings *imap = &block->shared->imap;
	struct tls_context *context = NULL;
	struct err e;

	if (*imap->client_key && !*imap->client_certificate)
		block_report(l, block, "imap.client_key", CONFIG_ERROR,
			"a key without its certificate, expected imap.client_certificate too");
	if (*imap->ca_file) {
		e = tls_client_new(imap->ca_file, true, NULL, NULL, &context);
		if (failed(e))
			block_report(l, block, "imap.ca_file", CONFIG_ERROR,
				"%s, expected a PEM file of certificates", e.detail);
		tls_context_free(steal(context));
	}
	if (*imap->client_certificate) {
		e = tls_client_new(
			NULL, false, imap->client_certificate, imap->client_key, &context);
		if (failed(e))
			block_report(l, block, "imap.client_certificate", CONFIG_ERROR,
				"%s, expected a PEM certificate and the key that fits it",
				e.detail);
		tls_context_free(context);
	}
}

static void check_imap(struct loader *l, const struct block *block)
{
	const struct imap_settings *imap = &block->shared->imap;

	if (*imap->delegate_folder && block->shared->maildrop.also.n > 0)
		block_report(l, block, "imap.delegate_folder", CONFIG_ERROR,
			"the folders of maildrop.also would be the delegate's own, expected only "
			"one "
			"of the two keys");
	check_master(l, block);
	check_imap_files(l, block);
	if (imap->tls != TLS_IMPLICIT && imap->port == IMAPS_PORT)
		block_report(l, block, block_gives(block, "imap.port") ? "imap.port" : "imap.tls",
			CONFIG_WARNING,
			"port %d is that of tls: implicit, expected port: %d or tls: implicit",
			IMAPS_PORT, IMAP_PORT);
	if (imap->tls == TLS_IMPLICIT && imap->port == IMAP_PORT)
		block_report(l, block, "imap.port", CONFIG_WARNING,
			"port %d is that of tls: starttls, expected port: %d or tls: starttls",
			IMAP_PORT, IMAPS_PORT);
	for (size_t i = 0; i < imap->servers.n && imap->tls == TLS_NONE; i++) {
		if (!host_is_loopback(imap->servers.items[i]))
			block_report(l, block, "imap.tls", CONFIG_WARNING,
				"passwords and mail travel in clear to %s", imap->servers.items[i]);
	}
	if (!template_uses(imap->login, "login") && !template_uses(imap->login, "user"))
		block_report(l, block, "imap.login", CONFIG_WARNING,
			"without %%{login} or %%{user} every login is the same user there");
}

/* Whether logins of several domains may come here. */
static bool many_domains(const struct tenant *tenant)
{
	return tenant->match.domains.n != 1 ||
	       strncmp(tenant->match.domains.items[0], "*.", 2) == 0;
}

static void check_maildir(struct loader *l, const struct block *block)
{
	const struct tenant *tenant = block->shared;
	const char *path = tenant->maildir.path;

	if (!has_password_source(l, block) && (tenant->auth.mechanisms & PASSWORD_MECHANISMS))
		block_report(l, block, "maildir", CONFIG_ERROR,
			"nobody checks passwords, expected auth.users_file or auth.pam_service");
	if (!*path || template_uses(path, "login"))
		return;
	if (!template_uses(path, "user"))
		block_report(l, block, "maildir.path", CONFIG_WARNING,
			"without %%{login} or %%{user} every login gets the same mail");
	else if (!template_uses(path, "domain") && many_domains(tenant))
		block_report(l, block, "maildir.path", CONFIG_WARNING,
			"without %%{domain} the same user of several domains gets the same mail");
}

/* What every message of a store has the same of, or none has, makes no unique-id. */
static void check_uidl_format(struct loader *l, const struct block *block)
{
	const char *format = block->shared->uidl.format;
	bool imap = block->shared->store == STORE_IMAP;
	const char *lacks = imap ? "filename" : "emailid";

	if (!format || strcmp(format, "decimal") == 0)
		return;
	if (!uidl_format_uses(format, "uid") && !uidl_format_uses(format, "filename") &&
		!uidl_format_uses(format, "emailid") && !uidl_format_uses(format, "guid"))
		block_report(l, block, "uidl.format", CONFIG_ERROR,
			"all messages would have the same, expected %%{uid}, %%{filename}, "
			"%%{emailid} or %%{guid} in it");
	if (uidl_format_uses(format, lacks))
		block_report(l, block, "uidl.format", CONFIG_WARNING,
			"no message of %s has %%{%s}: they all get numbers",
			imap ? "an IMAP server" : "a Maildir", lacks);
}

static void check_store(struct loader *l, const struct block *block)
{
	bool imap = block_gives(block, "imap"), maildir = block_gives(block, "maildir");

	if (imap && maildir)
		block_report(l, block, "maildir", CONFIG_ERROR,
			"the tenant has imap too, expected one of them");
	else if (imap)
		check_imap(l, block);
	else if (maildir)
		check_maildir(l, block);
	else
		block_report(l, block, "", CONFIG_ERROR,
			"the tenant has no mail store, expected imap or maildir");
}

static bool same_folder(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || (strcasecmp(a, "INBOX") == 0 && strcasecmp(b, "INBOX") == 0);
}

static bool is_served(const struct maildrop_settings *maildrop, size_t n_also, const char *folder)
{
	if (same_folder(maildrop->folder, folder))
		return true;
	for (size_t i = 0; i < n_also; i++) {
		if (same_folder(maildrop->also.items[i], folder))
			return true;
	}
	return false;
}

static void check_quota_warning(struct loader *l, const struct block *block)
{
	const struct maildrop_settings *maildrop = &block->shared->maildrop;
	const char *standard = arena_printf(l->scratch, "postmaster@%s", l->config->hostname);
	bool derived = strcmp(maildrop->notice_from, standard) == 0;
	bool valid = mail_address_valid(maildrop->notice_from);

	if (!valid && !derived)
		block_report(l, block, "maildrop.notice_from", CONFIG_ERROR,
			"%s is no mail address, expected one such as postmaster@example.org",
			quoted(l->scratch, maildrop->notice_from));
	else if (!valid && maildrop->quota_warning > 0)
		block_report(l, block, "maildrop.quota_warning", CONFIG_ERROR,
			"the notice would come from %s, which is no mail address; expected "
			"maildrop.notice_from, or a domain as hostname",
			quoted(l->scratch, maildrop->notice_from));
	if (maildrop->quota_warning > 0 && l->config->state_kind == STATE_NONE)
		block_report(l, block, "maildrop.quota_warning", CONFIG_ERROR,
			"without a state nobody remembers that the notice was given, expected "
			"state: sqlite:PATH");
}

static void check_expiry(struct loader *l, const struct block *block)
{
	const struct maildrop_settings *maildrop = &block->shared->maildrop;

	if (maildrop->expire_after == DURATION_NEVER)
		return;
	if (maildrop->on_delete == DELETE_IGNORE)
		block_report(l, block, "maildrop.expire_after", CONFIG_ERROR,
			"with on_delete: ignore nothing is removed, expected never");
	if (maildrop->newer_than > 0 && maildrop->newer_than <= maildrop->expire_after)
		block_report(l, block, "maildrop.expire_after", CONFIG_WARNING,
			"nothing expires: older messages are not shown (newer_than), and what is "
			"not shown is not removed");
}

static void check_maildrop(struct loader *l, const struct block *block)
{
	const struct maildrop_settings *maildrop = &block->shared->maildrop;

	check_quota_warning(l, block);
	check_expiry(l, block);
	for (size_t i = 0; i < maildrop->also.n; i++) {
		if (is_served(maildrop, i, maildrop->also.items[i]))
			block_report(l, block, "maildrop.also", CONFIG_ERROR,
				"%s is in the maildrop twice, expected each folder once",
				quoted(l->scratch, maildrop->also.items[i]));
	}
	if (maildrop->on_delete == DELETE_TRASH && !*maildrop->trash)
		block_report(l, block, "maildrop.trash", CONFIG_ERROR,
			"empty, expected a folder for on_delete: trash");
	else if (maildrop->on_delete == DELETE_TRASH &&
		 is_served(maildrop, maildrop->also.n, maildrop->trash))
		block_report(l, block, "maildrop.trash", CONFIG_ERROR,
			"%s is in the maildrop itself, expected another folder for on_delete: "
			"trash",
			quoted(l->scratch, maildrop->trash));
	if (maildrop->on_delete == DELETE_HIDE && l->config->state_kind == STATE_NONE)
		block_report(l, block, "maildrop.on_delete", CONFIG_ERROR,
			"what is hidden has to be remembered, expected another state than none");
}

static const char *nearest_listener(const struct config *config, const char *name)
{
	const char *nearest = "";
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < config->n_listeners; i++) {
		size_t distance = edit_distance(config->listeners[i].name, name);

		if (distance < least) {
			least = distance;
			nearest = config->listeners[i].name;
		}
	}
	return nearest;
}

static bool is_listener(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_listeners; i++) {
		if (strcmp(config->listeners[i].name, name) == 0)
			return true;
	}
	return false;
}

static void check_match(struct loader *l, const struct block *block)
{
	const struct string_list *listeners = &block->shared->match.listeners;

	for (size_t i = 0; i < listeners->n; i++) {
		if (!is_listener(l->config, listeners->items[i]))
			block_report(l, block, "match.listeners", CONFIG_ERROR,
				"there is no listener %s, expected one of listeners, such as "
				"\"%s\"",
				quoted(l->scratch, listeners->items[i]),
				nearest_listener(l->config, listeners->items[i]));
	}
}

/* Whether each name that fits inner (empty: every name, known or not) fits outer. */
static bool names_cover(const struct string_list *outer, const struct string_list *inner)
{
	if (outer->n == 0)
		return true;
	for (size_t i = 0; i < inner->n; i++) {
		size_t j = 0;

		while (j < outer->n && !domain_covers(outer->items[j], inner->items[i]))
			j++;
		if (j == outer->n)
			return false;
	}
	return inner->n > 0;
}

static bool listeners_cover(const struct config *config, const struct string_list *outer,
	const struct string_list *inner)
{
	size_t n = inner->n ? inner->n : config->n_listeners;

	for (size_t i = 0; i < n && outer->n > 0; i++) {
		const char *name = inner->n ? inner->items[i] : config->listeners[i].name;
		size_t j = 0;

		while (j < outer->n && strcmp(outer->items[j], name) != 0)
			j++;
		if (j == outer->n)
			return false;
	}
	return true;
}

static bool networks_cover(const struct network_list *outer, const struct network_list *inner)
{
	static const struct network everything = { .prefix = 0 };
	const struct network *networks = inner->n ? inner->items : &everything;
	size_t n = inner->n ? inner->n : 1;

	for (size_t i = 0; i < n && outer->n > 0; i++) {
		size_t j = 0;

		while (j < outer->n && !network_covers(&outer->items[j], &networks[i]))
			j++;
		if (j == outer->n)
			return false;
	}
	return true;
}

/* Whether every login that fits later fits earlier, which comes first. */
static bool hides(
	const struct config *config, const struct tenant *earlier, const struct tenant *later)
{
	return names_cover(&earlier->match.domains, &later->match.domains) &&
	       names_cover(&earlier->match.server_names, &later->match.server_names) &&
	       networks_cover(&earlier->match.addresses, &later->match.addresses) &&
	       listeners_cover(config, &earlier->match.listeners, &later->match.listeners);
}

/* Whether a criterion was given whose value was refused: it seems to fit all then. */
static bool is_refused(const struct block *block)
{
	const struct tenant *tenant = block->shared;

	return (block_gives(block, "match.domains") && tenant->match.domains.n == 0) ||
	       (block_gives(block, "match.server_names") && tenant->match.server_names.n == 0) ||
	       (block_gives(block, "match.listeners") && tenant->match.listeners.n == 0) ||
	       (block_gives(block, "match.addresses") && tenant->match.addresses.n == 0);
}

static void check_against_earlier(struct loader *l, size_t index)
{
	const struct tenant *tenants = l->config->tenants, *tenant = &tenants[index];
	const struct block *block = l->tenants.items[index];
	bool named = false, hidden = false;

	for (size_t i = 0; i < index && !(named && hidden); i++) {
		if (!named && *tenant->name && strcmp(tenants[i].name, tenant->name) == 0) {
			named = true;
			block_report(l, block, "name", CONFIG_ERROR,
				"another tenant has this name (%s:%u), expected one of its own",
				tenants[i].file, tenants[i].line);
		}
		if (!hidden && hides(l->config, &tenants[i], tenant) &&
			!(l->reports.errors > 0 && is_refused(l->tenants.items[i]))) {
			hidden = true;
			block_report(l, block, "match", CONFIG_ERROR,
				"no login can get here, since tenant %s (%s:%u) comes first and "
				"fits "
				"all that this one fits; expected a narrower match there, or this "
				"tenant before it",
				quoted(l->scratch, tenants[i].name), tenants[i].file,
				tenants[i].line);
		}
	}
}

void check_tenants(struct loader *l)
{
	if (l->config->n_tenants == 0 && *l->config->tenants_dir)
		block_report(l, &l->root, "tenants_dir", CONFIG_WARNING,
			"there is no tenant: nobody can log in");
	else if (l->config->n_tenants == 0 && !block_gives(&l->root, "tenants_dir"))
		block_report(l, &l->root, "tenants", CONFIG_ERROR,
			"there is none: nobody could log in, expected at least one");
	for (size_t i = 0; i < l->config->n_tenants; i++) {
		const struct block *block = l->tenants.items[i];

		check_store(l, block);
		check_uidl_format(l, block);
		check_auth(l, block);
		check_tokens(l, block);
		check_proofs(l, block);
		check_maildrop(l, block);
		check_match(l, block);
		check_against_earlier(l, i);
	}
}
