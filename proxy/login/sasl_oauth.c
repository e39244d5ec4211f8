/*
 * XOAUTH2 (Google's and Microsoft's) and OAUTHBEARER (RFC 7628): the client shows an OAuth 2.0
 * bearer token, which somebody else judges.
 *
 *	XOAUTH2      user=LOGIN ^A auth=Bearer TOKEN ^A ^A
 *	OAUTHBEARER  n,a=LOGIN, ^A [host=HOST ^A] [port=PORT ^A] auth=Bearer TOKEN ^A ^A
 *
 * libgsasl has neither.
 */
#include <string.h>
#include <strings.h>

#include "proxy/login/sasl_mechanism.h"
#include "proxy/runtime/mem.h"

#define SEPARATOR  '\x01'
#define DISCOVERY  ".well-known/openid-configuration" /* OpenID Connect Discovery 1.0 section 4 */
#define PORT_MAX   65535
#define PORT_CHARS 5

struct text {
	const char *data; /* NULL: not given */
	size_t n;
};

/* What a message says. */
struct message {
	struct text user, host, port, token;
};

static bool text_is(struct text text, const char *word)
{
	return text.n == strlen(word) && strncasecmp(text.data, word, text.n) == 0;
}

/* RFC 6750 section 2.1: what may stand in a request for the server that judges it. */
static bool is_token(struct text text)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-._~+/";
	size_t n = strspn(text.data, letters);

	if (n == 0)
		return false;
	n += strspn(text.data + n, "=");
	return n == text.n;
}

/* "Bearer TOKEN", as an Authorization header has it. */
static bool read_auth(struct text value, struct text *ret)
{
	static const char scheme[] = "Bearer ";
	size_t n = sizeof(scheme) - 1;

	if (value.n <= n || strncasecmp(value.data, scheme, n) != 0)
		return false;
	while (n < value.n && value.data[n] == ' ')
		n++;
	*ret = (struct text){ value.data + n, value.n - n };
	return is_token(*ret);
}

/* Takes "key=value^A" from *at. */
static bool next_pair(const char **at, const char *end, struct text *key, struct text *value)
{
	const char *stop = memchr(*at, SEPARATOR, (size_t)(end - *at));
	const char *equals = stop ? memchr(*at, '=', (size_t)(stop - *at)) : NULL;

	if (!equals || equals == *at)
		return false;
	*key = (struct text){ *at, (size_t)(equals - *at) };
	*value = (struct text){ equals + 1, (size_t)(stop - equals - 1) };
	for (size_t i = 0; i < key->n; i++)
		if ((key->data[i] | 0x20) < 'a' || (key->data[i] | 0x20) > 'z')
			return false;
	*at = stop + 1;
	return true;
}

/* Keeps the value of a key that is known, once. */
static bool keep(struct message *message, struct text key, struct text value)
{
	struct text *slot;

	if (text_is(key, "auth"))
		return !message->token.data && read_auth(value, &message->token);
	slot = text_is(key, "user")   ? &message->user
	       : text_is(key, "host") ? &message->host
	       : text_is(key, "port") ? &message->port
				      : NULL;
	if (!slot)
		return true;
	if (slot->data)
		return false;
	*slot = value;
	return true;
}

/* The pairs up to the separator that ends the message. */
static bool read_pairs(const char *at, const char *end, struct message *message)
{
	struct text key, value;

	while (at < end && *at != SEPARATOR)
		if (!next_pair(&at, end, &key, &value) || !keep(message, key, value))
			return false;
	return at + 1 == end && message->token.data;
}

/* What the client takes as the server's name, where TLS has told which one it is; a port can be
 * another behind a proxy. */
static bool is_meant_for_us(const struct message *message, const struct sasl_peer *peer)
{
	const char *name = peer->query.server_name;
	unsigned long port = 0;

	if (message->host.data && name && *name && !text_is(message->host, name))
		return false;
	if (!message->port.data)
		return true;
	if (message->port.n > PORT_CHARS)
		return false;
	for (size_t i = 0; i < message->port.n; i++) {
		if (message->port.data[i] < '0' || message->port.data[i] > '9')
			return false;
		port = port * 10 + (unsigned long)(message->port.data[i] - '0');
	}
	return port > 0 && port <= PORT_MAX;
}

static void collect(struct sasl_exchange *exchange, struct text token, bool *done)
{
	exchange->credentials->kind = CREDENTIAL_TOKEN;
	exchange->credentials->secret = secret_new(token.data, token.n);
	*done = true;
}

static struct err malformed(const struct sasl_exchange *exchange)
{
	return err_make(ERR_INVALID, "SASL %s: malformed message", exchange->mechanism->name);
}

static fiber_fn struct err step_xoauth2(
	struct sasl_exchange *exchange, const char *text, size_t n, struct buffer *out, bool *done)
{
	cleanup(free_cleanup) char *login = NULL;
	struct message message = { 0 };
	struct err e;

