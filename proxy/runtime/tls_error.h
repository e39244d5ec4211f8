/*
 * tls_error - what OpenSSL says, as an error that an operator understands. For tls.c and
 * stream_tls.c.
 */
#ifndef POPGATE_RUNTIME_TLS_ERROR_H
#define POPGATE_RUNTIME_TLS_ERROR_H

#include <stddef.h>

#include "proxy/runtime/err.h"

struct ssl_st;
struct ssl_ctx_st;

/* After an SSL_* call that failed for good: ERR_PEER. errnum: what it left in errno, which was 0
 * before. Clears the error queue. */
struct err tls_error(struct ssl_st *ssl, int errnum);

/* The text of the earliest error of the queue, which it clears. Into text, which is returned. */
const char *tls_queue_text(char *text, size_t size);

/* Makes a failed verification of the peer's certificate leave its reason, with the names that a
 * reader needs, for tls_error. mode: SSL_VERIFY_… */
void tls_explain_verification(struct ssl_ctx_st *context, int mode);

#endif
