#include "proxy/proxy_protocol.h"

#include <arpa/inet.h>
#include <string.h>

#include "proxy/service/address_text.h"

/* As many octets as both versions have at least, so that the first read goes beyond neither. */
#define FIRST 12

static const unsigned char v2_signature[FIRST] = "\r\n\r\n\0\r\nQUIT\n";

static struct err malformed(const char *what)
{
	return err_make(ERR_INVALID, "malformed PROXY header: %s", what);
}

static bool parse_address(int family, const char *text, struct proxy_header *ret)
{
	struct in6_addr address;

	if (inet_pton(family, text, &address) != 1)
		return false;
	if (family == AF_INET6)
		(void)address_text(&address, ret->address);
	else
		(void)inet_ntop(AF_INET, &address, ret->address, sizeof(ret->address));
	return true;
}

/* Decimal, no sign, no leading zero, at most 65535. */
static bool is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");
	unsigned port = 0;

	if (n == 0 || n > 5 || text[n] || (n > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++)
		port = port * 10 + (unsigned)(text[i] - '0');
	return port <= 65535;
}

/* The next field of a text whose fields are parted by one space each; NULL at its end. */
static char *field(char **rest)
{
	return strsep(rest, " ");
}

static struct err parse_endpoints(int family, char *rest, struct proxy_header *ret)
{
	const char *source = field(&rest);
	const char *destination = field(&rest);
	const char *source_port = field(&rest);
	const char *destination_port = field(&rest);
	struct proxy_header client, server;

	if (!destination_port || rest)
		return malformed("not four fields behind the protocol");
	if (!parse_address(family, source, &client) || !parse_address(family, destination, &server))
		return malformed("not an address of the protocol named");
	if (!is_port(source_port) || !is_port(destination_port))
		return malformed("not a port");
	*ret = client;
	return ok();
}

struct err proxy_protocol_parse_v1(const char *line, size_t n, struct proxy_header *ret)
{
	char text[PROXY_V1_MAX];
	char *rest = text;
	const char *protocol;

	if (n < 2 || n > PROXY_V1_MAX || line[n - 2] != '\r' || line[n - 1] != '\n')
		return malformed("no CRLF within 107 octets");
	n -= 2;
	memcpy(text, line, n);
	text[n] = '\0';
	if (strlen(text) != n)
		return malformed("it holds a NUL");
	if (strcmp(field(&rest), "PROXY") != 0 || !rest)
		return malformed("it does not begin with PROXY");
	protocol = field(&rest);
	if (strcmp(protocol, "UNKNOWN") == 0) {
		/* What follows is to be ignored (section 2.1). */
		ret->address[0] = '\0';
		return ok();
	}
	if (strcmp(protocol, "TCP4") == 0)
		return parse_endpoints(AF_INET, rest, ret);
	if (strcmp(protocol, "TCP6") == 0)
		return parse_endpoints(AF_INET6, rest, ret);
	return malformed("not TCP4, TCP6 or UNKNOWN");
}

static size_t announced(const unsigned char fixed[PROXY_V2_FIXED])
{
	return (size_t)fixed[14] << 8 | fixed[15];
}

/* Family and transport in one octet (section 2.2). */
static struct err parse_v2_address(
	unsigned char family, const unsigned char *addresses, size_t n, struct proxy_header *ret)
{
	size_t needed = family == 0x11   ? 12
			: family == 0x21 ? 36
			: family == 0x31 ? PROXY_V2_ADDRESS
					 : 0;
	struct in6_addr v6;

	if (family != 0x00 && needed == 0)
		return malformed("not TCP");
	if (n < needed)
		return malformed("shorter than its addresses");
	ret->address[0] = '\0';
	if (family == 0x11) {
		(void)inet_ntop(AF_INET, addresses, ret->address, sizeof(ret->address));
	} else if (family == 0x21) {
		memcpy(&v6, addresses, sizeof(v6));
		(void)address_text(&v6, ret->address);
	}
	return ok();
}

struct err proxy_protocol_parse_v2(const unsigned char fixed[PROXY_V2_FIXED],
	const unsigned char *addresses, size_t n, struct proxy_header *ret)
{
	if (memcmp(fixed, v2_signature, sizeof(v2_signature)) != 0)
		return malformed("no signature");
	switch (fixed[12]) {
	case 0x20: /* LOCAL: the balancer itself, e.g. a health check; the family is ignored */
		ret->address[0] = '\0';
		return ok();
	case 0x21:
		return parse_v2_address(fixed[13], addresses, n, ret);
	default:
		return malformed("not LOCAL or PROXY of version 2");
	}
}

fiber_fn static struct err read_exactly(struct stream *stream, void *data, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t got = 0;
		struct err e = stream_read(stream, (char *)data + done, n - done, &got);

		if (failed(e))
			return e;
		if (got == 0)
			return err_make(ERR_PEER, "the connection closed before its PROXY header"
						  " was complete");
		done += got;
	}
	return ok();
}

/* One octet at a time: what follows the line belongs to the session. */
fiber_fn static struct err read_v1(
	struct stream *stream, const unsigned char first[FIRST], struct proxy_header *ret)
{
	char line[PROXY_V1_MAX];
	size_t n = FIRST;
	struct err e = ok();

	memcpy(line, first, FIRST);
	if (memcmp(line, "PROXY ", 6) != 0 || memchr(line, '\n', FIRST))
		return err_make(ERR_INVALID, "no PROXY header");
	while (line[n - 1] != '\n' && n < PROXY_V1_MAX) {
		e = read_exactly(stream, line + n, 1);
		if (failed(e))
			return e;
		n++;
	}
	return proxy_protocol_parse_v1(line, n, ret);
}

fiber_fn static struct err skip(struct stream *stream, size_t n)
{
	unsigned char waste[256];

	while (n > 0) {
		size_t part = n < sizeof(waste) ? n : sizeof(waste);
		struct err e = read_exactly(stream, waste, part);

		if (failed(e))
			return e;
		n -= part;
	}
	return ok();
}

fiber_fn static struct err read_v2(
	struct stream *stream, const unsigned char first[FIRST], struct proxy_header *ret)
{
	unsigned char fixed[PROXY_V2_FIXED], addresses[PROXY_V2_ADDRESS];
	size_t n;
	struct err e;

	memcpy(fixed, first, FIRST);
	e = read_exactly(stream, fixed + FIRST, PROXY_V2_FIXED - FIRST);
	if (failed(e))
		return e;
	n = announced(fixed) < PROXY_V2_ADDRESS ? announced(fixed) : PROXY_V2_ADDRESS;
	e = read_exactly(stream, addresses, n);
	if (!failed(e))
		e = skip(stream, announced(fixed) - n);
	if (!failed(e))
		e = proxy_protocol_parse_v2(fixed, addresses, n, ret);
	return e;
}

fiber_fn struct err proxy_protocol_read(struct stream *stream, struct proxy_header *ret)
{
	unsigned char first[FIRST];
	struct err e = read_exactly(stream, first, FIRST);

	if (failed(e))
		return e;
	if (memcmp(first, v2_signature, FIRST) == 0)
		return read_v2(stream, first, ret);
	return read_v1(stream, first, ret);
}
