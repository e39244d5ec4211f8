/*
 * database - the address of a database server. Pure functions.
 */
#ifndef POPGATE_CONFIG_DATABASE_H
#define POPGATE_CONFIG_DATABASE_H

#include <stdbool.h>

/* Whether text is meant as such: it begins with postgresql: or postgres:. */
bool database_uri_is(const char *text);
/* What is wrong with it as far as can be told without libpq, which judges the rest; NULL: nothing.
 * Static storage; repeats nothing of it, as it may hold a password. */
const char *database_uri_trouble(const char *uri);

#endif
