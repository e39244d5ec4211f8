/* check - what no key of the service itself shows alone: listeners, certificates, login names. */
#include <ctype.h>
#include <string.h>

#include "config/address.h"
#include "config/load.h"
#include "config/units.h"

/* RFC 2449 section 4 and RFC 1939 section 3. */
#define LEAST_COMMAND_OCTETS 255
#define LEAST_IDLE           (10 * MINUTE)

/* Mechanisms that show nobody the password, so that they need no TLS. */
#define SAFE_MECHANISMS (unsigned)(MECH_SCRAM_SHA_256 | MECH_GSSAPI | MECH_NTLM)

static void check_listener_name(struct loader *l, size_t index)
{
	const struct block *block = l->listeners.items[index];
	const char *name = l->config->listeners[index].name;

	for (size_t i = 0; i < index && *name; i++) {
		if (strcmp(l->config->listeners[i].name, name) == 0) {
			block_report(l, block, "name", CONFIG_ERROR,
				"another listener has this name (line %u), expected one of its own",
				l->listeners.items[i]->at.line);
			return;
		}
	}
}

/* Whether an address is one of the first n of a listener. */
static bool is_among(const struct listener_config *listener, size_t n, const char *text)
{
	struct listen_address address, other;

	if (!listen_address_parse(text, &address))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (listen_address_parse(listener->listen.items[i], &other) &&
			address.length == other.length &&
			memcmp(&address.address, &other.address, address.length) == 0)
			return true;
	}
	return false;
}

static void check_listener_addresses(struct loader *l, size_t index)
{
	const struct listener_config *listeners = l->config->listeners;
	const struct string_list *own = &listeners[index].listen;

	for (size_t i = 0; i < own->n; i++) {
		bool taken = is_among(&listeners[index], i, own->items[i]);

		for (size_t j = 0; j < index && !taken; j++)
			taken = is_among(&listeners[j], listeners[j].listen.n, own->items[i]);
		if (taken)
			block_report(l, l->listeners.items[index], "listen", CONFIG_ERROR,
				"%s is listened on twice, expected each address once",
				own->items[i]);
	}
}

static bool any_safe_mechanism(const struct config *config)
{
	for (size_t i = 0; i < config->n_tenants; i++) {
		if (config->tenants[i].auth.mechanisms & SAFE_MECHANISMS)
			return true;
	}
	return false;
}

static void check_listener_authorities(struct loader *l, size_t index)
{
	const struct listener_config *listener = &l->config->listeners[index];
	const struct block *block = l->listeners.items[index];
	struct tls_context *context = NULL;
	struct err e;

	if (!*listener->ca_file)
		return;
	if (listener->tls == TLS_NONE)
		block_report(l, block, "ca_file", CONFIG_ERROR,
			"there are no client certificates without TLS, expected tls: starttls or "
			"implicit");
	e = tls_client_new(listener->ca_file, true, NULL, NULL, &context);
	tls_context_free(context);
	if (failed(e))
		block_report(l, block, "ca_file", CONFIG_ERROR,
			"%s, expected a PEM file of certificates", e.detail);
}

static void check_listener_tls(struct loader *l, size_t index)
{
	const struct listener_config *listener = &l->config->listeners[index];
	const struct block *block = l->listeners.items[index];

	if (listener->tls != TLS_NONE && l->config->n_certificates == 0)
		block_report(l, block, "tls", CONFIG_ERROR,
			"TLS needs a certificate, expected one in certificates");
	if (listener->tls == TLS_NONE && !listener->plaintext_login &&
		!any_safe_mechanism(l->config))
		block_report(l, block, "plaintext_login", CONFIG_ERROR,
			"nobody can log in: there is no TLS here, no mechanism that works without, "
			"and passwords are not allowed in clear; expected tls: starttls or "
			"implicit, or "
			"plaintext_login: true");
}

static enum tls_version least_tls(const struct config *config)
{
	enum tls_version least = TLS_V1_3;

