/*
 * proxy_protocol - the header that a load balancer sends before the client's first octet: PROXY
 * protocol versions 1 (text) and 2 (binary), proxy-protocol.txt of HAProxy, 2020-03-05.
 *
 * Only for peers that the configuration names; from others such a header is a bad command.
 * Suspends: proxy_protocol_read.
 * Limits:   version 1: 107 octets. Version 2: addresses of at most 216 octets are looked at, what
 *           follows (TLVs) is skipped in constant memory, at most 64 KiB. Time: the caller's
 *           deadline.
 * Errors:   ERR_INVALID: no header, or a malformed one; else the stream's.
 */
#ifndef POPGATE_PROXY_PROTOCOL_H
#define POPGATE_PROXY_PROTOCOL_H

#include <netinet/in.h>

#include "proxy/runtime/stream.h"

#define PROXY_V1_MAX     107 /* with CRLF */
#define PROXY_V2_FIXED   16
#define PROXY_V2_ADDRESS 216 /* the largest block of addresses, that of AF_UNIX */

/* Who the header says is the client. */
struct proxy_header {
	/* Numeric; "" when the header names nobody (UNKNOWN, LOCAL, a local socket): then it is the
	 * peer itself. */
	char address[INET6_ADDRSTRLEN];
};

/* Reads exactly the header's octets, none of what follows. */
fiber_fn struct err proxy_protocol_read(struct stream *stream, struct proxy_header *ret);

/* A line with its CRLF. */
struct err proxy_protocol_parse_v1(const char *line, size_t n, struct proxy_header *ret);
/* The 16 fixed octets, and of the octets that they announce the first n, n being at least the
 * smaller of their number and PROXY_V2_ADDRESS. */
struct err proxy_protocol_parse_v2(const unsigned char fixed[PROXY_V2_FIXED],
	const unsigned char *addresses, size_t n, struct proxy_header *ret);

#endif
