/*
 * gss - security contexts of GSSAPI (RFC 2743) for fibers: Kerberos and NTLM, both ends.
 *
 * Owns:     the context, what it produced, the peer's name, credentials that were handed on.
 * Suspends: whatever reads a key, a file or the network runs in the thread pool, one call at a time
 *           for a context. A call that may ask a KDC holds a place of few there, so that a KDC that
 *           is gone costs those who need it and nobody else.
 * Errors:   details hold the library's own words. Never logs.
 * Present only in builds with POPGATE_GSSAPI. No other file includes GSSAPI's headers.
 */
#ifndef POPGATE_RUNTIME_GSS_H
#define POPGATE_RUNTIME_GSS_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/mem.h"

enum gss_kind { GSS_KERBEROS, GSS_NTLM };

/* What accepts, and what it may prove. */
struct gss_acceptor {
	enum gss_kind kind;
	/* Kerberos: "pop", any pop/… key of the keytab. NTLM: "pop@host", the host's name is shown
	 * to the client. */
	const char *service;
	const char *file; /* Kerberos: keytab. NTLM: users file; "" for a token that needs none */
	/* NTLM: the client's messages have no version field. Then neither signing nor sealing is
	 * offered, with which gss-ntlmssp demands one. */
	bool versionless;
	/* Octets that bind the context to the TLS connection below; n_binding 0: none. Looked at
	 * only where the client bound its token to something too. */
	const char *binding;
	size_t n_binding;
};

/* What gss-ntlmssp takes from the process as a whole, before that has a second thread, whatever its
 * environment says: names are UTF-8; which responses it takes. */
void gss_prepare_ntlm(bool take_v1);

struct gss;

struct gss *gss_new(void);
void gss_free(struct gss *gss); /* NULL-safe */
DEFINE_CLEANUP(gss, gss_free)

/* Takes a token of the client's and appends the answer, if any, to out. *done: the client is who
 * gss_peer says. ERR_AUTH: the token is refused; the context is as new then. ERR_TEMP: the
 * acceptor's own keys or files cannot be had. */
fiber_fn struct err gss_accept_token(struct gss *gss, const struct gss_acceptor *acceptor,
	const void *token, size_t n, struct buffer *out, bool *done);

/* The client's side of Kerberos. credential: of gss_take_delegated; target "imap@host". The first
 * token is empty. *done: the server has proved itself too. ERR_TEMP when it fails. */
fiber_fn struct err gss_initiate_token(struct gss *gss, void *credential, const char *target,
	const void *token, size_t n, struct buffer *out, bool *done);

/* An octet string in and out of the form that protects its integrity. ERR_INVALID: it is none. */
fiber_fn struct err gss_wrap_message(
	struct gss *gss, const void *message, size_t n, struct buffer *out);
fiber_fn struct err gss_unwrap_message(
	struct gss *gss, const void *wrapped, size_t n, struct buffer *out);

/* Of an accepted context: the client, and whom it took us for: "joe@REALM", "pop/host@REALM"; NTLM:
 * "DOMAIN\joe" or "joe", and "". Borrowed. */
const char *gss_peer(const struct gss *gss);
const char *gss_own_name(const struct gss *gss);

/* The credentials that the client handed on, or NULL; then the caller's. */
void *gss_take_delegated(struct gss *gss);
void gss_delegated_free(void *credential); /* NULL-safe */

#endif
