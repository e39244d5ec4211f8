/*
 * saslprep - names and passwords in the one form in which they are compared (RFC 4013), by
 * libgsasl.
 */
#ifndef POPGATE_LOGIN_SASLPREP_H
#define POPGATE_LOGIN_SASLPREP_H

#include <stdbool.h>

#include "proxy/runtime/secret.h"

/* text, NUL-terminated, prepared as a query string (RFC 3454 section 7). false: it is no UTF-8, or
 * holds what names and passwords may not. */
bool saslprep(const char *text, struct secret **ret);

#endif
