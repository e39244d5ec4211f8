/*
 * tls_resume - a client's handshakes with a server that it knows are short: the session that the
 * server gave a ticket for is offered again (RFC 8446 section 2.2, RFC 5077).
 *
 * Kept per context, so that nothing passes between settings that differ in whom they trust or who
 * they are; and per server name, as which its certificate was verified when the session began. A
 * session that the server does not take costs a whole handshake, and so does every one
 * TLS_RESUME_AGE after the server last showed its certificate.
 */
#ifndef POPGATE_RUNTIME_TLS_RESUME_H
#define POPGATE_RUNTIME_TLS_RESUME_H

#include <openssl/ssl.h>

#define TLS_RESUME_AGE     3600 /* s: so long may a server's certificate go unseen */
#define TLS_RESUME_SERVERS 64   /* of one context; beyond, one of them is forgotten */

/* For a client context, once. */
void tls_resume_prepare(SSL_CTX *context);
/* Of a context made so: offers what is known of that server and keeps what it will give. name: not
 * empty. */
void tls_resume_offer(SSL *ssl, const char *name);

#endif
