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

/* Checks a password for account, where the gateway itself is to check it. account NULL: an unknown
 * tenant; does the work of a wrong password and fails with ERR_AUTH.
 * ok: the password is right, or the store is to check it. *ret_password is what the backend is to
 * be given: the password itself (borrowed from the argument), or NULL where the store asks for none
 * (Maildir) or is entered by master user.
 * ERR_AUTH wrong; ERR_TEMP the source cannot be read (the detail says why). */
fiber_fn struct err login_verify(const struct account *account, const struct secret *password,
	const struct secret **ret_password);

#endif
