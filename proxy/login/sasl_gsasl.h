/*
 * sasl_gsasl - what the mechanisms that libgsasl serves share. Internal to proxy/login.
 *
 * The state of such an exchange is a session of libgsasl; it asks for what it needs by a callback
 * of the mechanism, which may suspend.
 */
#ifndef POPGATE_LOGIN_SASL_GSASL_H
#define POPGATE_LOGIN_SASL_GSASL_H

#include <gsasl.h>

#include "proxy/login/sasl_mechanism.h"

/* What libgsasl asks for: sets the property, or answers a GSASL_VALIDATE_. Any Gsasl_rc. */
typedef int sasl_gsasl_ask(
	struct sasl_exchange *exchange, Gsasl_session *session, Gsasl_property property);

/* Begins a session for the mechanism's name; own (malloc'ed, or NULL) is freed with it. The
 * exchange stays where it is. ERR_TEMP: libgsasl cannot; own is freed. */
struct err sasl_gsasl_start(struct sasl_exchange *exchange, sasl_gsasl_ask *ask, void *own);
/* sasl_mechanism.free; wipes a password that libgsasl has seen. */
void sasl_gsasl_free(struct sasl_exchange *exchange);
Gsasl_session *sasl_gsasl_session(const struct sasl_exchange *exchange);
void *sasl_gsasl_own(const struct sasl_exchange *exchange);

/* Hands libgsasl one message and appends its challenge. *ret_status: GSASL_OK (it is done),
 * GSASL_NEEDS_MORE or GSASL_AUTHENTICATION_ERROR; whatever else it says is ERR_INVALID. */
fiber_fn struct err sasl_gsasl_step(struct sasl_exchange *exchange, const char *message, size_t n,
	struct buffer *out, int *ret_status);

#endif
