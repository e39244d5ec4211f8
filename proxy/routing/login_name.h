/*
 * login_name - what a client sent as login, read by the login_name rules.
 *
 * "Anna.Smith+Junk@ACME.example" → user anna.smith, domain acme.example, folder Junk. The last
 * separator divides user and domain, "@" always being one; the first folder separator divides user
 * and folder. Case is turned for ASCII only, and never in the folder.
 */
#ifndef POPGATE_ROUTING_LOGIN_NAME_H
#define POPGATE_ROUTING_LOGIN_NAME_H

#include "config/config.h"

/* The longest login, in octets. */
#define LOGIN_NAME_MAX_OCTETS 1024

struct login_name {
	const char *login; /* user@domain, or user */
	const char *user, *domain;
	const char *folder; /* "": the login names none */
};

/* NULL when text is a login, filled into ret from arena memory; else why it is none. */
const char *login_name_parse(const struct login_name_settings *settings, const char *text,
	struct arena *arena, struct login_name *ret);

/* NULL when a path made of these stays where its template put it; else why not. domain_needed: the
 * template uses the domain. */
const char *login_name_unsafe_in_path(const struct login_name *name, bool domain_needed);

#endif
