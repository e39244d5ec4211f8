/*
 * pool - how much of libuv's thread pool one kind of work may take.
 *
 * The pool also reads Maildirs and the registry, and a flood of logins must not keep those waiting:
 * hashes get half of its threads at most, what may hang on a network (PAM modules, a Kerberos KDC)
 * a quarter. What tenants have on disk shares it by share.h.
 */
#ifndef POPGATE_RUNTIME_POOL_H
#define POPGATE_RUNTIME_POOL_H

/* How many threads it has. */
unsigned pool_threads(void);

/* The threads of the pool divided by `share`, but at least 1 and not more than there are cores. */
unsigned pool_places(unsigned share);

#endif
