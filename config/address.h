/*
 * address - networks, addresses to listen on, and names of domains and hosts. Pure functions.
 */
#ifndef POPGATE_CONFIG_ADDRESS_H
#define POPGATE_CONFIG_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "config/config.h"

/* Room for the longest network as text, its NUL included. */
#define NETWORK_TEXT 64

/* "192.0.2.0/24", "2001:db8::/32", or one address. */
bool network_parse(const char *text, struct network *ret);
/* Clears the address bits behind the prefix; whether there were any. */
bool network_trim(struct network *network);
/* Whether every address of inner lies in outer. */
bool network_covers(const struct network *outer, const struct network *inner);
/* The text form, in text; returns it. */
const char *network_text(const struct network *network, char text[NETWORK_TEXT]);

/* What to bind to. */
struct listen_address {
	struct sockaddr_storage address;
	socklen_t length;
};
/* "[::]:110", "127.0.0.1:1110", "*:110" (every address: as [::]). A port is required, 0 is none. */
bool listen_address_parse(const char *text, struct listen_address *ret);

/* Labels of letters, digits, "-", "_" and what is not ASCII; no empty one. */
bool domain_valid(const char *text);
/* An ASCII domain or an address without a port. */
bool host_valid(const char *text);
/* A plain address in ASCII: user@domain, the user without quotes (RFC 5322 dot-atom). */
bool mail_address_valid(const char *text);
/* Whether a host_valid text means this machine itself. */
bool host_is_loopback(const char *text);
/* https://HOST[:PORT][/…], or http:// to a loopback host; without credentials, a fragment, or
 * octets that a URL must encode. */
bool url_valid(const char *text);
/* Whether a name fits a pattern: equal but for the case of ASCII letters, or below the domain after
 * "*.", at any depth. */
bool domain_fits(const char *pattern, const char *name);
/* Whether every name that fits inner fits outer. */
bool domain_covers(const char *outer, const char *inner);

#endif
