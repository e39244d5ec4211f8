#include "proxy/verbs/advice.h"

#include <string.h>

/* By words of the detail: the first that fits. */
static const struct advice {
	const char *words, *text;
} of_server[] = {
	{ "Connection refused",
		"nothing listens there: start the server, or correct imap.servers and imap.port" },
	{ "name lookup", "correct the name in imap.servers, or this machine's DNS" },
	{ "mismatch; wanted", "write a name that the certificate is for into imap.servers" },
	{ "self-signed certificate",
		"name the authority that issued the certificate (or itself) by imap.ca_file" },
	{ "unable to get local issuer", "name the authority that issued it by imap.ca_file" },
	{ "certificate has expired", "renew the certificate of the server" },
	{ "the peer spoke no TLS",
		"that port begins without TLS: try imap.tls: starttls, or imap.port: 993" },
	{ "no STARTTLS", "try imap.tls: implicit, with imap.port: 993" },
	{ "unreachable", "see whether a route or firewall is between this machine and the server" },
	{ "No route", "see whether a route or firewall is between this machine and the server" },
	{ "no connection within",
		"see whether a firewall is between this machine and the server, and whether that "
		"port begins without TLS" },
	{ NULL, "see whether that is the IMAP server, and what its own log says" },
};

static const char *of_auth(const struct tenant *tenant)
{
	if (*tenant->auth.users_file)
		return "set the password: popgate users set";
	if (*tenant->auth.pam_service)
		return "see what PAM's log says; auth.pam_service names the service";
	return "try the password at the IMAP server itself; imap.login says which user name it "
	       "gets";
}

const char *advice_for(const struct tenant *tenant, const struct err *e)
{
	const struct advice *advice = of_server;

	if (!tenant)
		return "popgate route LOGIN tells why no tenant serves this login";
	if (e->scope == ERR_AUTH)
		return of_auth(tenant);
	if (tenant->store != STORE_IMAP)
		return NULL;
	while (advice->words && !strstr(e->detail, advice->words))
		advice++;
	return advice->text;
}
