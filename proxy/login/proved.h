/*
 * proved - from a name that Kerberos or NTLM proved to a login, and to the tenant that vouches for
 * it.
 *
 * Which tenant a client belongs to is known only with its login, which these mechanisms tell last.
 * So those tenants are asked that its connection can reach (listener, server name, address) and
 * that have the mechanism and its file of keys: the first one to which its own reading of the name
 * leads is the one. A key of a tenant never proves a login of another's.
 *
 * How a tenant reads a name:
 *   Kerberos joe@REALM: REALM is one of auth.realms (none given: the realm of the key that was
 *     used); the login is joe@auth.login_domain (none given: joe@realm, in lower case). Names of
 *     several components (host/x, joe/admin) are no logins.
 *   NTLM joe or DOMAIN\joe: joe@auth.login_domain (none given: joe, to which
 *     login_name.default_domain applies); joe@domain is a login as it is. DOMAIN only has to be
 *     that of the entry in the users file.
 * Pure: no I/O, no fiber.
 */
#ifndef POPGATE_LOGIN_PROVED_H
#define POPGATE_LOGIN_PROVED_H

#include "proxy/login/sasl.h"

struct proved_name {
	const char *user;
	const char *realm;     /* Kerberos, else NULL */
	const char *own_realm; /* of the key; Kerberos, else NULL */
};

/* The file in which a tenant keeps what proves logins by that mechanism; "" when it has none. */
const char *proved_file(const struct tenant *tenant, unsigned mechanism);

/* The tenants that may be the client's, in order: the first for NULL, then the one after another;
 * NULL: there is no further one. */
const struct tenant *proved_next(
	const struct sasl_peer *peer, unsigned mechanism, const struct tenant *after);

/* The tenant to which name leads, among those with that file (NULL: any), and the login there, to
 * be freed. NULL: none. */
const struct tenant *proved_tenant(const struct sasl_peer *peer, unsigned mechanism,
	const char *file, const struct proved_name *name, char **ret_login);

#endif
