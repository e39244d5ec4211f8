/* address - addresses to listen on, domains, hosts. */
#include "config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "config/units.h"

bool listen_address_parse(const char *text, struct listen_address *ret)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->address;
	char host[INET6_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');
	bool brackets = *text == '[' && colon && colon > text && colon[-1] == ']';
	const char *start = brackets ? text + 1 : text;
	size_t n = colon ? (size_t)(colon - start) - (brackets ? 1 : 0) : 0;
	uint64_t port;

	if (n == 0 || n >= sizeof(host) || !number_parse(colon + 1, &port) || port == 0 ||
		port > UINT16_MAX)
		return false;
	memcpy(host, start, n);
	host[n] = '\0';
	memset(ret, 0, sizeof(*ret));
	if (strcmp(host, "*") == 0 && !brackets) {
		v6->sin6_addr = in6addr_any;
		brackets = true;
	} else if (inet_pton(brackets ? AF_INET6 : AF_INET, host,
			   brackets ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) != 1) {
		return false;
	}
	ret->address.ss_family = brackets ? AF_INET6 : AF_INET;
	ret->length = brackets ? sizeof(*v6) : sizeof(*v4);
	/* The port lies at the same place in both. */
	v6->sin6_port = htons((uint16_t)port);
	return true;
}

bool domain_valid(const char *text)
{
	size_t label = 0, total = strlen(text);

	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

		if (c == '.' && label > 0)
			label = 0;
		else if (letter || (c >= '0' && c <= '9') || c == '-' || c == '_' || c >= 0x80)
			label++;
		else
			return false;
		if (label > 63)
			return false;
	}
	return label > 0 && total <= 253;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text >= 0x80)
			return false;
	}
	return true;
}

bool host_valid(const char *text)
{
	struct in6_addr any;

	return inet_pton(AF_INET6, text, &any) == 1 || (domain_valid(text) && is_ascii(text));
}

/* RFC 5321 section 4.5.3.1.1 */
#define LOCAL_PART_MAX 64

bool mail_address_valid(const char *text)
{
	const char *at = strrchr(text, '@');
	size_t n = at ? (size_t)(at - text) : 0;

	if (n == 0 || n > LOCAL_PART_MAX || text[0] == '.' || at[-1] == '.' ||
		!domain_valid(at + 1) || !is_ascii(at + 1))
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

		if (c == '.' ? text[i + 1] == '.'
			     : !letter && !(c >= '0' && c <= '9') &&
					!memchr("!#$%&'*+-/=?^_`{|}~", c, 19))
			return false;
	}
	return true;
}

bool host_is_loopback(const char *text)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	if (inet_pton(AF_INET6, text, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcasecmp(text, "localhost") == 0;
}

/* The port behind a host, with its colon, or nothing. */
static bool port_valid(const char *text, size_t n)
{
	char digits[8];
	uint64_t port;

	if (n == 0)
		return true;
	if (text[0] != ':' || n > sizeof(digits))
		return false;
	memcpy(digits, text + 1, n - 1);
	digits[n - 1] = '\0';
	return number_parse(digits, &port) && port > 0 && port <= UINT16_MAX;
}

bool url_valid(const char *text)
{
	bool clear = strncmp(text, "http://", 7) == 0;
	const char *host = text + (clear ? 7 : 8), *end;
	bool brackets = false;
	char name[256];
	size_t n;

	if (!clear && strncmp(text, "https://", 8) != 0)
		return false;
	for (const char *p = text; *p; p++) {
		if (*p <= ' ' || *p > '~' || strchr("\"#<>\\^`{|}", *p))
			return false;
	}
	brackets = *host == '[';
	host += brackets;
	n = strcspn(host, brackets ? "]/?" : ":/?");
	if (n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	end = host + n + (brackets && host[n] == ']');
	return host_valid(name) && brackets == (strchr(name, ':') != NULL) &&
	       (!brackets || host[n] == ']') && port_valid(end, strcspn(end, "/?")) &&
	       (!clear || host_is_loopback(name));
}

static bool is_wildcard(const char *pattern)
{
	return strncmp(pattern, "*.", 2) == 0;
}

/* Whether name ends in ".acme.example" for the pattern "*.acme.example", and has more. */
static bool is_below(const char *pattern, const char *name)
{
	size_t n = strlen(name), suffix = strlen(pattern + 1);

	return n > suffix && strcasecmp(name + n - suffix, pattern + 1) == 0;
}

bool domain_fits(const char *pattern, const char *name)
{
	return is_wildcard(pattern) ? is_below(pattern, name) : strcasecmp(pattern, name) == 0;
}

bool domain_covers(const char *outer, const char *inner)
{
	if (!is_wildcard(inner))
		return domain_fits(outer, inner);
	return strcasecmp(outer, inner) == 0 || (is_wildcard(outer) && is_below(outer, inner + 2));
}
