/*
 * pool - how much of libuv's thread pool the checking of passwords may take.
 *
 * The pool also reads Maildirs and the registry, and a flood of logins must not keep those waiting:
 * hashes get half of its threads at most, PAM (whose modules may hang on a network) a quarter.
 */
#ifndef POPGATE_LOGIN_POOL_H
#define POPGATE_LOGIN_POOL_H

/* The threads of the pool divided by `share`, but at least 1 and not more than there are cores. */
unsigned pool_places(unsigned share);

#endif
