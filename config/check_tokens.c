/* check_tokens - OAuth 2.0 tokens of clients: who judges them, and with what. */
#include "config/load.h"

#define TOKEN_MECHANISMS (unsigned)(MECH_XOAUTH2 | MECH_OAUTHBEARER)

/* An IMAP server that gets the client's own credentials can judge a token itself. */
static bool store_judges(const struct block *block)
{
	return block_gives(block, "imap") && !*block->shared->imap.master_user;
}

/* Without these, a token that anybody's provider made for anything would let its owner in. */
static void check_jwks(struct loader *l, const struct block *block)
{
	const struct token_settings *s = &block->shared->auth.oauth2;

	if (!*s->issuer)
		block_report(l, block, "auth.oauth2.jwks_url", CONFIG_ERROR,
			"whose tokens it is about is not said, expected auth.oauth2.issuer too");
	if (s->audience.n == 0)
		block_report(l, block, "auth.oauth2.jwks_url", CONFIG_ERROR,
			"tokens that the provider made for others would do here too, expected "
			"auth.oauth2.audience");
}

static void check_client(struct loader *l, const struct block *block)
{
	struct token_settings *s = &block->shared->auth.oauth2;
	struct err e;

	if (!*s->client_secret_file)
		return;
	if (!*s->client_id)
		block_report(l, block, "auth.oauth2.client_secret_file", CONFIG_ERROR,
			"nobody's secret, expected auth.oauth2.client_id too");
	e = secret_from_file(s->client_secret_file, &s->client_secret);
	if (failed(e))
		block_report(l, block, "auth.oauth2.client_secret_file", CONFIG_ERROR,
			"%s, expected a file with the secret as its only line", e.detail);
}

static void check_authorities(struct loader *l, const struct block *block)
{
	const char *file = block->shared->auth.oauth2.ca_file;
	struct tls_context *context = NULL;
	struct err e;

	if (!*file)
		return;
	e = tls_client_new(file, true, NULL, NULL, &context);
	tls_context_free(context);
	if (failed(e))
		block_report(l, block, "auth.oauth2.ca_file", CONFIG_ERROR,
			"%s, expected a PEM file of certificates", e.detail);
}

static void check_provider(struct loader *l, const struct block *block)
{
#ifndef POPGATE_OAUTH
	block_report(l, block, "auth.oauth2", CONFIG_ERROR,
		"this popgate was built without libcurl, jansson or cjose, expected none");
#endif
	if (*block->shared->auth.oauth2.jwks_url)
		check_jwks(l, block);
	check_client(l, block);
	check_authorities(l, block);
}

void check_tokens(struct loader *l, const struct block *block)
{
	const struct token_settings *s = &block->shared->auth.oauth2;
	bool jwks = *s->jwks_url;
	bool introspection = *s->introspection_url;
	bool taken = block->shared->auth.mechanisms & TOKEN_MECHANISMS;

	if (jwks && introspection)
		block_report(l, block, "auth.oauth2.introspection_url", CONFIG_ERROR,
			"auth.oauth2.jwks_url judges tokens already, expected one of them");
	if (jwks || introspection)
		check_provider(l, block);
	else if (*s->issuer || s->audience.n > 0 || *s->scope || *s->client_id)
		block_report(l, block, "auth.oauth2", CONFIG_ERROR,
			"nothing judges a token by these, expected auth.oauth2.jwks_url or "
			"auth.oauth2.introspection_url");
	else if (taken && !store_judges(block))
		block_report(l, block, "auth.mechanisms", CONFIG_ERROR,
			"nobody judges tokens here, since no IMAP server gets to see them; "
			"expected auth.oauth2 for xoauth2 and oauthbearer");
	if ((jwks || introspection) && !taken && block_gives(block, "auth.oauth2"))
		block_report(l, block, "auth.oauth2", CONFIG_WARNING,
			"without effect, expected xoauth2 or oauthbearer in auth.mechanisms");
}
