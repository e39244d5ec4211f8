#include "backends/imap/imap_keys.h"

#include <string.h>

#include "backends/imap/imap.h"

static bool by_master(const struct imap *imap)
{
	return imap->settings->master_user[0] != '\0';
}

static struct secret *copy(const struct secret *secret)
{
	return secret ? secret_copy(secret) : NULL;
}

void imap_keys_keep(struct imap *imap, const struct store_credentials *credentials)
{
	imap->keys = (struct imap_keys){ .actor = credentials->actor,
		.fit = by_master(imap) || !credentials->delegated,
		.refused = ok() };
	if (by_master(imap) || !imap->keys.fit)
		return;
	imap->keys.password = copy(credentials->password);
	imap->keys.token = copy(credentials->token);
}

struct store_credentials imap_keys_lend(const struct imap *imap)
{
	return (struct store_credentials){ .password = imap->keys.password,
		.token = imap->keys.token,
		.actor = imap->keys.actor };
}

static struct digest_part part_of(const char *text)
{
	return (struct digest_part){ text, strlen(text) };
}

static struct digest_part part_of_secret(const struct secret *secret)
{
	return secret ? (struct digest_part){ secret_data(secret), secret_length(secret) }
		      : part_of("");
}

struct digest imap_keys_digest(const struct imap *imap)
{
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	const struct account *account = imap->account, *actor = imap->keys.actor;
	/* The server is told the address once. */
	const char *address = imap->settings->send_client_address && account->client_address
				      ? account->client_address
				      : "";
	const struct digest_part parts[] = {
		/* A process has one configuration: this tells the tenant and all its settings. */
		{ &imap->settings, sizeof(imap->settings) },
		part_of(imap_login_name(imap, account, arena)),
		part_of(actor ? imap_login_name(imap, actor, arena) : ""),
		part_of(account->folder),
		part_of(address),
		part_of_secret(imap->keys.password),
		part_of_secret(imap->keys.token),
	};

	return digest_of(parts, sizeof(parts) / sizeof(parts[0]));
}

void imap_keys_done(struct imap *imap)
{
	secret_free(steal(imap->keys.password));
	secret_free(steal(imap->keys.token));
	imap->keys.fit = false;
}
