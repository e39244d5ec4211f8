/* print - the effective configuration, so that it could be loaded again. */
#include <string.h>

#include "config/keys.h"
#include "config/value.h"

static void print_key(
	FILE *out, const struct key *key, const void *base, unsigned indent, const char *bullet)
{
	struct buffer text = { 0 };
	unsigned depth = indent;

	for (const char *p = key->path; *p; p++)
		depth += *p == '.' ? 2 : 0;
	if (key->type != KEY_SECTION) {
		buffer_printf(&text, " ");
		value_format(key, (const char *)base + key->offset, &text);
	}
	buffer_append(&text, "", 1);
	fprintf(out, "%*s%s%s:%s\n", (int)(depth - strlen(bullet)), "", bullet, key_leaf(key),
		text.data + text.start);
	buffer_done(&text);
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The keys of the store that a tenant has not. */
static bool is_absent(const struct key *key, const struct tenant *tenant)
{
	if (tenant->store == STORE_MAILDIR)
		return starts_with(key->path, "imap");
	return starts_with(key->path, "maildir") ||
	       (starts_with(key->path, "imap.oauth2") && tenant->imap.oauth2.flow == OAUTH2_NONE);
}

/* The keys of one scope; the first is an item of a list when bullet is "- ". */
static void print_scope(FILE *out, enum key_scope scope, const void *base,
	const struct tenant *tenant, const char *bullet)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];

		if (key->scope != scope || (tenant && is_absent(key, tenant)))
			continue;
		print_key(out, key, base, 4, bullet);
		bullet = "";
	}
}

static void print_tenant(FILE *out, const struct tenant *tenant)
{
	fprintf(out, "  # %s:%u\n", tenant->file, tenant->line);
	print_scope(out, SCOPE_TENANT, tenant, tenant, "- ");
	print_scope(out, SCOPE_SHARED, tenant, tenant, "");
}

static void print_blocks(FILE *out, const struct key *key, const struct config *config)
{
	fprintf(out, "%s:\n", key->path);
	for (size_t i = 0; key->block == SCOPE_LISTENER && i < config->n_listeners; i++)
		print_scope(out, SCOPE_LISTENER, &config->listeners[i], NULL, "- ");
	for (size_t i = 0; key->block == SCOPE_CERTIFICATE && i < config->n_certificates; i++)
		print_scope(out, SCOPE_CERTIFICATE, &config->certificates[i], NULL, "- ");
	for (size_t i = 0; key->block == SCOPE_TENANT && i < config->n_tenants; i++)
		print_tenant(out, &config->tenants[i]);
}

void config_print(const struct config *config, FILE *out)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct key *key = &config_keys[i];

		if (key->scope != SCOPE_CONFIG || (key->flags & KEY_HIDDEN))
			continue;
		if (key->type == KEY_BLOCKS)
			print_blocks(out, key, config);
		else
			print_key(out, key, config, 0, "");
	}
	/* Given again, the folder would be loaded on top of the tenants above. */
	if (*config->tenants_dir)
		fprintf(out, "# tenants_dir: %s (its tenants are among those above)\n",
			config->tenants_dir);
}
