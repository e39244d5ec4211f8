#include "proxy/login/saslprep.h"

#include <gsasl.h>
#include <string.h>

bool saslprep(const char *text, struct secret **ret)
{
	/* A query string may hold characters that Unicode 3.2 did not know yet. libgsasl 2.2 takes
	 * this flag the wrong way round; what SASLprep prohibits is refused with and without. */
	static const Gsasl_saslprep_flags ways[] = { GSASL_ALLOW_UNASSIGNED, 0 };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		char *prepared = NULL;

		if (gsasl_saslprep(text, ways[i], &prepared, NULL) != GSASL_OK)
			continue;
		*ret = secret_new(prepared, strlen(prepared));
		explicit_bzero(prepared, strlen(prepared));
		gsasl_free(prepared);
		return *ret != NULL;
	}
	return false;
}
