/* network - networks of addresses; IPv4 as ::ffff:a.b.c.d, so that one comparison does. */
#include <arpa/inet.h>
#include <string.h>

#include "config/address.h"
#include "config/units.h"

#define MAPPED_BITS 96

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* How many bits the written form has, 32 or 128; 0 when text is no address. */
static unsigned address_parse(const char *text, uint8_t ret[16])
{
	if (inet_pton(AF_INET6, text, ret) == 1)
		return 128;
	if (inet_pton(AF_INET, text, ret + 12) != 1)
		return 0;
	memcpy(ret, mapped, sizeof(mapped));
	return 32;
}

bool network_parse(const char *text, struct network *ret)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t prefix;
	unsigned bits;

	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	bits = address_parse(address, ret->address);
	prefix = bits;
	if (bits == 0 || (slash && !number_parse(slash + 1, &prefix)) || prefix > bits)
		return false;
	ret->prefix = (uint8_t)(prefix + 128 - bits);
	return true;
}

/* The bits of octet i that belong to a prefix. */
static uint8_t octet_mask(unsigned prefix, unsigned i)
{
	if (prefix >= (i + 1) * 8)
		return 0xff;
	if (prefix <= i * 8)
		return 0;
	return (uint8_t)(0xff00 >> (prefix - i * 8));
}

bool network_trim(struct network *network)
{
	bool any = false;

	for (unsigned i = 0; i < 16; i++) {
		uint8_t kept = (uint8_t)(network->address[i] & octet_mask(network->prefix, i));

		any = any || kept != network->address[i];
		network->address[i] = kept;
	}
	return any;
}

bool network_covers(const struct network *outer, const struct network *inner)
{
	if (outer->prefix > inner->prefix)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		if ((outer->address[i] ^ inner->address[i]) & octet_mask(outer->prefix, i))
			return false;
	}
	return true;
}

const char *network_text(const struct network *network, char text[NETWORK_TEXT])
{
	bool v4 = network->prefix >= MAPPED_BITS &&
		  memcmp(network->address, mapped, sizeof(mapped)) == 0;
	unsigned prefix = network->prefix - (v4 ? MAPPED_BITS : 0U);
	size_t n;

	inet_ntop(
		v4 ? AF_INET : AF_INET6, network->address + (v4 ? 12 : 0), text, INET6_ADDRSTRLEN);
	n = strlen(text);
	if (network->prefix < 128)
		snprintf(text + n, NETWORK_TEXT - n, "/%u", prefix);
	return text;
}

bool network_list_contains(const struct network_list *list, const char *address)
{
	char text[INET6_ADDRSTRLEN];
	struct network one = { .prefix = 128 };
	size_t n = strcspn(address, "%"); /* without the zone of a link-local address */

	if (n >= sizeof(text))
		return false;
	memcpy(text, address, n);
	text[n] = '\0';
	if (address_parse(text, one.address) == 0)
		return false;
	for (size_t i = 0; i < list->n; i++) {
		if (network_covers(&list->items[i], &one))
			return true;
	}
	return false;
}
