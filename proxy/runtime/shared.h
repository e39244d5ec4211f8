/*
 * shared - memory that master and workers share: mapped before the fork, zeroed, never unmapped.
 * What lies in it is updated with C11 atomics only (lock-free types), since a worker may die at any
 * instruction.
 */
#ifndef POPGATE_RUNTIME_SHARED_H
#define POPGATE_RUNTIME_SHARED_H

#include <stddef.h>

/* size octets of MAP_SHARED|MAP_ANONYMOUS memory, zeroed; aborts when there is none. */
void *shared_map(size_t size);

#endif
