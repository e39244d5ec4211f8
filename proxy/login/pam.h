/*
 * pam - passwords checked by a PAM service: pam_authenticate, then pam_acct_mgmt.
 *
 * One PAM handle per call, in the thread pool, a bounded number at a time. PAM's own delay after a
 * failure is turned off: it would hold a thread, and throttle.h delays the answer anyway.
 */
#ifndef POPGATE_LOGIN_PAM_H
#define POPGATE_LOGIN_PAM_H

#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/secret.h"

struct pam_request {
	const char *service;
	const char *directory; /* where the service is defined; NULL: the system's places */
	const char *login;
	const char *address; /* PAM_RHOST */
	const struct secret *password;
};

/* ok; ERR_AUTH refused, or an empty password, or one with a NUL inside; ERR_TEMP: PAM could not
 * decide; ERR_PERM: built without PAM; ERR_TIMEOUT, ERR_CANCELED while waiting for a place. */
fiber_fn struct err pam_verify(const struct pam_request *request);

#endif
