#include "proxy/login/credentials.h"

#include <string.h>

#ifdef POPGATE_GSSAPI
#include "proxy/runtime/gss.h"
#endif

struct credentials credentials_of_password(
	unsigned mechanism, const char *login, struct secret *password)
{
	return (struct credentials){
		.kind = CREDENTIAL_PASSWORD,
		.mechanism = mechanism,
		.login = mem_strdup(login),
		.authorization = mem_strdup(""),
		.secret = password,
	};
}

void credentials_done(struct credentials *credentials)
{
	free(credentials->login);
	free(credentials->authorization);
	free(credentials->why);
	secret_free(credentials->secret);
#ifdef POPGATE_GSSAPI
	gss_delegated_free(credentials->delegated);
#endif
	memset(credentials, 0, sizeof(*credentials));
}
