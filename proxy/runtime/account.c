#include "proxy/runtime/account.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

const char *account_name(char text[ACCOUNT_TEXT])
{
	const struct passwd *entry = getpwuid(geteuid());

	if (entry)
		(void)snprintf(text, ACCOUNT_TEXT, "%s", entry->pw_name);
	else
		(void)snprintf(text, ACCOUNT_TEXT, "%u", (unsigned)geteuid());
	return text;
}
