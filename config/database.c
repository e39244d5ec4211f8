#include "config/database.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const schemes[] = { "postgresql:", "postgres:" };

static const char *behind_scheme(const char *text)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
			return text + strlen(schemes[i]);
	return NULL;
}

bool database_uri_is(const char *text)
{
	return behind_scheme(text) != NULL;
}

static char octet_at(const char **p)
{
	const char *at = *p;

	if (at[0] == '%' && at[1] && at[2]) {
		const char hex[] = { at[1], at[2], '\0' };

		*p += 3;
		return (char)strtol(hex, NULL, 16);
	}
	(*p)++;
	return *at;
}

/* Whether the parameter at p, "name=value", has that name: libpq decodes names too. */
static bool is_named(const char *p, const char *name)
{
	while (*name) {
		if (!*p || octet_at(&p) != *name++)
			return false;
	}
	return *p == '=' || *p == '&' || *p == '\0';
}

static bool has_secret(const char *query)
{
	for (const char *p = query; p; p = strchr(p, '&')) {
		p += *p == '?' || *p == '&';
		if (is_named(p, "password") || is_named(p, "sslpassword"))
			return true;
	}
	return false;
}

const char *database_uri_trouble(const char *uri)
{
	const char *p = behind_scheme(uri), *query;
	size_t n;

	if (!p || strncmp(p, "//", 2) != 0)
		return "not of the form postgresql://USER@HOST/DATABASE";
	p += 2;
	query = strchr(p, '?');
	n = strcspn(p, "@/");
	if ((p[n] == '@' && memchr(p, ':', n)) || (query && has_secret(query)))
		return "a password in it; let ?passfile=PATH name a file that holds it";
	/* The end of a password with a slash in it, perhaps. */
	p += p[n] == '@' ? n + 1 : n;
	if (strchr(p, '@') && (!query || strchr(p, '@') < query))
		return "an \"@\" that is not written as %40";
	return NULL;
}