	for (size_t i = 0; i < config->n_listeners; i++) {
		if (config->listeners[i].minimum_tls < least)
			least = config->listeners[i].minimum_tls;
	}
	return least;
}

static void check_certificates(struct loader *l)
{
	bool given = block_gives(&l->root, "certificates");

	for (size_t i = 0; i < l->config->n_certificates; i++) {
		const struct tls_certificate *certificate = &l->config->certificates[i];
		const struct block *block = l->certificates.items[i];
		struct tls_context *context = NULL;
		struct err e;

		/* A file that cannot be read was reported at its key. */
		if (!*certificate->certificate || !*certificate->key)
			continue;
		e = tls_server_new(certificate, 1, least_tls(l->config), NULL, &context);
		tls_context_free(context);
		if (failed(e) && given)
			block_report(l, block, "certificate", CONFIG_ERROR,
				"%s, expected a PEM certificate and the key that fits it",
				e.detail);
		else if (failed(e))
			block_report(l, &l->root, "certificates", CONFIG_ERROR,
				"none is given, and the default does not work (%s), expected a "
				"certificate and key, or listeners with tls: none",
				e.detail);
	}
}

static bool is_punctuation(const char *text)
{
	for (; *text; text++) {
		if (!ispunct((unsigned char)*text) || *text == '/')
			return false;
	}
	return true;
}

static void check_login_name(struct loader *l)
{
	const struct login_name_settings *s = &l->config->login_name;

	if (!is_punctuation(s->separators))
		block_report(l, &l->root, "login_name.separators", CONFIG_ERROR,
			"a letter, digit, blank, \"/\" or what is not ASCII cannot separate, "
			"expected "
			"punctuation such as \"@%%#\"");
	if (!is_punctuation(s->folder_separator))
		block_report(l, &l->root, "login_name.folder_separator", CONFIG_ERROR,
			"a letter, digit, blank, \"/\" or what is not ASCII cannot separate, "
			"expected "
			"punctuation such as \"+\"");
	else if (*s->folder_separator &&
		 (strpbrk(s->folder_separator, s->separators) || strchr(s->folder_separator, '@')))
		block_report(l, &l->root, "login_name.folder_separator", CONFIG_ERROR,
			"it separates user and domain already, expected another character");
}

/* What a client would read as more than text: an APOP timestamp (RFC 1939 section 7), a response
 * code (RFC 2449 section 8). */
static void check_banner(struct loader *l)
{
	const char *banner = l->config->protocol.banner, *open = strchr(banner, '<');

	if (open && strchr(open, '>'))
		block_report(l, &l->root, "protocol.banner", CONFIG_ERROR,
			"text in <> offers APOP, which is not supported, expected none");
	if (*banner == '[')
		block_report(l, &l->root, "protocol.banner", CONFIG_ERROR,
			"text that begins with [ is a response code, expected other text");
	for (; *banner; banner++) {
		if ((unsigned char)*banner < 0x80)
			continue;
		block_report(l, &l->root, "protocol.banner", CONFIG_ERROR,
			"a client that has not asked for UTF8 gets it, expected ASCII");
		break;
	}
}

static void check_protocol(struct loader *l)
{
	const struct config *config = l->config;

	if (config->protocol.max_command_octets < LEAST_COMMAND_OCTETS)
		block_report(l, &l->root, "protocol.max_command_octets", CONFIG_WARNING,
			"RFC 2449 asks for %d octets at least", LEAST_COMMAND_OCTETS);
	if (config->timeouts.idle < LEAST_IDLE)
		block_report(l, &l->root, "timeouts.idle", CONFIG_WARNING,
			"RFC 1939 asks for 10m at least");
}

void check_config(struct loader *l)
{
	for (size_t i = 0; i < l->config->n_listeners; i++) {
		check_listener_name(l, i);
		check_listener_addresses(l, i);
		check_listener_tls(l, i);
		check_listener_authorities(l, i);
	}
	check_certificates(l);
	check_login_name(l);
	check_banner(l);
	check_protocol(l);
}
