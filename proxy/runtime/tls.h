/*
 * tls - OpenSSL contexts for both directions; stream.h puts a stream under one.
 *
 * A context is made before the fork (server) or on first use (client) and shared by all sessions of
 * a process. Certificates and names of servers are verified here, through OpenSSL. No fiber.
 */
#ifndef POPGATE_RUNTIME_TLS_H
#define POPGATE_RUNTIME_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/err.h"

struct tls_context;
struct ssl_st;

/* One certificate chain and its key, PEM files. */
struct tls_certificate {
	const char *certificate, *key;
};

enum tls_version { TLS_V1_0, TLS_V1_1, TLS_V1_2, TLS_V1_3 };

/* Reads the files; ERR_INVALID says which file and why (missing, unreadable, key does not fit). The
 * certificate whose names (subjectAltName, else CN; wildcards) fit the client's server name is
 * used, else the first. minimum below TLS_V1_2 also lowers OpenSSL's security level to 0, for old
 * devices. client_ca_file: NULL or "", or a file of CAs, and of revocation lists if wanted;
 * then client certificates are asked for, not required. */
struct err tls_server_new(const struct tls_certificate *certificates, size_t n,
	enum tls_version minimum, const char *client_ca_file, struct tls_context **ret);

/* ca_file "" or NULL: the system's. verify false: any certificate. client_*: "" or NULL: none. */
struct err tls_client_new(const char *ca_file, bool verify, const char *client_certificate,
	const char *client_key, struct tls_context **ret);

void tls_context_free(struct tls_context *context); /* NULL-safe */

/* For stream.c: a new SSL of the context. server_name (client side): sent as SNI and verified; an
 * address literal is verified as an address and not sent. NULL on the server side. */
struct err tls_new_ssl(struct tls_context *context, const char *server_name, struct ssl_st **ret);

#endif