	(void)out;
	if (strlen(text) != n || !read_pairs(text, text + n, &message) || !message.user.data)
		return malformed(exchange);
	login = mem_printf("%.*s", (int)message.user.n, message.user.data);
	if (failed(e = sasl_identities(exchange, login, "")))
		return e;
	collect(exchange, message.token, done);
	return ok();
}

/* A name in which "," is "=2C" and "=" is "=3D" (RFC 5801 section 4), up to its comma. */
static bool read_name(const char **at, const char *end, struct buffer *ret)
{
	for (; *at < end && **at != ','; ++*at) {
		if (**at != '=') {
			buffer_append(ret, *at, 1);
		} else if (strncmp(*at, "=2C", 3) == 0 || strncmp(*at, "=3D", 3) == 0) {
			buffer_append(ret, (*at)[1] == '2' ? "," : "=", 1);
			*at += 2;
		} else {
			return false;
		}
	}
	return *at < end;
}

/* RFC 5801 section 4: no channel binding, and the authorization identity. Then the first
 * separator. */
static bool read_gs2_header(const char **at, const char *end, struct buffer *login)
{
	if (strncmp(*at, "n,", 2) != 0 && strncmp(*at, "y,", 2) != 0)
		return false;
	*at += 2;
	if (strncmp(*at, "a=", 2) == 0) {
		*at += 2;
		if (!read_name(at, end, login) || buffer_used(login) == 0)
			return false;
	}
	if (strncmp(*at, ",\x01", 2) != 0)
		return false;
	*at += 2;
	return true;
}

static fiber_fn struct err step_oauthbearer(
	struct sasl_exchange *exchange, const char *text, size_t n, struct buffer *out, bool *done)
{
	cleanup(buffer_done) struct buffer login = { 0 };
	struct message message = { 0 };
	const char *at = text;
	struct err e;

	(void)out;
	if (strlen(text) != n || !read_gs2_header(&at, text + n, &login) ||
		!read_pairs(at, text + n, &message))
		return malformed(exchange);
	if (!is_meant_for_us(&message, exchange->peer))
		return err_make(ERR_INVALID, "SASL OAUTHBEARER: meant for another host or port");
	buffer_append(&login, "", 1);
	if (*buffer_data(&login)) {
		if (failed(e = sasl_identities(exchange, buffer_data(&login), "")))
			return e;
	} else { /* whom the token belongs to (RFC 7628 section 3.1) */
		exchange->credentials->login = mem_strdup("");
		exchange->credentials->authorization = mem_strdup("");
	}
	collect(exchange, message.token, done);
	return ok();
}

/* What a client may be told about getting a better token: only what it would be told whoever it
 * claims to be, so that no login's tenant shows. NULL: that differs. */
static const struct token_settings *common_settings(const struct sasl_exchange *exchange)
{
	const struct sasl_peer *peer = exchange->peer;
	const struct token_settings *common = NULL;

	for (size_t i = 0; i < peer->config->n_tenants; i++) {
		const struct tenant *tenant = &peer->config->tenants[i];
		const struct token_settings *own = &tenant->auth.oauth2;

		if (!(tenant->auth.mechanisms & exchange->mechanism->bit) ||
			!route_reaches(tenant, &peer->query))
			continue;
		if (common && (strcmp(common->issuer, own->issuer) != 0 ||
				      strcmp(common->scope, own->scope) != 0))
			return NULL;
		common = own;
	}
	return common;
}

/* A member of a JSON object behind another; text without control characters. */
static void put_member(struct buffer *out, const char *name, const char *text, const char *behind)
{
	buffer_printf(out, ",\"%s\":\"", name);
	for (; *text; text++)
		buffer_printf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	buffer_printf(out, "%s\"", behind);
}

static void fail_xoauth2(const struct sasl_exchange *exchange, struct buffer *out)
{
	const struct token_settings *settings = common_settings(exchange);

	buffer_printf(out, "{\"status\":\"401\",\"schemes\":\"bearer\"");
	if (settings && *settings->scope)
		put_member(out, "scope", settings->scope, "");
	buffer_printf(out, "}");
}

/* RFC 7628 section 3.2.2 */
static void fail_oauthbearer(const struct sasl_exchange *exchange, struct buffer *out)
{
	const struct token_settings *settings = common_settings(exchange);
	const char *issuer = settings ? settings->issuer : "";
	size_t n = strlen(issuer);

	buffer_printf(out, "{\"status\":\"invalid_token\"");
	if (settings && *settings->scope)
		put_member(out, "scope", settings->scope, "");
	if (n > 0)
		put_member(out, "openid-configuration", issuer,
			issuer[n - 1] == '/' ? DISCOVERY : "/" DISCOVERY);
	buffer_printf(out, "}");
}

const struct sasl_mechanism sasl_xoauth2 = {
	.bit = MECH_XOAUTH2,
	.name = "XOAUTH2",
	.plaintext = true,
	.step = step_xoauth2,
	.failure = fail_xoauth2,
};

const struct sasl_mechanism sasl_oauthbearer = {
	.bit = MECH_OAUTHBEARER,
	.name = "OAUTHBEARER",
	.plaintext = true,
	.step = step_oauthbearer,
	.failure = fail_oauthbearer,
};
