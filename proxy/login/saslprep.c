#include "proxy/login/saslprep.h"

#include <gsasl.h>
#include <string.h>

bool saslprep(const char *text, struct secret **ret)
{
	char *prepared = NULL;

	if (gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
		return false;
	*ret = secret_new(prepared, strlen(prepared));
	explicit_bzero(prepared, strlen(prepared));
	gsasl_free(prepared);
	return *ret != NULL;
}
