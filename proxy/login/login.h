/*
 * login - who may enter: password sources and throttling of failures.
 *
 * A tenant's source is its users_file, else PAM, else its IMAP server. Unknown user, unknown tenant
 * and wrong password cost the same work and end in the same error.
 * Suspends: login_verify (hashes run in the thread pool).
 */
#ifndef POPGATE_LOGIN_LOGIN_H
#define POPGATE_LOGIN_LOGIN_H

#include "backends/backend.h"
#include "config/config.h"
#include "proxy/login/credentials.h"

/* Judges credentials for account, where the gateway itself is to judge them. account NULL: an
 * unknown tenant; does the work of a wrong password and fails with ERR_AUTH. ok: they are right, or
 * the store is to judge. *ret is what the backend is to be given (borrowed from the credentials):
 * the password or token where the store checks it, nothing where it asks for none (Maildir) or is
 * entered by master user. ERR_AUTH wrong; ERR_TEMP the source cannot be read; ERR_PERM the login is
 * proved, but there is no way to enter the store for it. The detail says why. */
fiber_fn struct err login_verify(const struct account *account,
	const struct credentials *credentials, struct store_credentials *ret);

#endif
