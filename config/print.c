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

static void print_block(FILE *out, enum key_scope scope, const void *base)
{
	const struct tenant *tenant = scope == SCOPE_TENANT ? base : NULL;
	unsigned scopes = scope | (tenant ? SCOPE_SHARED : 0U);
	const char *bullet = "- ";

	/* The name comes first in each block, whatever the order of scopes in the table. */
	for (unsigned own = 1; own < 2 + (tenant ? 1U : 0U); own++) {
		unsigned wanted = own == 1 ? scope : scopes & SCOPE_SHARED;

		for (size_t i = 0; i < config_key_count; i++) {
			const struct key *key = &config_keys[i];

			if ((key->scope & wanted) == 0 || (tenant && is_absent(key, tenant)))
				continue;
			print_key(out, key, base, 4, bullet);
			bullet = "";
		}
	}
}

static void print_blocks(FILE *out, const struct key *key, const struct config *config)
{
	size_t n = key->block == SCOPE_LISTENER      ? config->n_listeners
		   : key->block == SCOPE_CERTIFICATE ? config->n_certificates
						     : config->n_tenants;

	fprintf(out, "%s:%s\n", key->path, n ? "" : " []");
	for (size_t i = 0; i < n; i++) {
		if (key->block == SCOPE_LISTENER) {
			print_block(out, key->block, &config->listeners[i]);
		} else if (key->block == SCOPE_CERTIFICATE) {
			print_block(out, key->block, &config->certificates[i]);
		} else {
			fprintf(out, "  # %s:%u\n", config->tenants[i].file,
				config->tenants[i].line);
			print_block(out, key->block, &config->tenants[i]);
		}
	}
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
