/*
 * users - a users file: "login:hash" lines, empty lines, and comments that begin with "#".
 *
 * Logins are compared octet for octet, so they stand in the file as they are after the login_name
 * rules. A hash may carry Dovecot's scheme prefix (hash.h). One malformed line makes the whole file
 * malformed, because nobody can say whom it was meant to let in.
 * Owns:     a struct users owns its text, which is wiped with it.
 * Suspends: users_cached only.
 * Limits:   USERS_FILE_MAX octets.
 */
#ifndef POPGATE_LOGIN_USERS_H
#define POPGATE_LOGIN_USERS_H

#include <stddef.h>
#include <sys/stat.h>

#include "proxy/runtime/err.h"
#include "proxy/runtime/fiber.h"
#include "proxy/runtime/mem.h"

#define USERS_FILE_MAX (64U * 1024 * 1024)

struct users_entry {
	const char *login;
	const char *hash; /* without its scheme prefix; acceptable to hash_check */
	const char *kind; /* "yescrypt", …: static */
	unsigned line;
};

struct users {
	struct users_entry *entries; /* in the order of the file */
	size_t n;
	/* the rest is private to users.c */
	char *text;
	size_t text_length;
	const struct users_entry **sorted; /* by login */
	const struct users_entry *typical, *typical_scram;
};

/* Called for every malformed line: what is wrong with it. */
typedef void users_report(unsigned line, const char *wrong, void *arg);

/* Opens a regular file for reading; *ret_fd is the caller's to close. ERR_TEMP: the detail names
 * the file and the reason. Blocks. */
struct err users_open(const char *path, int *ret_fd, struct stat *ret_stat);
/* All octets of an open file, followed by a NUL that does not count; *ret is the caller's to free.
 * ERR_TEMP: not readable, or over USERS_FILE_MAX. Blocks. */
struct err users_slurp(int fd, const char *path, char **ret, size_t *ret_length);
/* Parses n octets, followed by a NUL; takes ownership of text, also on failure. path is for
 * messages. report may be NULL. ERR_INVALID: "path:line: …" of the first malformed line. */
struct err users_parse(const char *path, char *text, size_t n, users_report *report, void *arg,
	struct users **ret);
void users_free(struct users *users); /* NULL-safe, wipes */
DEFINE_CLEANUP(users, users_free)

/* NULL, or what is wrong with a login (static text): it is empty, begins with "#", holds a ":" or
 * a control octet, or has white space at an end. */
const char *users_check_login(const char *login);

/* The entry of a login, or NULL. */
const struct users_entry *users_find(const struct users *users, const char *login);
/* A hash whose cost (hash_cost_length) is the commonest in the file; NULL when it has no entry. */
const char *users_typical_hash(const struct users *users);
/* As users_typical_hash, of its SCRAM keys. */
const char *users_typical_scram(const struct users *users);

/* The users of a file as it is now. Where something may have happened to the file since the last
 * look (file_watch.h) it is looked at in the thread pool, and read again when it is another one or
 * its size or times changed; one copy per process. When the file
 * cannot be read, or is malformed, the last good copy serves and a warning is logged, once per
 * cause; without a good copy: ERR_TEMP with the cause. Borrowed until the next suspension. */
fiber_fn struct err users_cached(const char *path, const struct users **ret);
/* The typical hash of the largest file in the cache; NULL when there is none. Same lifetime. */
const char *users_cached_typical_hash(void);

#endif
