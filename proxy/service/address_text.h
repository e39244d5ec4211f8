/*
 * address_text - addresses of clients as text: numeric, and an IPv4 address that came as IPv6
 * (::ffff:a.b.c.d) as IPv4, so that logs, limits and networks know each client by one name.
 */
#ifndef POPGATE_SERVICE_ADDRESS_TEXT_H
#define POPGATE_SERVICE_ADDRESS_TEXT_H

#include <netinet/in.h>

/* Fills in text and returns it. */
const char *address_text(const struct in6_addr *address, char text[INET6_ADDRSTRLEN]);

#endif
