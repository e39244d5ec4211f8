/*
 * harvest_users - whose maildrops are to be read from the old server: lines of
 * "login<TAB>password", or "login<TAB>password<TAB>login here" where the user is called otherwise
 * from now on.
 *
 * For the command line: blocks. Passwords are wiped with the users.
 */
#ifndef POPGATE_ADOPTION_HARVEST_USERS_H
#define POPGATE_ADOPTION_HARVEST_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/secret.h"

struct harvest_user {
	char *login;     /* at the old server */
	char *new_login; /* here */
	struct secret *password;
	bool done; /* its lines are in the file */
};

struct harvest_users {
	struct harvest_user *items; /* in the order of the file */
	size_t n;
};

/* ERR_INVALID: "path:line: …", or others than the owner may read the file. ERR_TEMP: it cannot be
 * read. */
struct err harvest_users_read(const char *path, struct harvest_users **ret);
/* One user, with the same login here. Takes the password. */
struct harvest_users *harvest_users_one(const char *login, struct secret *password);
void harvest_users_free(struct harvest_users *users); /* NULL-safe */
DEFINE_CLEANUP(harvest_users, harvest_users_free)

#endif
