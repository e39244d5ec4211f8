/* Instead of oauth.c, where libcurl, jansson or cjose were not there at build. */
#include "proxy/login/oauth.h"

void oauth_forget(void)
{
}

fiber_fn struct err oauth_verify(
	const struct token_settings *settings, const struct secret *token, char **ret_login)
{
	(void)settings;
	(void)token;
	(void)ret_login;
	return err_make(ERR_PERM, "auth.oauth2 is set, but this popgate was built without OAuth");
}
